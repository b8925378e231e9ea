package rhythm_test

import (
	"math/rand/v2"
	"testing"
)

func (s *step) heals() bool { return !s.loses() }

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
	if hours := s.until(6*168, usual, s.loses); hours < 6*168 {
		t.Fatalf("a loss where all is as usual, after %d hours", hours)
	}
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

// A loss of eight weeks does not become the usual thing, and ends with the cure.
func TestALossStandsUntilItIsCured(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	s.until(48, broken, s.loses)
	if hours := s.until(8*168, broken, s.heals); hours < 8*168 {
		t.Fatalf("over before the cure, after %d hours", hours)
	}
	if hours := s.until(48, usual, s.heals); hours < 4 || hours > 11 {
		t.Errorf("over %d hours after the cure, want 4 to 11", hours)
	}
	if hours := s.until(168, usual, s.loses); hours < 168 {
		t.Fatalf("told again after the cure, after %d hours", hours)
	}
	if hours := s.until(48, broken, s.loses); hours > 14 {
		t.Errorf("the next one is told after %d hours, want at most 14", hours)
	}
}

// A week in which nobody passes does not become the usual thing.
func TestASilenceIsNotUsual(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	s.live(168, func(uint32) int { return 10 })
	s.cohort.Yield()
	s.live(168+24, usual)
	if hours := s.until(48, broken, s.loses); hours > 10 {
		t.Errorf("a loss is told after %d hours, want at most 10", hours)
	}
}

// One hour as usual is no cure.
func TestALossOutlivesAGoodHour(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	s.until(48, broken, s.loses)
	s.enter = 100
	s.live(1, func(uint32) int { return 0 })
	s.enter = 10
	if hours := s.until(12, broken, s.heals); hours < 12 {
		t.Fatalf("over after one hour in which all passed, after %d hours", hours)
	}
}

// Nobody who comes says nothing of a cure.
func TestALossOutlivesADayWithoutCustomers(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	s.until(48, broken, s.loses)
	s.enter = 0
	if hours := s.until(48, func(uint32) int { return 0 }, s.heals); hours < 48 {
		t.Errorf("over %d hours after the last customer came", hours)
	}
}

func TestALossIsOverOnceThoseWhoWereLatePass(t *testing.T) {
	s := newStep()
	s.live(5*168, usual)
	s.live(36, broken)
	if !s.loses() {
		t.Fatal("not told")
	}
	for back := range s.waiting {
		s.waiting[back] = 4
	}
	s.live(1, usual)
	if !s.loses() {
		t.Fatal("over although many of those who were late still wait")
	}
	for back := range s.waiting {
		s.waiting[back] = 3
		if back%4 == 0 {
			s.waiting[back] = 4 // by chance
		}
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
	if hours := s.until(24, usual, s.loses); hours < 24 {
		t.Errorf("who came in the silence is called lost, after %d hours", hours)
	}
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
		s.arrive(9)
		s.walk(false, true)
		if s.loses() {
			t.Fatal("hours that nobody watched are called a loss")
		}
	}
	s.live(8, usual)
	if s.loses() {
		t.Error("hours that nobody watched are called a loss afterward")
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
				return 5
			}
			return 50
		}
	}
	s.enter = 50
	s.live(5*168, untilHour(17))
	if hours := s.until(168, untilHour(16), s.loses); hours < 168 {
		t.Fatalf("a working day that ends an hour earlier is called a loss, after %d hours", hours)
	}
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

// byChance is that each of those who enter waits with a probability.
func byChance(seed uint64, enter int, probability float64) func(uint32) int {
	random := rand.New(rand.NewPCG(seed, 0))
	return func(uint32) (waiting int) {
		for range enter {
			if random.Float64() < probability {
				waiting++
			}
		}
		return waiting
	}
}

// Ten enter each hour, of whom 30 % are late by chance; from some moment on half of
// those who would pass are lost.
func TestLossByChance(t *testing.T) {
	const programs, weeks = 30, 10
	falseOnes, slow, early := 0, 0, 0
	for seed := range uint64(programs) {
		s := newStep()
		healthy, broken := byChance(seed, 10, 0.3), byChance(seed+programs, 10, 0.65)
		s.live(3*168, healthy)
		for range weeks * 168 {
			before := s.loses()
			if s.live(1, healthy); s.loses() && !before {
				falseOnes++
			}
		}
		if s.until(48, broken, s.loses) > 11 {
			slow++
		}
		if s.until(2*168, broken, s.heals) < 2*168 {
			early++
		}
	}
	if falseOnes > 10 || slow > 3 || early > 0 {
		t.Errorf("of %d programs: %d false losses in %d weeks, %d told after more than 11 hours, %d over before the cure",
			programs, falseOnes, weeks, slow, early)
	}
}

// Hours of a large program differ for other reasons than chance.
func TestUnevenHoursAreNoLoss(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	s := newStep()
	s.enter = 500
	uneven := func(uint32) int { return 150 + int(25*random.NormFloat64()) }
	s.live(4*168, uneven)
	told := s.until(10*168, uneven, s.loses)
	if told < 10*168 {
		t.Errorf("hours of which 25 to 35 of 100 are late are called a loss, after %d", told)
	}
	if hours := s.until(48, func(uint32) int { return 250 }, s.loses); hours > 9 {
		t.Errorf("20 more of 100 are late, told after %d hours, want at most 9", hours)
	}
}

// A batch runs on the hour, and takes some minutes.
func TestAnHourIsJudgedOnceABatchIsOver(t *testing.T) {
	s := newStep()
	s.live(30, usual)
	before := s.cohort.Judged
	for _, walk := range []struct{ start, end, judged uint32 }{{10, 50, 0}, {30, 55, 1}} {
		s.cohort.Advance(s.now+walk.start*minute, s.now+walk.end*minute)
		s.cohort.Walked(true, true)
		if judged := s.cohort.Judged - before; judged != walk.judged {
			t.Errorf("a walk from minute %d to %d judges %d hours, want %d", walk.start, walk.end, judged, walk.judged)
		}
	}
}

// A change to summer time moves the hour of a daily batch. Nobody passes in the hours
// after it, which says how many are late then all the same.
func TestABatchThatMovesByAnHourIsNoLoss(t *testing.T) {
	s := newStep()
	s.enter = 100
	live := func(days int, batch uint32) {
		for range days * 24 {
			s.arrive(100)
			runs := hourOfWeek(s.now)%24 == batch
			for back := 1; runs && back < len(s.waiting); back++ {
				s.waiting[back] = 35
			}
			if s.walk(true, runs); s.loses() {
				t.Fatal("a batch that runs an hour earlier is called a loss")
			}
		}
	}
	live(5*7, 16)
	live(2*7, 15)
}

// Who comes after work is late with or without a loss, and says nothing of a cure.
func TestALossOutlivesNightsAndWeekends(t *testing.T) {
	s := newStep()
	s.enter = 50
	untilEvening := func(late int) func(uint32) int {
		return func(hourOfWeek uint32) int {
			if at := hourOfWeek % 24; at >= 9 && at < 15 && hourOfWeek < 5*24 {
				return late
			}
			return 50
		}
	}
	s.live(5*168, untilEvening(10))
	if hours := s.until(48, untilEvening(20), s.loses); hours > 24 {
		t.Fatalf("told after %d hours", hours)
	}
	if hours := s.until(14*24, untilEvening(20), s.heals); hours < 14*24 {
		t.Errorf("over before the cure, after %d hours", hours)
	}
}
