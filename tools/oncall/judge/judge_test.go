package judge

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	prommodel "github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/tools/oncall/drive"
	"yativo-card-exporter/tools/oncall/model"
)

const (
	day  = 24 * time.Hour
	step = 5 * time.Minute
)

// recorded is a month of a program with an outage, of which little more than the
// last day is kept: step by step it takes long.
func recorded(t *testing.T) *Recorder {
	t.Helper()
	content, err := alerts.Render(alerts.DefaultParams())
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := Parse(content, "yativo-card.onboarding")
	if err != nil {
		t.Fatal(err)
	}
	program := model.Program{
		Seed: 1, SignUpsPerDay: 20, Review: model.Automatic, DropOut: model.MidDropOut(), Length: 36*day + 20*time.Hour,
		Events: []model.Event{
			{Kind: model.ReviewOutage, Start: 36 * day, End: 36*day + 18*time.Hour, Share: 1},
			{Kind: model.WalletsStuck, Start: 35*day + 16*time.Hour, End: 36 * day},
		},
	}
	customers, err := program.Customers()
	if err != nil {
		t.Fatal(err)
	}
	recorder := NewRecorder(shipped, model.At(35*day+16*time.Hour), step, nil)
	err = drive.Run(drive.Config{
		Customers: customers, Length: program.Length, Thresholds: onboarding.DefaultThresholds(),
		IdleWalk: 5 * time.Minute, KeepActive: 3 * day, Step: recorder.Step, StepEvery: step,
		Away: []drive.Span{{Start: model.At(36*day + 3*time.Hour), End: model.At(36*day + 4*time.Hour)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return recorder
}

// Rules that are evaluated one after the other, each at all steps, bring what
// they bring if all are evaluated at one step before the next.
func TestAllAtOnceIsStepByStep(t *testing.T) {
	recorder := recorded(t)
	byStep := recorder.Fork(nil)
	got, err := recorder.Evaluate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := evaluateByStep(t, byStep)
	same := func(a, b Firing) bool {
		return a.Alert == b.Alert && labels.Equal(a.Labels, b.Labels) && a.Start.Equal(b.Start) && a.End.Equal(b.End)
	}
	if len(want) < 2 || !slices.EqualFunc(got, want, same) {
		t.Errorf("fired %v\nstep by step %v", got, want)
	}
}

// evaluateByStep evaluates as Prometheus does, with a plainer account of alerts.
func evaluateByStep(t *testing.T, recorder *Recorder) (firings []Firing) {
	t.Helper()
	engine := newEngine()
	type alert struct {
		active, missing time.Time
		firing          int // index, or -1
	}
	alerts := map[string]*alert{}
	run := recorder.runs[0]
	for at := time.Unix(run.Start, 0); at.Unix() <= run.End; at = at.Add(step) {
		for _, rule := range recorder.rules.rules {
			query, err := engine.NewInstantQuery(t.Context(), recorder.memory, nil, rule.Expr, at)
			if err != nil {
				t.Fatal(err)
			}
			vector, err := query.Exec(t.Context()).Vector()
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, s := range vector {
				if rule.Record != "" {
					one := promql.Series{Metric: s.Metric, Floats: []promql.FPoint{{T: s.T, F: s.F}}}
					recorder.record(rule, one, s.T+step.Milliseconds())
					continue
				}
				key := rule.Alert + rule.labels.String() + s.Metric.String()
				seen[key] = true
				a := alerts[key]
				if a == nil {
					a = &alert{active: at, firing: -1}
					alerts[key] = a
				}
				a.missing = time.Time{}
				if a.firing < 0 && at.Sub(a.active) >= time.Duration(rule.For) {
					a.firing = len(firings)
					b := labels.NewBuilder(s.Metric).Del(prommodel.MetricNameLabel).Set(labels.AlertName, rule.Alert)
					rule.labels.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
					firings = append(firings, Firing{Alert: rule.Alert, Labels: b.Labels(), Start: at})
				}
			}
			for key, a := range alerts {
				if seen[key] || !strings.HasPrefix(key, rule.Alert+rule.labels.String()) || rule.Alert == "" {
					continue
				}
				if a.missing.IsZero() {
					a.missing = at
				}
				if a.firing < 0 || at.Sub(a.missing) >= time.Duration(rule.KeepFiringFor) {
					if a.firing >= 0 {
						firings[a.firing].End = at
					}
					delete(alerts, key)
				}
			}
			query.Close()
		}
	}
	sortFirings(firings)
	return firings
}
