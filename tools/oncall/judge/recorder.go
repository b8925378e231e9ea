package judge

import (
	"math"
	"slices"
	"strings"
	"time"

	prommodel "github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"yativo-card-exporter/tools/oncall/drive"
)

// Recorder keeps what the exporter shows, as far as rules read it: it is
// Prometheus' scraping.
type Recorder struct {
	rules  *Rules
	memory *memory
	from   int64 // Unix seconds; nothing is kept from before
	step   time.Duration
	away   []drive.Span // Prometheus does not run
	runs   []drive.Span // stretches in which it does, by their first and last step
	key    strings.Builder
}

// NewRecorder records from a moment on, in Unix seconds, but for the times when
// Prometheus is away. It scrapes, and evaluates the rules, once a step.
func NewRecorder(rules *Rules, from int64, step time.Duration, away []drive.Span) *Recorder {
	return &Recorder{rules: rules, memory: newMemory(), from: from, step: step, away: away}
}

// Fork is a recorder that goes on from what this one holds.
func (r *Recorder) Fork(away []drive.Span) *Recorder {
	f := NewRecorder(r.rules, r.from, r.step, away)
	f.runs, f.memory = slices.Clone(r.runs), r.memory.clone()
	return f
}

// Step takes the samples of a step; it is what drive.Config.Step expects.
func (r *Recorder) Step(at int64, shown *drive.Shown) {
	if at < r.from {
		return
	}
	for _, away := range r.away {
		if at >= away.Start && at < away.End {
			return
		}
	}
	if n := len(r.runs); n > 0 && at-r.runs[n-1].End <= int64(r.step/time.Second) {
		r.runs[n-1].End = at
	} else {
		r.runs = append(r.runs, drive.Span{Start: at, End: at})
	}
	up := 0.0
	if shown.Up {
		up = 1
	}
	r.sample(at, "up", up)
	shown.Samples(r.rules.Reads, func(name string, value float64, labels ...string) { r.sample(at, name, value, labels...) })
	for name := range r.rules.reads {
		for _, s := range r.memory.byName[name] {
			if last := &s.samples[len(s.samples)-1]; last.at < at*1000 && !value.IsStaleNaN(last.value) {
				s.append(at*1000, math.Float64frombits(value.StaleNaN))
			}
		}
	}
}

func (r *Recorder) sample(at int64, name string, v float64, pairs ...string) {
	r.key.Reset()
	r.key.WriteString(name)
	for _, p := range pairs {
		r.key.WriteByte(0)
		r.key.WriteString(p)
	}
	s := r.memory.get(r.key.String(), func() labels.Labels {
		all := append([]string{prommodel.MetricNameLabel, name, "job", "yativo-card-exporter", "instance", "exporter:10101"}, pairs...)
		return labels.FromStrings(all...)
	})
	s.append(at*1000, v)
}
