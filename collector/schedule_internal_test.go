package collector

import (
	"testing"
	"time"
)

// When balances are due, and whether before or after the customers, follows
// from what came of the refreshes before. Each step is one refresh: what the
// schedule has it do, and what came of that.
func TestBalanceSchedule(t *testing.T) {
	type step struct {
		at            time.Duration
		want          balanceTurn
		customersRead bool
		balances      balanceOutcome
	}
	for name, steps := range map[string][]step{
		"all is well": {
			{0, balancesWithCustomers, true, balancesRead},
			{time.Minute, balancesNotDue, true, balancesUntried},
			{4 * time.Minute, balancesNotDue, true, balancesUntried},
			{5 * time.Minute, balancesWithCustomers, true, balancesRead},
			{9*time.Minute + 29*time.Second, balancesNotDue, true, balancesUntried},
			{9*time.Minute + 30*time.Second, balancesWithCustomers, true, balancesRead}, // a timer may be early
		},
		"the balances fail": {
			{0, balancesWithCustomers, true, balancesFailed},
			{time.Minute, balancesNotDue, true, balancesUntried},
			{5 * time.Minute, balancesAfterCustomers, true, balancesFailed},
			{6 * time.Minute, balancesNotDue, true, balancesUntried},
			{10 * time.Minute, balancesAfterCustomers, true, balancesRead},
			{15 * time.Minute, balancesWithCustomers, true, balancesRead},
		},
		"everything fails at once": {
			{0, balancesWithCustomers, true, balancesRead},
			{5 * time.Minute, balancesWithCustomers, false, balancesFailed},
			{6 * time.Minute, balancesAfterCustomers, false, balancesUntried},
			{7 * time.Minute, balancesAfterCustomers, true, balancesRead},
			{8 * time.Minute, balancesNotDue, true, balancesUntried},
			{12 * time.Minute, balancesWithCustomers, true, balancesRead},
		},
		"the customers fail between": {
			{0, balancesWithCustomers, true, balancesRead},
			{4 * time.Minute, balancesNotDue, false, balancesUntried},
			{5 * time.Minute, balancesAfterCustomers, true, balancesRead},
			{10 * time.Minute, balancesWithCustomers, true, balancesRead},
		},
		"a start in an outage": {
			{0, balancesWithCustomers, false, balancesFailed},
			{time.Minute, balancesAfterCustomers, false, balancesUntried},
			{2 * time.Minute, balancesAfterCustomers, true, balancesFailed},
			{3 * time.Minute, balancesNotDue, true, balancesUntried},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := balanceSchedule{interval: 5 * time.Minute, tolerance: 30 * time.Second}
			start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
			for _, step := range steps {
				if got := s.turn(start.Add(step.at)); got != step.want {
					t.Fatalf("after %s its turn is %d, want %d", step.at, got, step.want)
				}
				s.refreshed(start.Add(step.at), step.customersRead, step.balances)
			}
		})
	}
	never := balanceSchedule{tolerance: 30 * time.Second}
	if got := never.turn(time.Now()); got != balancesNotDue {
		t.Errorf("without an interval its turn is %d", got)
	}
}
