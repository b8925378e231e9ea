package drive_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/tools/oncall/drive"
	"yativo-card-exporter/tools/oncall/model"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

func config(t *testing.T, p model.Program) drive.Config {
	t.Helper()
	customers, err := p.Customers()
	if err != nil {
		t.Fatal(err)
	}
	return drive.Config{
		Customers: customers, Length: p.Length, Thresholds: onboarding.DefaultThresholds(),
		IdleWalk: 5 * time.Minute, KeepActive: 3 * day, KeepDropOuts: 15 * day, KeepFrom: model.At(10 * day),
	}
}

// reading is what the rules read of a moment.
func reading(shown *drive.Shown) map[string]float64 {
	samples := map[string]float64{}
	shown.Samples(func(name string) bool {
		switch name {
		case "yativo_card_last_advance_timestamp_seconds", "yativo_card_stalled_customers",
			"yativo_card_missed_advances", "yativo_card_missed_advances_limit",
			"yativo_card_entered_since_advance_customers", "yativo_card_missed_signups",
			"yativo_card_lost_customers", "yativo_card_lost_customers_limit",
			"yativo_card_cohort_customers", "yativo_card_cohort_waiting_customers", "yativo_card_cohort_usual_waiting_customers":
			return true
		}
		return false
	}, func(name string, value float64, labels ...string) {
		for _, l := range labels {
			name += " " + l
		}
		samples[name] = value
	})
	return samples
}

// tolerance is how far a reading may be from those without shortcuts of the same
// step and the two beside it: what is learned of an hour blurs where a walk that
// was left out lies on its edge.
func tolerance(name string, value float64) float64 {
	switch {
	case strings.HasPrefix(name, "yativo_card_stalled_customers "):
		return 2
	case strings.HasPrefix(name, "yativo_card_cohort_waiting_"), strings.HasPrefix(name, "yativo_card_lost_"):
		return 1
	case strings.HasPrefix(name, "yativo_card_missed_"), strings.HasPrefix(name, "yativo_card_cohort_usual_"):
		return 0.25 + 0.02*value
	}
	return 0
}

// A short list and walks left out change nothing that rules read.
func TestShortcutsChangeNoReading(t *testing.T) {
	p := model.Program{
		Seed: 3, SignUpsPerDay: 6, Review: model.Mixed, DropOut: model.MidDropOut(), Length: 3 * week,
		Events: []model.Event{{Kind: model.ReviewOutage, Start: 16 * day, End: 18 * day, Share: 1}},
	}
	short := config(t, p)
	whole := short
	whole.IdleWalk, whole.KeepActive, whole.KeepDropOuts = 0, 0, 0
	var want, got []map[string]float64
	short.Step = func(_ int64, shown *drive.Shown) { got = append(got, reading(shown)) }
	whole.Step = func(_ int64, shown *drive.Shown) { want = append(want, reading(shown)) }
	for _, c := range []drive.Config{short, whole} {
		if err := drive.Run(c); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != len(want) || len(got) != int(p.Length/(5*time.Minute))-1 {
		t.Fatalf("%d and %d steps", len(got), len(want))
	}
	alone := 0
	for i := range want {
		for name, value := range want[i] {
			if _, both := got[i][name]; !both {
				alone++ // What is known from a moment on may be known a step later.
				continue
			}
			least, most := value, value
			for _, beside := range []int{max(0, i-1), min(len(want)-1, i+1)} {
				if near, known := want[beside][name]; known {
					least, most = min(least, near), max(most, near)
				}
			}
			if off := tolerance(name, value); got[i][name] < least-off || got[i][name] > most+off {
				t.Fatalf("step %d: %s is %v with shortcuts, %v without", i, name, got[i][name], value)
			}
		}
	}
	if alone > 100 {
		t.Errorf("%d readings were missing with shortcuts", alone)
	}
	if last := want[len(want)-1]; last["yativo_card_last_advance_timestamp_seconds flow_status kyc_initiated"] < float64(model.At(19*day)) {
		t.Errorf("nobody got through after the outage: %v", last)
	}
}

// Runs that share a past show what each shows alone.
func TestGoingOnFromAPastChangesNoReading(t *testing.T) {
	p := model.Program{Seed: 4, SignUpsPerDay: 20, Review: model.Mixed, DropOut: model.MidDropOut(), Length: 3 * week}
	before := config(t, p)
	spent, err := p.Spending(before.Customers)
	if err != nil {
		t.Fatal(err)
	}
	before.Spent = spent
	past, err := drive.Until(before, model.At(16*day-3*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	p.Events = []model.Event{{Kind: model.ReviewOutage, Start: 16 * day, End: 18 * day, Share: 1}}
	whole := config(t, p)
	whole.Spent = spent
	rest := whole
	rest.Past, rest.Away = past, []drive.Span{{Start: model.At(19 * day), End: model.At(19*day + time.Hour)}}
	whole.Away = rest.Away
	want, got := map[int64]map[string]float64{}, map[int64]map[string]float64{}
	whole.Step = func(at int64, shown *drive.Shown) { want[at] = reading(shown) }
	rest.Step = func(at int64, shown *drive.Shown) { got[at] = reading(shown) }
	for _, c := range []drive.Config{whole, rest} {
		if err := drive.Run(c); err != nil {
			t.Fatal(err)
		}
	}
	if first := model.At(16*day - 2*time.Hour); got[first] == nil || len(got) > 6*288 {
		t.Errorf("%d steps, %v at first", len(got), got[first])
	}
	for at, readings := range got {
		if !maps.Equal(readings, want[at]) {
			t.Fatalf("at %s: %v, and %v in one run", time.Unix(at, 0), readings, want[at])
		}
	}
}
