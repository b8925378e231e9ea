package onboarding_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"yativo-card-exporter/internal/onboarding"
)

// program drives a tracker and the model with the same random life of a small
// program, and compares them after each committed walk.
type program struct {
	t        *rapid.T
	folder   string
	life     int
	files    int
	tracker  *onboarding.Tracker
	registry *prometheus.Registry
	model    *model
	now      time.Time
	people   map[string]*modelRow
	born     int
}

const refreshInterval = time.Minute

func (p *program) path() string {
	return filepath.Join(p.folder, fmt.Sprintf("%d-%d.db", p.life, p.files))
}

func (p *program) open() {
	p.registry = prometheus.NewRegistry()
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds:      onboarding.DefaultThresholds(),
		RefreshInterval: refreshInterval,
		Path:            p.path(),
		Registerer:      p.registry,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.tracker = tracker
}

// crash goes on from a copy of the file, as it is after a kill.
func (p *program) crash() {
	old := p.tracker
	contents, err := os.ReadFile(p.path())
	if err != nil {
		p.t.Fatal(err)
	}
	p.files++
	if err := os.WriteFile(p.path(), contents, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.open()
	if err := old.Close(); err != nil {
		p.t.Fatal(err)
	}
	p.model.restart()
}

func (p *program) restart() {
	if err := p.tracker.Close(); err != nil {
		p.t.Fatal(err)
	}
	p.open()
	p.model.restart()
}

// live lets time pass, and people sign up, move and leave.
func (p *program) live() {
	steps := []time.Duration{
		time.Minute, time.Minute, 90 * time.Second, 9 * time.Minute, 10 * time.Minute, 11 * time.Minute, 20 * time.Minute,
		time.Hour, 7 * time.Hour, 24 * time.Hour, 30 * time.Hour, 80 * time.Hour, 9 * 24 * time.Hour,
		-time.Second, -5 * time.Minute, -3 * time.Hour, -40 * time.Hour,
	}
	p.now = p.now.Add(rapid.SampledFrom(steps).Draw(p.t, "time"))
	for range rapid.IntRange(0, 2).Draw(p.t, "signups") {
		p.born++
		created := rapid.SampledFrom([]time.Duration{
			0, -20 * time.Second, -8 * time.Minute, -2 * time.Hour, -26 * time.Hour, -6 * 24 * time.Hour, -300 * 24 * time.Hour, time.Hour,
		}).Draw(p.t, "created")
		row := &modelRow{created: p.now.Add(created).Unix()}
		if rapid.IntRange(0, 7).Draw(p.t, "no created_at") == 0 {
			row.created = 0
		}
		row.status = onboarding.OTPRequested
		if rapid.Bool().Draw(p.t, "already on") {
			row.status = rapid.SampledFrom(onboarding.Statuses()).Draw(p.t, "status")
		}
		p.people[fmt.Sprintf("customer-%03d", p.born)] = row
	}
	for _, id := range slices.Sorted(maps.Keys(p.people)) {
		switch rapid.IntRange(0, 11).Draw(p.t, id) {
		case 0, 1:
			p.people[id].status = min(p.people[id].status+1, onboarding.Active)
		case 2:
			p.people[id].status = rapid.SampledFrom(onboarding.Statuses()).Draw(p.t, "status")
		case 3:
			if rapid.IntRange(0, 3).Draw(p.t, "removed") == 0 {
				delete(p.people, id)
			}
		}
	}
}

// walk reads the list, as an API that skips, repeats and spoils rows shows it.
func (p *program) walk() {
	start := p.now
	walk := p.tracker.Begin(start)
	rows := map[string]modelRow{}
	for _, id := range slices.Sorted(maps.Keys(p.people)) {
		row := *p.people[id]
		switch rapid.IntRange(0, 9).Draw(p.t, "row "+id) {
		case 0:
			continue
		case 1:
			row.status = onboarding.StatusUnknown
		}
		observation := onboarding.Observation{ID: id, ExternalID: "usr " + id, Status: row.status}
		if row.created != 0 {
			observation.CreatedAt = time.Unix(row.created, 0)
		}
		if !walk.Observe(observation) {
			p.t.Fatalf("the first row of %s is taken for a repeated one", id)
		}
		rows[id] = row
		if rapid.IntRange(0, 9).Draw(p.t, "repeated "+id) == 0 {
			observation.Status = onboarding.Active
			if walk.Observe(observation) {
				p.t.Fatalf("a repeated row of %s is not noticed", id)
			}
		}
	}
	p.now = p.now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 3 * time.Hour, -time.Minute}).Draw(p.t, "walk time"))
	if rapid.IntRange(0, 5).Draw(p.t, "failed") == 0 {
		if rapid.Bool().Draw(p.t, "said so") {
			walk.Discard()
		}
		return
	}
	complete := rapid.IntRange(0, 4).Draw(p.t, "gap") != 0
	report := walk.Commit(p.now, complete)
	p.model.commit(start.Unix(), p.now.Unix(), rows, complete)
	p.compare(report, rows)
}

func (p *program) compare(report *onboarding.Report, rows map[string]modelRow) {
	now := p.model.lastWalk
	p.same("at", report.At.Unix(), now)
	p.same("tracked", report.Tracked, p.model.tracked())
	for _, s := range onboarding.WaitingStatuses() {
		var sum float64
		var oldest time.Time
		var stalled []onboarding.StalledCustomer
		abandoned := 0
		waits := p.model.waits(s, now, rows)
		for _, w := range waits {
			sum += float64(w.age)
			entered := time.Unix(min(w.customer.entered, now), 0).UTC()
			if !w.abandoned && (oldest.IsZero() || entered.Before(oldest)) {
				oldest = entered
			}
			if w.abandoned {
				abandoned++
			}
			if !w.stalled {
				continue
			}
			listed := onboarding.StalledCustomer{
				ID: w.id, ExternalID: "usr " + w.id, Status: s, Since: entered,
				EnteredBeforeTracking: w.customer.before,
			}
			if created := rows[w.id].created; created != 0 {
				listed.CreatedAt = time.Unix(created, 0)
			}
			stalled = append(stalled, listed)
		}
		p.same("oldest "+s.String(), report.OldestEntry[s], oldest)
		p.same("abandoned "+s.String(), report.Abandoned[s], abandoned)
		p.same("stalled "+s.String(), report.Stalled[s], len(stalled))
		p.same("list of "+s.String(), report.StalledCustomers[s], stalled)
		p.same("count of "+s.String(), report.TimeInStatus[s].Count, uint64(len(waits)))
		p.same("sum of "+s.String(), report.TimeInStatus[s].Sum, sum)
		for _, bound := range onboarding.AgeBuckets() {
			n := uint64(0)
			for _, w := range waits {
				if float64(w.age) <= bound {
					n++
				}
			}
			p.same(fmt.Sprintf("bucket %v of %s", bound, s), report.TimeInStatus[s].Buckets[bound], n)
		}
	}
	p.compareMetrics()
}

func (p *program) compareMetrics() {
	got := gather(p.t, p.registry)
	want := map[string]float64{
		"yativo_exporter_tracked_customers":            float64(p.model.tracked()),
		"yativo_card_tracking_since_timestamp_seconds": float64(p.model.since),
		"yativo_exporter_state_errors_total":           0,
	}
	for _, from := range append(labels(onboarding.Statuses()), "new", "gone") {
		for _, to := range append(labels(onboarding.Statuses()), "gone") {
			if from != to && (from != "new" || to != "gone") {
				name := fmt.Sprintf("yativo_card_status_transitions_total{from=%q,to=%q}", from, to)
				want[name] = float64(p.model.transitions[[2]string{from, to}])
			}
		}
	}
	for _, s := range onboarding.WaitingStatuses() {
		var sum float64
		for _, seconds := range p.model.stays[s] {
			sum += float64(seconds)
		}
		label := fmt.Sprintf("{flow_status=%q}", s)
		want["yativo_card_status_duration_seconds_count"+label] = float64(len(p.model.stays[s]))
		want["yativo_card_status_duration_seconds_sum"+label] = sum
		want["yativo_card_last_advance_timestamp_seconds"+label] = float64(p.model.advanced[s])
		want["yativo_card_stalled_after_seconds"+label] = p.model.thresholds.Stalled[s].Seconds()
		want["yativo_card_abandoned_after_seconds"+label] = p.model.thresholds.Abandoned[s].Seconds()
		// Of the rhythm, nothing but this is known after a few days.
		want["yativo_card_entered_since_advance_customers"+label] = float64(p.model.enteredSinceAdvance(s))
		delete(got, "yativo_card_entered_since_advance_limit"+label)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if value, there := got[name]; !there || value != want[name] {
			p.t.Fatalf("%s is %v, %v; want %v", name, value, there, want[name])
		}
	}
	if len(got) != len(want) {
		p.t.Fatalf("%d series are exported; want %d", len(got), len(want))
	}
}

func (p *program) same(what string, got, want any) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func labels(statuses []onboarding.Status) (names []string) {
	for _, s := range statuses {
		names = append(names, s.String())
	}
	return names
}

// gather returns every exported value by its series, a histogram as its count
// and sum.
func gather(t interface{ Fatal(...any) }, registry *prometheus.Registry) map[string]float64 {
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			label := ""
			for _, l := range m.GetLabel() {
				if label != "" {
					label += ","
				}
				label += fmt.Sprintf("%s=%q", l.GetName(), l.GetValue())
			}
			if label != "" {
				label = "{" + label + "}"
			}
			switch {
			case m.GetHistogram() != nil:
				values[family.GetName()+"_count"+label] = float64(m.GetHistogram().GetSampleCount())
				values[family.GetName()+"_sum"+label] = m.GetHistogram().GetSampleSum()
			case m.GetCounter() != nil:
				values[family.GetName()+label] = m.GetCounter().GetValue()
			default:
				values[family.GetName()+label] = m.GetGauge().GetValue()
			}
		}
	}
	return values
}

func TestTrackerAgreesWithThePlainModel(t *testing.T) {
	folder, lives := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		lives++
		p := &program{
			t: t, folder: folder, life: lives,
			model:  newModel(onboarding.DefaultThresholds(), 600),
			now:    time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
			people: map[string]*modelRow{},
		}
		p.open()
		for range rapid.IntRange(1, 25).Draw(t, "walks") {
			p.live()
			p.walk()
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0:
				p.restart()
			case 1:
				p.crash()
			}
		}
		if err := p.tracker.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
