package onboarding

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"yativo-card-exporter/internal/rhythm"
)

const (
	testMonday = 1772409600 // 2026-03-02
	testHour   = 3600
	testWalk   = 600
)

// Where walks are slow, most pass a step unseen. The cohort has to know them, or
// those who wait look like a loss.
func TestWhoPassesBetweenTwoWalksBelongsToTheCohort(t *testing.T) {
	r, f := rhythms{}, findings{}
	for i := range r.Cohorts {
		r.Cohorts[i].Advance(testMonday, testMonday)
	}
	f.advance(OTPVerified.Step(), SafeDeploying.Step(), 3)
	f.advance(0, OTPVerified.Step(), 2)
	r.learn(&f, testMonday-testWalk, testMonday, true)
	for s, want := range map[Status]uint32{OTPRequested: 0, OTPVerified: 0, KYCInitiated: 3, KYCCompleted: 3, SafeDeploying: 0} {
		got := uint32(0)
		for _, entrants := range r.Cohorts[index(s)].Hours {
			got += entrants.Customers
		}
		if got != want {
			t.Errorf("%s: %d in the cohort, want %d", s, got, want)
		}
	}
	if f.advances[index(OTPVerified)] != 3 {
		t.Errorf("%d advances past a step that they were seen in, want 3", f.advances[index(OTPVerified)])
	}
}

func TestWhoIsImportedDidNotJustCome(t *testing.T) {
	f := findings{}
	for _, test := range []struct {
		status   Status
		created  uint32
		justCame bool
	}{
		{OTPRequested, testMonday - 1000*testHour, true},
		{KYCInitiated, testMonday - 1000*testHour, false},
		{KYCInitiated, testMonday - testWalk, true},
		{KYCInitiated, testMonday, false}, // too soon for somebody who came there alone
		{Active, 0, false},
	} {
		c := customer{status: test.status, created: test.created}
		f.first(&c, testMonday-testWalk, testMonday)
		if came := !c.has(entryUncertain); came != test.justCame {
			t.Errorf("%s, created %d s ago: %v", test.status, testMonday-test.created, came)
		}
	}
}

// A list that stands still for a day and moves again says nothing of that day.
func TestAFrozenListIsNoSilence(t *testing.T) {
	var r rhythms
	now := uint32(testMonday)
	learn := func(hours int, f findings) {
		for end := now + uint32(hours)*testHour; now < end; now += testWalk {
			walk := f
			r.learn(&walk, now, now+testWalk, true)
		}
	}
	step := index(KYCInitiated)
	busy := findings{changed: true}
	busy.advance(OTPVerified.Step(), Active.Step(), 1)
	learn(5*168, busy)
	learn(30, findings{})
	learn(1, findings{changed: true})
	if missed := r.Advances[step].Missed; missed > 1 {
		t.Errorf("%.1f hours are missed after a frozen list", missed)
	}
	learn(5, findings{changed: true})
	if missed := r.Advances[step].Missed; missed < 4 {
		t.Errorf("%.1f hours are missed while the list changes, want 5", missed)
	}
}

// Where walks are slow, most pass the OTP unseen. They entered it when they were
// created, as those whom a walk sees there.
func TestWhoIsFirstSeenBeyondTheOTPEnteredItWhenCreated(t *testing.T) {
	tracker, err := Open(Options{Thresholds: DefaultThresholds(), RefreshInterval: 4 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	at := func(hours int64) time.Time { return time.Unix(testMonday+hours*testHour, 0) }
	tracker.Begin(at(0)).Commit(at(0), true)
	walk := tracker.Begin(at(4))
	for id, o := range map[string]Observation{
		"old": {Status: KYCInitiated, CreatedAt: at(-1000)}, "waits": {Status: OTPRequested, CreatedAt: at(1)},
		"passed": {Status: OTPVerified, CreatedAt: at(1)}, "further": {Status: KYCInitiated, CreatedAt: at(2)},
	} {
		o.ID = id
		walk.Observe(o)
	}
	walk.Commit(at(4), true)
	for hours, want := range []uint32{0, 2, 1, 0, 0} {
		hourOfWeek := at(int64(hours)).Unix() / testHour % rhythm.HoursPerWeek
		if got := tracker.rhythms.Cohorts[index(OTPRequested)].Hours[hourOfWeek].Customers; got != want {
			t.Errorf("%d entered within hour %d, want %d", got, hours, want)
		}
	}
}

func TestWhoCameWhileNobodyWatchedIsNotImported(t *testing.T) {
	c := customer{status: KYCInitiated, created: testMonday - 50*testHour}
	(&findings{}).first(&c, testMonday-100*testHour, testMonday)
	if !c.teaches() {
		t.Error("one who came after the last walk, two days ago, counts as imported")
	}
}

// Old customers who come by an import may wait for reasons as old. That is known
// still after a restart.
func TestThatTheImportedWaitIsNoSurprise(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	walk := func(hours int64, customers ...Observation) (*Tracker, *Walk) {
		tracker, err := Open(Options{Thresholds: DefaultThresholds(), RefreshInterval: 24 * time.Hour, Path: path})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := tracker.Close(); err != nil {
				t.Error(err)
			}
		}()
		at := func(hours int64) time.Time { return time.Unix(testMonday+hours*testHour, 0) }
		w := tracker.Begin(at(hours))
		for _, o := range customers {
			o.CreatedAt = at(hours)
			switch o.ID {
			case "imported":
				o.CreatedAt = at(-1000)
			case "late in the list":
				o.CreatedAt = at(hours - 16)
			case "without a date":
				o.CreatedAt = time.Time{}
			}
			w.Observe(o)
		}
		w.Commit(at(hours), true)
		return tracker, w
	}
	walk(0)
	walk(24, Observation{ID: "came", Status: OTPRequested})
	waiting := []Observation{
		{ID: "came", Status: KYCInitiated},
		{ID: "imported", Status: KYCInitiated},
		{ID: "added", Status: KYCInitiated},
		{ID: "without a date", Status: KYCInitiated},
		{ID: "late in the list", Status: KYCInitiated},
	}
	walk(36, waiting...)
	tracker, w := walk(36+80, waiting...)
	kyc := index(KYCInitiated)
	if n := w.findings.enteredSince[kyc]; n != 5 {
		t.Fatalf("%d entered, want 5", n)
	}
	if got, want := w.findings.surprise[kyc], 4*tracker.rhythms.Advances[kyc].Surprise(math.Inf(1)); math.Abs(got-want) > 0.01 {
		t.Errorf("that they wait says %.3f nats, want the %.3f of four", got, want)
	}
}
