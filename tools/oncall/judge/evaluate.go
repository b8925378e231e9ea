package judge

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	prommodel "github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
)

// Evaluate evaluates the rules over what was recorded and returns each time
// that an alert fired. Each rule is evaluated at all steps at once, which is
// the same as step by step, since rules read only what others before them
// record, and is many times faster.
func (r *Recorder) Evaluate(ctx context.Context) ([]Firing, error) {
	engine := newEngine()
	var firings []Firing
	for i, run := range r.runs {
		var ofRun []Firing
		for _, rule := range r.rules.rules {
			query, err := engine.NewRangeQuery(ctx, r.memory, nil, rule.Expr, time.Unix(run.Start, 0), time.Unix(run.End, 0), r.step)
			if err != nil {
				return nil, fmt.Errorf("%s%s: %w", rule.Record, rule.Alert, err)
			}
			result, err := query.Exec(ctx).Matrix()
			if err != nil {
				return nil, fmt.Errorf("%s%s: %w", rule.Record, rule.Alert, err)
			}
			for _, found := range result {
				if rule.Record != "" {
					r.record(rule, found, run.End*1000)
				} else {
					ofRun = append(ofRun, fire(rule, found, time.Unix(run.End, 0), r.step)...)
				}
			}
			query.Close()
		}
		if i > 0 {
			ofRun = resume(firings, ofRun, time.Unix(run.Start, 0), time.Unix(r.runs[i-1].End, 0))
		}
		firings = append(firings, ofRun...)
	}
	sortFirings(firings)
	return firings, nil
}

func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples: math.MaxInt, Timeout: time.Hour, LookbackDelta: 5 * time.Minute, Parser: newParser(),
		NoStepSubqueryIntervalFn: func(int64) int64 { return int64(time.Minute / time.Millisecond) },
		EnableAtModifier:         true, EnableNegativeOffset: true,
	})
}

// record keeps what a recording rule brought, and where it ended.
func (r *Recorder) record(rule rule, found promql.Series, end int64) {
	b := labels.NewBuilder(found.Metric).Set(prommodel.MetricNameLabel, rule.Record)
	rule.labels.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
	l := b.Labels()
	s := r.memory.get(l.String(), func() labels.Labels { return l })
	step := r.step.Milliseconds()
	for i, p := range found.Floats {
		s.append(p.T, p.F)
		if next := p.T + step; next <= end && (i+1 == len(found.Floats) || found.Floats[i+1].T > next) {
			s.append(next, math.Float64frombits(value.StaleNaN))
		}
	}
}

// fire tells when an alert fired whose expression brought a series, as
// Prometheus does: after it was there for as long as for says, until it was
// missing for as long as keep_firing_for says.
func fire(rule rule, found promql.Series, end time.Time, step time.Duration) (firings []Firing) {
	hold, keep := time.Duration(rule.For), time.Duration(rule.KeepFiringFor)
	b := labels.NewBuilder(found.Metric).Del(prommodel.MetricNameLabel)
	rule.labels.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
	l := b.Set(labels.AlertName, rule.Alert).Labels()
	var since, last time.Time // Of the present activity; its start is zero if there is none.
	firing := false
	over := func(now time.Time) {
		if firing {
			firings[len(firings)-1].End = now
		}
		firing, since = false, time.Time{}
	}
	for _, p := range found.Floats {
		at := time.UnixMilli(p.T)
		if missing := last.Add(step); !since.IsZero() && at.After(missing) {
			// It was missing at the steps from then to before this one.
			resolved := missing
			if firing {
				for resolved.Before(at) && resolved.Sub(missing) < keep {
					resolved = resolved.Add(step)
				}
			}
			if resolved.Before(at) {
				over(resolved)
			}
		}
		if since.IsZero() {
			since = at
		}
		if last = at; !firing && at.Sub(since) >= hold {
			firing = true
			firings = append(firings, Firing{Alert: rule.Alert, Labels: l, Start: at})
		}
	}
	resolved := last.Add(step)
	for held := last.Add(step + keep); resolved.Before(held); {
		resolved = resolved.Add(step)
	}
	if firing && !resolved.After(end) {
		over(resolved)
	}
	return firings
}

// restored is for how long an alert may wait anew once Prometheus is back.
const restored = 30 * time.Minute

// resume lets alerts go on that fired when Prometheus went away and fire again
// soon after its return at start. Those that do not ended when it went.
func resume(before, after []Firing, start, went time.Time) []Firing {
	for i := range before {
		if !before[i].End.IsZero() {
			continue
		}
		same := slices.IndexFunc(after, func(f Firing) bool {
			return labels.Equal(f.Labels, before[i].Labels) && f.Start.Sub(start) <= restored
		})
		if same < 0 {
			before[i].End = went
			continue
		}
		before[i].End = after[same].End
		after = slices.Delete(after, same, same+1)
	}
	return after
}
