package collector

import "time"

// balanceTurn says whether a refresh reads the balances, and with which walk.
type balanceTurn int

const (
	balancesNotDue         balanceTurn = iota
	balancesWithCustomers              // one walk reads both
	balancesAfterCustomers             // a second walk, once the customers are read without
)

// balanceOutcome is what came of the balances in a refresh.
type balanceOutcome int

const (
	balancesUntried balanceOutcome = iota
	balancesRead
	balancesFailed
)

// balanceSchedule decides when balances are read. They may cost the API much
// and fail where the plain list does not, so after any failure the customers
// are read first.
type balanceSchedule struct {
	interval  time.Duration // from one attempt to the next; 0 never asks for balances
	tolerance time.Duration // an attempt may be earlier by this, since timers are not exact

	lastAttempt    time.Time // the start of the refresh that made it
	balancesFailed bool      // in the last refresh that tried
	refreshFailed  bool      // the last one, balances or not
}

// turn is what a refresh that starts at now does about the balances.
func (s *balanceSchedule) turn(now time.Time) balanceTurn {
	switch {
	case s.interval == 0,
		!s.lastAttempt.IsZero() && now.Sub(s.lastAttempt) < s.interval-s.tolerance:
		return balancesNotDue
	case s.balancesFailed || s.refreshFailed:
		return balancesAfterCustomers
	default:
		return balancesWithCustomers
	}
}

// refreshed notes what came of the refresh that started at start. Where the
// customers failed too, the fault need not be the balances' own, so they stay
// due.
func (s *balanceSchedule) refreshed(start time.Time, customersRead bool, balances balanceOutcome) {
	s.refreshFailed = !customersRead
	if balances == balancesUntried {
		return
	}
	s.balancesFailed = balances == balancesFailed
	if customersRead {
		s.lastAttempt = start
	}
}
