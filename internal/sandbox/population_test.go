package sandbox_test

import (
	"fmt"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// lively returns a moving program and its clock.
func lively(customers int, scenario sandbox.Scenario) (*sandbox.Sandbox, *clock) {
	c := newClock()
	return sandbox.New(sandbox.Options{Seed: 11, Customers: customers, Speed: 1, Now: c.Now, Quota: -1, Scenario: scenario}), c
}

// The population at any moment does not depend on how often it was looked at
// before, and another seed gives another one.
func TestPopulationRepeats(t *testing.T) {
	watched, c := lively(250, sandbox.Healthy)
	for range 600 {
		c.add(time.Second)
		list(t, watched, "")
	}
	unwatched, c := lively(250, sandbox.Healthy)
	c.add(10 * time.Minute)
	if a, b := fmt.Sprint(watched.Customers()), fmt.Sprint(unwatched.Customers()); a != b {
		t.Error("the population depends on who looks at it")
	}
	other := sandbox.New(sandbox.Options{Seed: 12, Customers: 250, Now: newClock().Now})
	still := sandbox.New(sandbox.Options{Seed: 11, Customers: 250, Now: newClock().Now})
	if fmt.Sprint(other.Customers()) == fmt.Sprint(still.Customers()) {
		t.Error("two seeds give the same population")
	}
}

func TestPopulationHeldStill(t *testing.T) {
	c := newClock()
	s := sandbox.New(sandbox.Options{Customers: 100, Now: c.Now})
	before := fmt.Sprint(s.Customers())
	c.add(1000 * time.Hour)
	if fmt.Sprint(s.Customers()) != before {
		t.Error("a population with Speed 0 moved")
	}
}

// A demo is alive: within half a minute somebody signs up, and moves, and
// pays; nobody moves backwards or skips a step; in a day the program does not
// grow without end.
func TestPopulationLives(t *testing.T) {
	s, c := lively(250, sandbox.Healthy)
	start, step := s.Truth(), map[string]onboarding.Status{}
	for _, customer := range s.Customers() {
		step[customer.ID] = customer.Status
	}
	moves := 0
	for range 300 {
		c.add(time.Second)
		for _, customer := range s.Customers() {
			from, to := step[customer.ID], customer.Status
			if to != from && to != from+1 {
				t.Fatalf("a customer went from %s to %s within a second", from, to)
			}
			if to != from {
				moves++
			}
			step[customer.ID] = to
		}
	}
	if moves < 60 {
		t.Errorf("%d moves in five minutes, want one every five seconds or more", moves)
	}
	if now := s.Truth(); now.Money["USD"].Ledger.Cmp(start.Money["USD"].Ledger) == 0 {
		t.Error("nobody paid in five minutes")
	}
	c.add(24 * time.Hour)
	if now := s.Truth(); now.Total < 350 || now.Total > 650 {
		t.Errorf("a day later there are %d customers, want about 500", now.Total)
	}
}

// However slow or quick the pace, the list is in order of signing up and
// nobody comes from the future.
func TestPace(t *testing.T) {
	for _, speed := range []float64{1e-12, 1e-6, 0.01, 1, 100} {
		c := newClock()
		s := sandbox.New(sandbox.Options{Customers: 200, Speed: speed, Now: c.Now})
		c.add(time.Minute)
		last := c.Now()
		for _, customer := range s.Customers() {
			if customer.CreatedAt.After(last) {
				t.Fatalf("speed %g: created at %s, listed after one of %s", speed, customer.CreatedAt, last)
			}
			last = customer.CreatedAt
		}
	}
}

func TestPopulationSizes(t *testing.T) {
	for _, n := range []int{0, 1, 5, 8, 87, 1000} {
		s := sandbox.New(sandbox.Options{Customers: n})
		if got := s.Truth().Total; got != n {
			t.Errorf("%d customers, want %d", got, n)
		}
	}
}

func TestIdentifiersAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range sandbox.New(sandbox.Options{Customers: 20_000}).Customers() {
		if len(c.ID) != 24 || seen[c.ID] || seen[c.CardID] {
			t.Fatalf("identifier %s or %s is repeated or malformed", c.ID, c.CardID)
		}
		seen[c.ID], seen[c.CardID] = true, true
	}
}
