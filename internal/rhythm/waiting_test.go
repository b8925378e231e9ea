package rhythm_test

import (
	"math"
	"testing"

	"yativo-card-exporter/internal/rhythm"
)

func TestTheClockCountsUsualHoursAlone(t *testing.T) {
	p := newProgram(weekdays9to17)
	p.run(4*week, true)
	clock := p.Clock()
	near(t, "from Monday to Monday", clock.Between(monday, monday+week), 40, 0.5)
	near(t, "over a weekend", clock.Between(monday+4*day+18*hour, monday+7*day+8*hour), 0, 0.01)
	near(t, "within an hour", clock.Between(monday+12*hour+15*minute, monday+12*hour+45*minute), 0.5, 0.01)
	near(t, "over two weeks and a morning", clock.Between(monday+10*hour, monday+2*week+12*hour), 82, 0.5)
	near(t, "backward", clock.Between(monday+12*hour, monday+10*hour), 0, 0)
}

// One who waits says nothing while those who pass usually wait as long, and the
// most once they usually have passed.
func TestAWaitSurprisesByWhatIsUsual(t *testing.T) {
	p := newProgram(always)
	for range 4 * week / hour { // Two enter; one of them passes, after one to two usual hours.
		p.Enter(2)
		p.Passed(1, 1.5)
		p.Observe(rhythm.Watch{From: p.now, To: p.now + hour}, 1)
		p.now += hour
	}
	near(t, "who just came", p.Surprise(0), 0, 0)
	near(t, "after a usual hour", p.Surprise(1), 0, 0)
	near(t, "after two", p.Surprise(2), math.Ln2, 0.01)
	near(t, "after a month", p.Surprise(200), math.Ln2, 0.01)
	if limit := p.EnteredLimit(7, 0); !math.IsInf(limit, 1) {
		t.Errorf("%v customers who just came are no chance", limit)
	}
	long, short := p.EnteredLimit(10, 10*p.Surprise(2)), p.EnteredLimit(10, 5*p.Surprise(2))
	if short < 2*long-1 || short > 2*long {
		t.Errorf("%v are no chance if each waits for long, and %v if half of them do", long, short)
	}
}

// Before anything is known, the fallback has to fire too: newcomers of whom nobody
// has ever passed are no chance once they are some.
func TestNewcomersOfAnUnknownProgram(t *testing.T) {
	var s rhythm.Silence
	if limit := s.EnteredLimit(10, 10*s.Surprise(0)); limit != 5 {
		t.Errorf("the limit is %v before anything is known, want 5", limit)
	}
}

// What was told stays told while nobody passes, however long.
func TestAStallForgetsNothing(t *testing.T) {
	p := newProgram(always)
	p.run(4*week, true)
	usual, waits := p.Usual, p.Waits
	p.Stalled = true
	p.run(3*week, false)
	if p.Usual != usual || p.Waits != waits {
		t.Error("a stall has changed what is usual")
	}
	p.run(10*minute, true)
	if p.Stalled {
		t.Error("stalled after an event")
	}
}
