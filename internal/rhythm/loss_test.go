package rhythm_test

import "testing"

// until is after how many hours something holds, at most so many.
func (s *step) until(most int, waiting func(uint32) int, holds func() bool) int {
	for hours := range most {
		if holds() {
			return hours
		}
		s.live(1, waiting)
	}
	return most
}

func TestALossIsToldWithinHours(t *testing.T) {
	s := newStep()
	s.live(6*168, func(hourOfWeek uint32) int {
		if s.loses() {
			t.Fatal("a loss where all is as usual")
		}
		return usual(hourOfWeek)
	})
	if hours := s.until(48, broken, s.loses); hours < 6 || hours > 10 {
		t.Errorf("three more of ten are late, told after %d hours, want 6 to 10", hours)
	}
}

func TestALossIsUnknownForTwoWeeks(t *testing.T) {
	s := newStep()
	known := func() bool { _, _, known := s.cohort.Lost(); return known }
	if hours := s.until(4*168, usual, known); hours < 2*168 || hours > 2*168+12 {
		t.Errorf("known after %d hours, want two weeks and some hours", hours)
	}
}

// A loss of two weeks does not become the usual thing, and ends with the cure.
func TestALossStandsUntilItIsCured(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	s.until(48, broken, s.loses)
	s.live(2*168, func(hourOfWeek uint32) int {
		if !s.loses() {
			t.Fatal("over before the cure")
		}
		return broken(hourOfWeek)
	})
	if hours := s.until(48, usual, func() bool { return !s.loses() }); hours < 4 || hours > 9 {
		t.Errorf("over %d hours after the cure, want 4 to 9", hours)
	}
	s.live(168, func(hourOfWeek uint32) int {
		if s.loses() {
			t.Fatal("told again after the cure")
		}
		return usual(hourOfWeek)
	})
	if hours := s.until(48, broken, s.loses); hours > 16 {
		t.Errorf("the next one is told after %d hours, want at most 16", hours)
	}
}

// One hour as usual is no cure.
func TestALossOutlivesAGoodHour(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	s.until(48, broken, s.loses)
	s.live(1, func(uint32) int { return 0 })
	s.live(12, func(hourOfWeek uint32) int {
		if !s.loses() {
			t.Fatal("over after one hour in which all passed")
		}
		return broken(hourOfWeek)
	})
}

func TestALossIsOverOnceThoseWhoWereLatePass(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	s.live(36, broken)
	if !s.loses() {
		t.Fatal("not told")
	}
	for back := range s.waiting {
		s.waiting[back] = 3
	}
	s.live(1, usual)
	if s.loses() {
		t.Error("not over although all who were late have passed")
	}
}

// Who waits while nobody passes at all is told by the silence. Who came in that time
// is late after it.
func TestASilenceIsNoLoss(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	s.live(24, func(uint32) int { return 10 })
	if s.loses() {
		t.Error("a silence is called a loss")
	}
	s.cohort.Yield() // as for a stall that is told
	s.live(24, func(hourOfWeek uint32) int {
		if s.loses() {
			t.Error("who came in the silence is called lost")
		}
		return usual(hourOfWeek)
	})
	s.live(24, broken)
	s.cohort.Yield()
	if s.loses() {
		t.Error("a loss is told beside a stall")
	}
}

// Nobody knows whether those who came before a gap were late.
func TestHoursBeforeAGapTellNothing(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	for range 12 {
		copy(s.waiting[1:], s.waiting[:])
		s.waiting[0] = 9
		s.walk(false, true)
	}
	s.live(8, usual)
	if s.loses() {
		t.Error("hours that nobody watched are called a loss")
	}
}

// Twenty times as many who are a little slower than usual are no loss.
func TestABurstIsNoLoss(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	s.enter = 200
	s.live(1, func(uint32) int { return 80 })
	s.enter = 10
	s.live(12, usual)
	if s.loses() {
		t.Error("one hour in which 40 of 100 wait is called a loss")
	}
}

// A change to summer time moves the end of a working day by one hour.
func TestAShiftByAnHourIsNoLoss(t *testing.T) {
	s := newStep()
	untilHour := func(closes uint32) func(uint32) int {
		return func(hourOfWeek uint32) int {
			if at := hourOfWeek % 24; at >= 9 && at < closes {
				return 1
			}
			return 10
		}
	}
	s.live(5*168, untilHour(17))
	s.live(168, func(hourOfWeek uint32) int {
		if s.loses() {
			t.Fatal("a working day that ends an hour earlier is called a loss")
		}
		return untilHour(16)(hourOfWeek)
	})
}

func TestAClockThatIsSetBackForgetsTheWeek(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	s.live(24, broken)
	if !s.loses() {
		t.Fatal("not told")
	}
	s.now -= 2 * day
	s.live(1, usual)
	if s.loses() {
		t.Error("what was told before the clock was set back still is")
	}
	if n := s.cohort.Customers(); n != 0 {
		t.Errorf("%d customers entered at a time that has not been", n)
	}
}
