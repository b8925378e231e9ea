package rhythm_test

import (
	"math"
	"testing"

	"yativo-card-exporter/internal/rhythm"
)

const (
	minute = 60
	hour   = 3600
	day    = 24 * hour
	week   = 7 * day

	// monday is the beginning of a week, 2026-03-02 00:00 UTC.
	monday = 1772409600
)

// program is a silence and the walks that watch it.
type program struct {
	rhythm.Silence

	now  uint32
	step uint32 // seconds from one walk to the next
	busy func(hourOfWeek uint32) bool
}

func newProgram(busy func(hourOfWeek uint32) bool) *program {
	return &program{now: monday, step: 10 * minute, busy: busy}
}

// hourOfWeek is 0 on Monday at midnight.
func hourOfWeek(unix uint32) uint32 { return (unix - monday) % week / hour }

func weekdays9to17(h uint32) bool { return h/24 < 5 && h%24 >= 9 && h%24 < 17 }
func always(uint32) bool          { return true }

// run watches a time with an event and a new customer in each walk of a busy
// hour, or with new customers alone.
func (p *program) run(seconds uint32, works bool) {
	for end := p.now + seconds; p.now < end; p.now += p.step {
		events := 0
		if works && p.busy(hourOfWeek(p.now)) {
			events = 1
		}
		if p.busy(hourOfWeek(p.now)) {
			p.Enter(1)
		}
		p.Observe(rhythm.Watch{From: p.now, To: p.now + p.step}, events)
		p.Confirm()
	}
}

func (p *program) limit() float64 { return p.Limit(rhythm.Evidence{Nats: 7, MinHours: 5}) }

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s: %v, want %v ± %v", what, got, want, tolerance)
	}
}

func TestUnknownUntilTwoWeeksWereWatched(t *testing.T) {
	p := newProgram(always)
	if p.Known() {
		t.Error("known from the start")
	}
	p.run(2*week-2*day, true)
	if p.Known() {
		t.Error("known after less than two weeks")
	}
	p.run(2*day, true)
	if !p.Known() {
		t.Error("unknown after two weeks")
	}
}

func TestNeverKnownIfHardlyAnythingHappens(t *testing.T) {
	p := newProgram(func(h uint32) bool { return h == 30 })
	p.run(4*week, true)
	if p.Known() {
		t.Error("one hour a week is called a rhythm")
	}
}

func TestNightsAndWeekendsWeighNothing(t *testing.T) {
	p := newProgram(weekdays9to17)
	p.run(4*week+4*day+17*hour, true) // to Friday 17:00
	p.run(2*day+16*hour, false)       // to Monday 09:00
	near(t, "missed over a weekend", float64(p.Missed), 0, 0.01)
	p.run(4*hour, false)
	near(t, "missed on Monday at 13:00", float64(p.Missed), 4, 0.01)
	p.run(20*hour, false)
	near(t, "missed on Tuesday at 09:00", float64(p.Missed), 8, 0.01)
	p.run(10*minute, true)
	near(t, "missed after an event", float64(p.Missed), 0, 0)
}

func TestADayOffIsPlausibleOnlyWhereNightsAreFree(t *testing.T) {
	people := newProgram(weekdays9to17)
	people.run(4*week, true)
	if limit := people.limit(); limit <= 8 || limit > 12 {
		t.Errorf("people who work 8 hours a day may miss %v, want one day and a part of the next", limit)
	}
	machine := newProgram(always)
	machine.run(4*week, true)
	near(t, "limit of a program that never rests", machine.limit(), 5, 0.1)
}

// A silence of a week that somebody was told of does not become the usual thing.
func TestAStallIsNotLearned(t *testing.T) {
	p := newProgram(always)
	p.run(4*week, true)
	p.run(week, false)
	near(t, "missed in a week", float64(p.Missed), 168, 15)
	near(t, "limit after a week's stall", p.limit(), 5, 0.5)
}

// A frozen list shows no event either, but that is another trouble.
func TestWhatIsNotConfirmedDoesNotCount(t *testing.T) {
	p := newProgram(always)
	p.run(4*week, true)
	for range 60 {
		p.Observe(rhythm.Watch{From: p.now, To: p.now + p.step}, 0)
		p.now += p.step
	}
	near(t, "missed while nothing changes", float64(p.Missed), 0, 0)
	p.Confirm()
	near(t, "missed once something changes", float64(p.Missed), 10, 0.1)
}

func TestBlindTimeTeachesNothingAndCountsForNothing(t *testing.T) {
	p := newProgram(always)
	p.run(4*week, true)
	p.run(3*hour, false)
	p.now += 5 * day
	p.ObserveBlind(0)
	near(t, "missed after five blind days", float64(p.Missed), 3, 0.1)
	p.run(hour, false)
	near(t, "missed an hour later", float64(p.Missed), 4, 0.1)
	p.now += day
	p.ObserveBlind(2)
	near(t, "missed after an event in blind time", float64(p.Missed), 0, 0)
	for h, share := range p.Usual {
		if share < 0.7 {
			t.Errorf("hour %d has become unusual: %v", h, share)
		}
	}
}

// Walks that are hours apart see all events of those hours at once. They do not
// learn that the hours between are quiet.
func TestSlowWalksDoNotTeachTheirOwnSlowness(t *testing.T) {
	p := newProgram(always)
	p.step = 4 * hour
	for range 4 * week / p.step {
		p.Observe(rhythm.Watch{From: p.now, To: p.now + p.step}, 20)
		p.now += p.step
	}
	for h, share := range p.Usual {
		near(t, "share of hour "+string(rune('0'+h%10)), float64(share), 1, 0.05)
	}
}

// A clock that is set back counts nothing twice.
func TestClockSetBack(t *testing.T) {
	p := newProgram(always)
	p.run(4*week, true)
	p.run(2*hour, false)
	p.Observe(rhythm.Watch{From: p.now, To: p.now - hour}, 0)
	near(t, "missed", float64(p.Missed), 2, 0.1)
	p.Observe(rhythm.Watch{From: p.now, To: p.now - hour}, 1)
	near(t, "missed after an event", float64(p.Missed), 0, 0)
}

// Where half of the customers usually drop out, more of them in a row say as
// much as fewer where nearly nobody does.
func TestEnteredLimitFollowsTheDropOuts(t *testing.T) {
	limits := map[int]int{}
	for _, customersPerEvent := range []int{1, 2, 3} {
		p := newProgram(always)
		for range 4 * week / hour {
			p.Enter(float64(customersPerEvent))
			p.Passed(1, 0)
			p.Observe(rhythm.Watch{From: p.now, To: p.now + hour}, 1)
			p.now += hour
		}
		limits[customersPerEvent] = int(p.EnteredLimit(0, 0))
	}
	if limits[1] != 5 || limits[2] < 12 || limits[2] > 16 || limits[3] <= limits[2] {
		t.Errorf("limits by customers for each event: %v", limits)
	}
}
