package onboarding_test

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"yativo-card-exporter/internal/onboarding"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

const (
	day = 24 * time.Hour

	unknown  = onboarding.StatusUnknown
	otp      = onboarding.OTPRequested
	verified = onboarding.OTPVerified
	kyc      = onboarding.KYCInitiated
	funds    = onboarding.KYCCompleted
	safe     = onboarding.SafeDeploying
	carded   = onboarding.CardCreated
	active   = onboarding.Active
)

// rig walks over populations that a test writes down.
type rig struct {
	t        *testing.T
	tracker  *onboarding.Tracker
	registry *prometheus.Registry
	path     string
	now      time.Time
}

type population map[string]onboarding.Status

func newRig(t *testing.T) *rig {
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "state", "state.db"), now: start}
	r.open()
	t.Cleanup(func() { _ = r.tracker.Close() })
	return r
}

func (r *rig) open() {
	r.t.Helper()
	r.registry = prometheus.NewRegistry()
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds: onboarding.DefaultThresholds(), RefreshInterval: time.Minute, Path: r.path, Registerer: r.registry,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.tracker = tracker
}

func (r *rig) restart() {
	r.t.Helper()
	if err := r.tracker.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.open()
}

// walk is a complete walk that takes no time, some time after the one before.
func (r *rig) walk(after time.Duration, people population) *onboarding.Report {
	return r.observe(after, people, nil).Commit(r.now, true)
}

func (r *rig) observe(after time.Duration, people population, created map[string]time.Time) *onboarding.Walk {
	r.now = r.now.Add(after)
	w := r.tracker.Begin(r.now)
	for id, s := range people {
		w.Observe(onboarding.Observation{ID: id, Status: s, CreatedAt: created[id]})
	}
	return w
}

func (r *rig) metric(name string, labels ...string) float64 {
	r.t.Helper()
	if len(labels) == 1 {
		name += fmt.Sprintf("{flow_status=%q}", labels[0])
	}
	value, there := gather(r.t, r.registry)[name]
	if !there {
		r.t.Fatalf("%s is not exported", name)
	}
	return value
}

// transitions lists the counters that are not 0.
func (r *rig) transitions(want ...string) {
	r.t.Helper()
	got := map[string]float64{}
	for name, value := range gather(r.t, r.registry) {
		if rest, ok := strings.CutPrefix(name, "yativo_card_status_transitions_total"); ok && value != 0 {
			got[strings.NewReplacer(`{from="`, "", `",to="`, " ", `"}`, "").Replace(rest)] = value
		}
	}
	expected := map[string]float64{}
	for _, w := range want {
		expected[w]++
	}
	if fmt.Sprint(got) != fmt.Sprint(expected) {
		r.t.Errorf("transitions are %v, want %v", got, expected)
	}
}

func (r *rig) stays(s onboarding.Status, count int, sum time.Duration) {
	r.t.Helper()
	gotCount := r.metric("yativo_card_status_duration_seconds_count", s.String())
	gotSum := r.metric("yativo_card_status_duration_seconds_sum", s.String())
	if gotCount != float64(count) || gotSum != sum.Seconds() {
		r.t.Errorf("%v stays in %s of %v s together, want %d of %v", gotCount, s, gotSum, count, sum)
	}
}

func (r *rig) advanced(s onboarding.Status, want time.Time) {
	r.t.Helper()
	if got := r.metric("yativo_card_last_advance_timestamp_seconds", s.String()); got != float64(want.Unix()) {
		r.t.Errorf("last advance past %s at %v, want %v", s, time.Unix(int64(got), 0).UTC(), want)
	}
}

func ages(t *testing.T, r *onboarding.Report, s onboarding.Status, count int, sum time.Duration) {
	t.Helper()
	if r.TimeInStatus[s].Count != uint64(count) || r.TimeInStatus[s].Sum != sum.Seconds() {
		t.Errorf("%d customers in %s wait %v s together, want %d and %v", r.TimeInStatus[s].Count, s, r.TimeInStatus[s].Sum, count, sum)
	}
}

func waits(t *testing.T, r *onboarding.Report, s onboarding.Status, stalled, abandoned int) {
	t.Helper()
	if r.Stalled[s] != stalled || r.Abandoned[s] != abandoned || len(r.StalledCustomers[s]) != stalled {
		t.Errorf("in %s %d are stalled (%d listed) and %d abandoned, want %d and %d",
			s, r.Stalled[s], len(r.StalledCustomers[s]), r.Abandoned[s], stalled, abandoned)
	}
}

func TestFirstPopulationIsALowerBound(t *testing.T) {
	r := newRig(t)
	ages(t, r.walk(0, population{"a": kyc, "b": active}), kyc, 1, 0)
	report := r.walk(25*time.Hour, population{"a": kyc, "b": active})
	waits(t, report, kyc, 1, 0)
	if c := report.StalledCustomers[kyc][0]; !c.EnteredBeforeTracking || !c.Since.Equal(start) {
		t.Errorf("listed as %+v", c)
	}
	if !report.OldestEntry[kyc].Equal(start) {
		t.Errorf("oldest entry at %v", report.OldestEntry[kyc])
	}
	r.walk(time.Minute, population{"a": funds, "b": active})
	r.transitions("kyc_initiated kyc_completed")
	r.stays(kyc, 0, 0)
	r.advanced(kyc, r.now)
	r.advanced(otp, start)
	if since := r.metric("yativo_card_tracking_since_timestamp_seconds"); since != float64(start.Unix()) {
		t.Errorf("tracking since %v", since)
	}
}

func TestNewCustomersEnterWhenCreatedOrWhenFound(t *testing.T) {
	r := newRig(t)
	r.walk(0, nil)
	created := map[string]time.Time{
		"dated": start.Add(20 * time.Second), "future": start.Add(time.Hour), "later": start.Add(-time.Hour),
		"year 0": time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), "year 9999": time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	people := population{"dated": otp, "future": otp, "undated": otp, "year 0": otp, "year 9999": otp, "later": kyc}
	report := r.observe(time.Minute, people, created).Commit(r.now, true)
	ages(t, report, otp, 5, 40*time.Second)
	ages(t, report, kyc, 1, 0)
	r.walk(time.Minute, population{"dated": verified, "future": otp, "undated": otp, "year 0": otp, "year 9999": otp, "later": kyc})
	r.stays(otp, 1, 100*time.Second)
	r.transitions("new otp_requested", "new otp_requested", "new otp_requested", "new otp_requested", "new otp_requested",
		"new kyc_initiated", "otp_requested otp_verified")
}

func TestOldProgramRaisesNoWaveOfStalls(t *testing.T) {
	r := newRig(t)
	created := map[string]time.Time{
		"old": start.Add(-300 * day), "old safe": start.Add(-300 * day), "young": start.Add(-2 * day), "nearly": start.Add(-6*day - time.Hour),
	}
	people := population{"old": kyc, "old safe": safe, "young": kyc, "nearly": kyc}
	report := r.observe(0, people, created).Commit(r.now, true)
	waits(t, report, kyc, 0, 1)
	waits(t, report, safe, 0, 0)
	report = r.observe(day, people, created).Commit(r.now, true)
	waits(t, report, kyc, 1, 2)
	waits(t, report, safe, 1, 0)
	// Whoever moves shows life: from then on its own time counts.
	people["old"] = funds
	waits(t, r.observe(time.Minute, people, created).Commit(r.now, true), funds, 0, 0)
	waits(t, r.observe(3*day, people, created).Commit(r.now, true), funds, 1, 0)
	waits(t, r.observe(4*day+time.Second, people, created).Commit(r.now, true), funds, 0, 1)
}

func TestThresholds(t *testing.T) {
	r := newRig(t)
	r.walk(0, nil)
	r.walk(time.Minute, population{"a": kyc})
	waits(t, r.walk(day-time.Second, population{"a": kyc}), kyc, 0, 0)
	waits(t, r.walk(time.Second, population{"a": kyc}), kyc, 1, 0)
	waits(t, r.walk(6*day, population{"a": kyc}), kyc, 1, 0)
	report := r.walk(time.Second, population{"a": kyc})
	waits(t, report, kyc, 0, 1)
	if !report.OldestEntry[kyc].IsZero() {
		t.Errorf("an abandoned customer is the oldest entry")
	}
}

func TestAdvancePastSeveralSteps(t *testing.T) {
	r := newRig(t)
	r.walk(0, population{"a": verified, "b": kyc, "c": carded})
	r.walk(time.Minute, population{"a": safe, "b": verified, "c": active})
	r.transitions("otp_verified safe_deploying", "kyc_initiated otp_verified", "card_created active")
	for s, want := range map[onboarding.Status]time.Time{otp: start, verified: r.now, kyc: r.now, funds: r.now, safe: start} {
		r.advanced(s, want)
	}
}

func TestSignUpThatIsAlreadyFurtherAdvanced(t *testing.T) {
	r := newRig(t)
	r.walk(0, nil)
	created := map[string]time.Time{"fast": start.Add(time.Hour), "found": start.Add(-day)}
	r.observe(day, population{"fast": funds, "found": active}, created).Commit(r.now, true)
	r.advanced(kyc, r.now)
	r.advanced(funds, start)
}

func TestMovesAcrossAGapCountButAreNotTimed(t *testing.T) {
	for gap, timed := range map[time.Duration]int{10 * time.Minute: 1, 10*time.Minute + time.Second: 0} {
		r := newRig(t)
		r.walk(0, nil)
		r.walk(time.Minute, population{"a": otp})
		r.restart()
		r.walk(gap, population{"a": verified})
		r.stays(otp, timed, time.Duration(timed)*gap)
		r.advanced(otp, r.now)
		// Nor is the stay that began somewhere in the gap.
		r.walk(time.Minute, population{"a": kyc})
		r.stays(verified, timed, time.Duration(timed)*time.Minute)
		r.transitions("otp_requested otp_verified", "otp_verified kyc_initiated")
	}
}

func TestLongRefreshIntervalsAreNoGap(t *testing.T) {
	registry := prometheus.NewRegistry()
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds: onboarding.DefaultThresholds(), RefreshInterval: time.Hour, Registerer: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, tracker: tracker, registry: registry, now: start}
	r.walk(0, nil)
	r.walk(time.Hour, population{"a": otp})
	r.walk(2*time.Hour, population{"a": verified})
	r.stays(otp, 1, 2*time.Hour)
}

func TestGoneTakesTwoCompleteWalks(t *testing.T) {
	r := newRig(t)
	everybody := population{"a": kyc, "b": kyc}
	r.walk(0, everybody)
	r.walk(time.Minute, population{"b": kyc})
	r.transitions()
	r.restart()
	r.observe(time.Minute, population{"b": kyc}, nil).Discard()
	r.observe(time.Minute, population{"b": kyc}, nil).Commit(r.now, false)
	r.transitions()
	report := r.walk(time.Minute, population{"b": kyc})
	r.transitions("kyc_initiated gone")
	if report.Tracked != 1 {
		t.Errorf("%d tracked", report.Tracked)
	}
	r.restart()
	// It returns within a day, and its clock goes on.
	ages(t, r.walk(23*time.Hour, everybody), kyc, 2, 2*(23*time.Hour+4*time.Minute))
	r.transitions("gone kyc_initiated")
}

func TestAbsenceStartsAnewOnceSeen(t *testing.T) {
	r := newRig(t)
	everybody := population{"a": kyc}
	r.walk(0, everybody)
	for range 3 {
		r.walk(time.Minute, nil)
		r.walk(time.Minute, everybody)
	}
	r.transitions()
}

func TestReturnAfterADayIsNew(t *testing.T) {
	r := newRig(t)
	r.walk(0, population{"a": kyc})
	r.walk(time.Minute, nil)
	r.walk(time.Minute, nil)
	ages(t, r.walk(day+time.Second, population{"a": kyc}), kyc, 1, 0)
	r.transitions("kyc_initiated gone", "new kyc_initiated")
}

func TestDiscardedWalkLeavesNoTrace(t *testing.T) {
	r := newRig(t)
	r.walk(0, population{"a": kyc})
	r.walk(time.Minute, nil)
	r.walk(time.Minute, nil)
	// A clock that ran ahead lets this walk take the customer for a new one.
	r.observe(2*day, population{"a": kyc, "b": kyc}, nil).Discard()
	r.now = start
	ages(t, r.walk(time.Hour, population{"a": kyc}), kyc, 1, time.Hour)
	r.transitions("kyc_initiated gone", "gone kyc_initiated")
}

func TestUnknownStatusStopsNoClock(t *testing.T) {
	r := newRig(t)
	r.walk(0, nil)
	r.walk(time.Minute, population{"a": kyc})
	ages(t, r.walk(time.Minute, population{"a": unknown}), kyc, 0, 0)
	r.restart()
	ages(t, r.walk(time.Minute, population{"a": kyc}), kyc, 1, 2*time.Minute)
	r.transitions("unknown kyc_initiated")
	r.walk(time.Minute, population{"a": unknown})
	r.advanced(kyc, start)
	r.walk(time.Minute, population{"a": funds})
	r.advanced(kyc, r.now)
	r.stays(kyc, 0, 0)
	r.transitions("unknown kyc_initiated", "kyc_initiated unknown", "unknown kyc_completed")
}

func TestFirstWalkWithAGapGoesOnInTheNext(t *testing.T) {
	r := newRig(t)
	created := map[string]time.Time{"missed": start.Add(-300 * day), "signed up": start.Add(30 * time.Second)}
	r.observe(0, population{"a": kyc}, created).Commit(r.now, false)
	report := r.observe(time.Minute, population{"a": kyc, "missed": kyc, "signed up": otp}, created).Commit(r.now, true)
	waits(t, report, kyc, 0, 1)
	r.transitions("new otp_requested")
}

func TestClockStepsBackwards(t *testing.T) {
	r := newRig(t)
	r.walk(0, nil)
	r.walk(time.Minute, population{"a": kyc})
	// An hour of a clock that lags by a year changes nothing for good ...
	ages(t, r.walk(-365*day, population{"a": kyc}), kyc, 1, 0)
	r.now = start
	ages(t, r.walk(31*time.Minute, population{"a": kyc}), kyc, 1, 30*time.Minute)
	// ... and a clock that ran ahead for one walk is forgotten after an hour.
	r.walk(365*day, population{"a": funds})
	r.advanced(kyc, r.now)
	r.now = start
	ages(t, r.walk(33*time.Minute, population{"a": funds}), funds, 1, 0)
	ages(t, r.walk(time.Hour, population{"a": funds}), funds, 1, 0)
	r.advanced(kyc, r.now)
	ages(t, r.walk(5*time.Minute, population{"a": funds}), funds, 1, 5*time.Minute)
}

func TestClockIsBelievedWhileSomebodySignsUp(t *testing.T) {
	r := newRig(t)
	r.walk(365*day, nil)
	r.now = start
	r.walk(time.Minute, nil)
	created := map[string]time.Time{"a": start.Add(2 * time.Hour)}
	r.observe(time.Hour, population{"a": otp}, created).Commit(r.now, true)
	r.walk(time.Minute, population{"a": verified})
	r.stays(otp, 1, time.Minute)
}

func TestListIsOldestFirstAndBounded(t *testing.T) {
	r := newRig(t)
	r.walk(0, nil)
	people, created := population{}, map[string]time.Time{}
	for i := range 5000 {
		id := fmt.Sprintf("%04d", (i*7)%5000)
		people[id], created[id] = otp, start.Add(-2*day-time.Duration((i*7)%5000)*time.Minute)
	}
	w := r.observe(time.Minute, people, created)
	w.Observe(onboarding.Observation{ID: "oldest", ExternalID: "someone@example.com", Status: otp, CreatedAt: start.Add(-6 * day)})
	report := w.Commit(r.now, true)
	list := report.StalledCustomers[otp]
	if report.Stalled[otp] != 5001 || len(list) != onboarding.MaxStalledListed {
		t.Fatalf("%d are stalled and %d listed", report.Stalled[otp], len(list))
	}
	for i, c := range list {
		want := fmt.Sprintf("%04d", 5000-i)
		if i == 0 {
			want = "oldest"
		}
		if c.ID != want || c.ExternalID != "" || c.EnteredBeforeTracking || !c.Since.Equal(c.CreatedAt) {
			t.Fatalf("customer %d of the list is %+v, want %s", i, c, want)
		}
	}
}

// An e-mail address is none of the list's business, however its @ is written.
func TestListNamesNoEmail(t *testing.T) {
	r := newRig(t)
	r.walk(0, nil)
	w := r.observe(time.Minute, nil, nil)
	want := map[string]string{}
	for id, external := range map[string]string{
		"1": "someone@example.com", "2": "someone%40example.com", "3": "someone\uff20example.com", "4": "someone&#64;example.com",
		"5": "someone%2540example.com", "6": "SOMEONE&#X40;EXAMPLE.COM", "7": "someone\ufe6bexample.com", "8": "someone&commat;example.com", "9": "crm-4040",
	} {
		w.Observe(onboarding.Observation{ID: id, ExternalID: external, Status: otp, CreatedAt: start.Add(-2 * day)})
		want[id] = ""
	}
	want["9"] = "crm-4040"
	w.Observe(onboarding.Observation{ID: "someone@example.com", ExternalID: "crm-1", Status: otp, CreatedAt: start.Add(-2 * day)})
	want[""] = "crm-1"
	got := map[string]string{}
	for _, c := range w.Commit(r.now, true).StalledCustomers[otp] {
		got[c.ID] = c.ExternalID
	}
	if !maps.Equal(want, got) {
		t.Errorf("external ids by ids %q, want %q", got, want)
	}
}

func TestListFillsUpWhenManyAreAbandonedDuringAWalk(t *testing.T) {
	r := newRig(t)
	r.walk(0, nil)
	people, created := population{}, map[string]time.Time{}
	for i := range 3000 {
		id := fmt.Sprintf("%04d", i)
		people[id], created[id] = otp, start.Add(-day)
		if i%2 == 0 {
			created[id] = start.Add(-3 * day)
		}
	}
	r.observe(time.Minute, people, created).Commit(r.now.Add(time.Hour), true)
	r.now = start
	report := r.observe(4*day-30*time.Minute, people, created).Commit(r.now.Add(time.Hour), true)
	if len(report.StalledCustomers[otp]) != 1000 || report.Stalled[otp] != 1500 || report.Abandoned[otp] != 1500 {
		t.Errorf("%d listed of %d stalled beside %d abandoned",
			len(report.StalledCustomers[otp]), report.Stalled[otp], report.Abandoned[otp])
	}
}

func TestWalksEndOnce(t *testing.T) {
	r := newRig(t)
	first := r.tracker.Begin(r.now)
	first.Observe(onboarding.Observation{ID: "a", Status: kyc})
	second := r.tracker.Begin(r.now)
	if first.Observe(onboarding.Observation{ID: "b", Status: kyc}) || first.Commit(r.now, true) != nil {
		t.Error("a walk goes on after another one began")
	}
	first.Discard()
	for range 2 {
		if !second.Observe(onboarding.Observation{Status: kyc}) {
			t.Error("a row without an id is taken for a repeated one")
		}
	}
	if report := second.Commit(r.now, true); report.Tracked != 0 {
		t.Errorf("%d tracked", report.Tracked)
	}
	if second.Commit(r.now, true) != nil {
		t.Error("a walk ends twice")
	}
}

func TestThresholdsHaveToMakeSense(t *testing.T) {
	thresholds := onboarding.DefaultThresholds()
	thresholds.Stalled[kyc] = thresholds.Abandoned[kyc]
	if _, err := onboarding.Open(onboarding.Options{Thresholds: thresholds}); err == nil || !strings.Contains(err.Error(), "kyc_initiated") {
		t.Errorf("Open says %v", err)
	}
}

func TestExposition(t *testing.T) {
	r := newRig(t)
	if n, err := testutil.GatherAndCount(r.registry, "yativo_card_last_advance_timestamp_seconds",
		"yativo_card_tracking_since_timestamp_seconds", "yativo_exporter_tracked_customers"); n != 0 || err != nil {
		t.Errorf("%d series before the first walk, %v", n, err)
	}
	r.walk(0, population{"a": kyc})
	problems, err := testutil.GatherAndLint(r.registry)
	if err != nil || len(problems) != 0 {
		t.Errorf("%v, %v", problems, err)
	}
	r.walk(time.Minute, population{"a": kyc, "b": otp})
	r.walk(time.Minute, population{"a": kyc, "b": verified})
	golden := `
# HELP yativo_card_status_duration_seconds Length of completed stays in a status that were seen from beginning to end, as exact as the time between walks.
# TYPE yativo_card_status_duration_seconds histogram
`
	for _, s := range onboarding.WaitingStatuses() {
		n, sum := 0, 0
		if s == otp {
			n, sum = 1, 60
		}
		for _, bound := range append(onboarding.AgeBuckets(), math.Inf(1)) {
			golden += fmt.Sprintf("yativo_card_status_duration_seconds_bucket{flow_status=%q,le=%q} %d\n", s, fmt.Sprint(bound), n)
		}
		golden += fmt.Sprintf("yativo_card_status_duration_seconds_sum{flow_status=%q} %d\n", s, sum)
		golden += fmt.Sprintf("yativo_card_status_duration_seconds_count{flow_status=%q} %d\n", s, n)
	}
	golden += `
# HELP yativo_card_last_advance_timestamp_seconds Unix time of the walk that last saw a customer move from this status, or an earlier one, to a later one; the start of tracking until there is one. A few who pass during a stall are not an advance; a third of the usual number is. Kept across restarts.
# TYPE yativo_card_last_advance_timestamp_seconds gauge
yativo_card_last_advance_timestamp_seconds{flow_status="kyc_completed"} 1.7935344e+09
yativo_card_last_advance_timestamp_seconds{flow_status="kyc_initiated"} 1.7935344e+09
yativo_card_last_advance_timestamp_seconds{flow_status="otp_requested"} 1.79353452e+09
yativo_card_last_advance_timestamp_seconds{flow_status="otp_verified"} 1.7935344e+09
yativo_card_last_advance_timestamp_seconds{flow_status="safe_deploying"} 1.7935344e+09
# HELP yativo_exporter_tracked_customers Customers whose time in status is remembered and who are not gone.
# TYPE yativo_exporter_tracked_customers gauge
yativo_exporter_tracked_customers 2
`
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(golden), "yativo_card_status_duration_seconds",
		"yativo_card_last_advance_timestamp_seconds", "yativo_exporter_tracked_customers"); err != nil {
		t.Error(err)
	}
}
