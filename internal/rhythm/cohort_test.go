package rhythm_test

import (
	"testing"

	"yativo-card-exporter/internal/rhythm"
)

// step is a status that ten customers enter every hour.
type step struct {
	cohort *rhythm.Cohort
	now    uint32
	enter  int
	// waiting is how many of those who entered so many hours ago still wait.
	waiting [24]int
}

func newStep() *step { return &step{cohort: &rhythm.Cohort{}, now: monday, enter: 10} }

// live lets hours pass in which all but so many who enter pass at once.
func (s *step) live(hours int, waiting func(hourOfWeek uint32) int) {
	for range hours {
		s.arrive(waiting(hourOfWeek(s.now)))
		s.walk(true, s.waiting[0] < s.enter)
	}
}

// arrive lets an hour pass, of whose customers so many wait.
func (s *step) arrive(waiting int) {
	copy(s.waiting[1:], s.waiting[:])
	s.waiting[0] = waiting
}

// walk is the walk of an hour.
func (s *step) walk(watched, passed bool) {
	s.cohort.Advance(s.now+hour/2, s.now+hour/2)
	s.cohort.Enter(s.now, s.enter)
	for back, customers := range s.waiting {
		for range customers {
			s.cohort.Wait(s.now - uint32(back)*hour)
		}
	}
	s.cohort.Walked(watched, passed)
	s.now += hour
}

func (s *step) loses() bool {
	lost, limit, known := s.cohort.Lost()
	return known && lost >= limit
}

// usual is that three of ten wait.
func usual(uint32) int { return 3 }

// broken is that six of ten wait.
func broken(uint32) int { return 6 }

func TestCohortKnowsWhoUsuallyWaits(t *testing.T) {
	s := newStep()
	s.live(2*168-1, usual)
	if _, known := s.cohort.Usual(); known {
		t.Error("known before two weeks were watched")
	}
	s.live(3*168, usual)
	if n := s.cohort.Customers(); n != 200 {
		t.Errorf("%d customers entered 4 to 24 hours ago, want 200", n)
	}
	if s.cohort.Waiting != 60 {
		t.Errorf("%d of them wait, want 60", s.cohort.Waiting)
	}
	waiting, known := s.cohort.Usual()
	near(t, "usually waiting", waiting, 60, 1)
	if !known {
		t.Error("unknown after five weeks")
	}
}

func TestCohortForgetsHoursThatPassUnwatched(t *testing.T) {
	s := newStep()
	s.live(30, usual)
	s.cohort.Advance(s.now+3*day, s.now+3*day)
	if n := s.cohort.Customers(); n != 0 {
		t.Errorf("%d customers entered within a day that nobody watched", n)
	}
	for _, hours := range []uint32{3, 24} {
		s.cohort.Wait(s.now + 3*day - hours*hour)
	}
	if s.cohort.Waiting != 0 {
		t.Error("who entered 3 or 24 hours ago belongs to the cohort")
	}
	s.cohort.Wait(s.now + 3*day - 5*hour)
	if s.cohort.Waiting != 1 {
		t.Error("who entered five hours ago does not belong to the cohort")
	}
}

// Who is seen to have entered an hour only after that is judged comes too late.
func TestCohortTakesNobodyWhoComesTooLate(t *testing.T) {
	s := newStep()
	s.live(30, usual)
	s.cohort.Enter(s.now-10*hour, 1)
	s.cohort.Enter(s.now-3*hour, 1)
	s.live(2, usual)
	if n := s.cohort.Customers(); n != 201 {
		t.Errorf("%d customers in the cohort, want 201", n)
	}
}
