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
// has ever passed are no chance once they are some, and a weekend has passed.
func TestNewcomersOfAnUnknownProgram(t *testing.T) {
	var s rhythm.Silence
	clock := s.Clock()
	friday17 := uint32(monday + 4*day + 17*hour)
	if surprise := clock.Surprise(friday17, friday17+3*day-1, monday); surprise != 0 {
		t.Errorf("who waits over a weekend says %v nats, want 0", surprise)
	}
	if early, late := clock.Surprise(friday17+minute, friday17+2*minute, friday17), clock.Surprise(friday17+minute+1, friday17+2*minute, friday17); early == 0 || late != 0 {
		t.Errorf("who came in the earlier half of a silence says %v nats, in the later half %v", early, late)
	}
	if limit := s.EnteredLimit(10, 0); !math.IsInf(limit, 1) {
		t.Errorf("%v who wait over a weekend are no chance", limit)
	}
	if limit := s.EnteredLimit(10, 10*clock.Surprise(friday17, friday17+3*day, monday)); limit != 5 {
		t.Errorf("the limit is %v before anything is known, want 5", limit)
	}
}

// What was told stays told while nobody passes, however long.
func TestAStallForgetsNothing(t *testing.T) {
	p := newProgram(always)
	p.run(4*week, true)
	usual, waits := p.Usual, p.Waits
	p.Stall()
	p.run(3*week, false)
	if p.Usual != usual || p.Waits != waits {
		t.Error("a stall has changed what is usual")
	}
}

// The walk that ends a stall does not teach that the hour before it, which was one
// of the stall, is usually quiet.
func TestTheEndOfAStallDoesNotTeachItsLastHour(t *testing.T) {
	p := newProgram(always)
	p.run(4*week, true)
	p.Stall()
	p.run(8*hour, false)
	usual := p.Usual
	p.Observe(rhythm.Watch{From: p.now, To: p.now + 10*minute}, 100)
	if p.Stalled {
		t.Fatal("still stalled")
	}
	if p.Usual != usual {
		t.Error("an hour of the stall has changed what is usual")
	}
}

// A few who slip through do not end a stall, and a third of the usual does.
func TestAStallEndsWithAThirdOfTheUsual(t *testing.T) {
	for _, one := range []struct {
		program   string
		walks     int // from one who passes to the next; usually one passes in each
		wantsOver bool
	}{{"one in twenty passes", 20, false}, {"one in two passes", 2, true}} {
		p := newProgram(always)
		p.run(4*week, true)
		p.run(6*hour, false)
		p.Stall()
		over := false
		for walk := range 5 * day / (10 * minute) {
			p.run(10*minute, walk%one.walks == one.walks-1)
			over = over || !p.Stalled
		}
		if over != one.wantsOver {
			t.Errorf("%s: over %v", one.program, over)
		}
	}
}

// Four weeks of a few events hardly show what share drops out, so that one customer
// more has to wait.
func TestWhereEventsAreRareOneMoreMustCome(t *testing.T) {
	for _, one := range []struct {
		weeks, hoursApart uint32
		known             bool
		want              float64
	}{{8, 54, true, 6}, {1, 84, false, 6}, {8, 36, true, 5}} { // 3.1, 2 and 4.7 events a week
		p := newProgram(always)
		for h := range one.weeks * week / uint32(hour) {
			events := 0
			if h%one.hoursApart == 0 {
				p.Enter(1)
				p.Passed(1, 0)
				events = 1
			}
			p.Observe(rhythm.Watch{From: p.now, To: p.now + hour}, events)
			p.now += hour
		}
		if limit := p.EnteredLimit(0, 0); p.Known() != one.known || limit != one.want {
			t.Errorf("every %d hours for %d weeks: known %t, limit %v, want %v", one.hoursApart, one.weeks, p.Known(), limit, one.want)
		}
	}
}

// At night hardly anybody comes, so that one who slips through is all of them.
func TestOneWhoSlipsThroughAtNightIsNoCure(t *testing.T) {
	p := newProgram(always)
	p.run(4*week, true)
	p.run(day, false)
	p.Stall()
	pass := func() (over bool) {
		w := rhythm.Watch{From: p.now, To: p.now + 6*hour} // in which nobody came
		p.Observe(w, 0)
		p.now += 6*hour + p.step
		return p.Observe(rhythm.Watch{From: w.To, To: p.now}, 1)
	}
	for night := range 3 {
		if pass() {
			t.Fatalf("one in night %d ends the stall", night)
		}
	}
	if p.now += p.step; !p.Observe(rhythm.Watch{From: p.now - p.step, To: p.now}, 1) {
		t.Error("two within minutes, where nobody came, do not end the stall")
	}
}

// Where nobody is seen to come, as before the sign-up, the usual number stands for
// those. A program that has shrunk for good is told of for some weeks.
func TestAPauseIsToldOnceAndEndsWithTheNewUsual(t *testing.T) {
	p := newProgram(always)
	pace := func(days, walksApart int) (ends int) {
		for walk := range days * day / (10 * minute) {
			events := 0
			if walk%walksApart == 0 {
				events = 1
			}
			p.EnterUsual(p.step)
			told := p.Stalled
			p.Observe(rhythm.Watch{From: p.now, To: p.now + p.step}, events)
			p.Confirm()
			p.now += p.step
			if p.Exceeds(rhythm.Evidence{Nats: 7, MinHours: 4}) {
				p.Stall()
			}
			if told && !p.Stalled {
				ends++
			}
		}
		return ends
	}
	pace(28, 1)
	if ends := pace(14, 30); ends != 0 || !p.Stalled {
		t.Errorf("at a thirtieth of the usual the silence ended %d times", ends)
	}
	if pace(90, 30); p.Stalled {
		t.Error("after three months at a thirtieth that is still no usual pace")
	}
	pace(28, 1)
	pace(1, 10000)
	if ends := pace(1, 1); ends != 1 {
		t.Errorf("ended %d times with the usual pace, want once", ends)
	}
}
