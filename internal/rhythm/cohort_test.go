package rhythm_test

import (
	"testing"

	"yativo-card-exporter/internal/rhythm"
)

// watch lets a cohort live for some hours: each brings ten customers, of whom
// some still wait after four.
func watch(c *rhythm.Cohort, now uint32, hours, waitingOfTen int) uint32 {
	for range hours {
		c.Advance(now)
		c.Enter(now, 10)
		c.SetWaiting(c.Customers()/10*waitingOfTen, minute)
		now += hour
	}
	return now
}

func TestCohortKnowsWhoUsuallyWaits(t *testing.T) {
	c := &rhythm.Cohort{}
	now := watch(c, monday, 2*168-1, 3)
	if _, known := c.Usual(); known {
		t.Error("known before two weeks were watched")
	}
	now = watch(c, now, 3*168, 3)
	if n := c.Customers(); n != 200 {
		t.Errorf("%d customers entered 4 to 24 hours ago, want 200", n)
	}
	usual, known := c.Usual()
	near(t, "usually waiting", usual, 60, 3)
	if !known || c.Lossy() {
		t.Errorf("known %v, lossy %v", known, c.Lossy())
	}
	watch(c, now, 1, 6)
	if !c.Lossy() {
		t.Error("twice as many wait, and that is called usual")
	}
}

// A loss of two weeks does not become the usual thing.
func TestALossIsHardlyLearned(t *testing.T) {
	c := &rhythm.Cohort{}
	now := watch(c, monday, 4*168, 3)
	now = watch(c, now, 2*168, 7)
	if !c.Lossy() {
		t.Error("after two weeks the loss is called usual")
	}
	watch(c, now, 1, 3)
	if c.Lossy() {
		t.Error("the cure is called a loss")
	}
}

// What only seems a loss is learned less too, before it is sure enough to be told.
func TestWhatSeemsALossIsHardlyLearned(t *testing.T) {
	c := &rhythm.Cohort{}
	now := watch(c, monday, 5*168, 3)
	usual, _ := c.Usual()
	for range 30 {
		c.Advance(now)
		c.Enter(now, 10)
		c.SetWaiting(84, minute) // of 200, where 60 usually do
		now += hour
		if c.Lossy() {
			t.Fatal("2.8 standard deviations are called a loss")
		}
	}
	after, _ := c.Usual()
	near(t, "usually waiting after 30 hours of it", after, usual, 3)
}

func TestCohortForgetsHoursThatPassUnwatched(t *testing.T) {
	c := &rhythm.Cohort{}
	now := watch(c, monday, 30, 3)
	c.Advance(now + 3*day)
	if n := c.Customers(); n != 0 {
		t.Errorf("%d customers entered within a day that nobody watched", n)
	}
	for _, at := range []uint32{now + 3*day - 3*hour, now + 2*day - hour} {
		if c.Includes(at) {
			t.Errorf("an entry at %d belongs to the cohort of %d", at, now+3*day)
		}
	}
	if !c.Includes(now + 3*day - 5*hour) {
		t.Error("an entry five hours ago does not belong to the cohort")
	}
}
