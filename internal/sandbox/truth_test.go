package sandbox_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// money renders sums for comparison.
func money(m sandbox.Money) string {
	return fmt.Sprintf("%s %s %s %s", m.Ledger.Text('f'), m.Available.Text('f'), m.Pending.Text('f'), m.RealtimeLedger.Text('f'))
}

func TestTruthOfPlacedCustomers(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	card := func(currency, ledger, available, pending, freshness string) sandbox.Customer {
		return sandbox.Customer{
			Status: onboarding.Active, SafeDeployed: true, Cards: 2,
			Currency: currency, Ledger: ledger, Available: available, Pending: pending, Freshness: freshness,
		}
	}
	s.SetCustomers([]sandbox.Customer{
		card("USD", "1000000000000000.000000000000000001", "1e15", "1E-18", "realtime"),
		card("USD", "0.1", "0.1", "", "on_chain"),
		card("USD", "-5", "1", "1", "realtime"), // does not add up
		card("USD", "", "", "", ""),             // missing
		card("XAU", "7.50", "7.50", "", "stale"),
		card("", "3", "3", "", "on_chain"),
		{Status: onboarding.SafeDeploying},
		{Status: onboarding.CardCreated}, // without a wallet
		{},
	})
	got := s.Truth()
	want := sandbox.Counts{
		Total: 9, Cards: 12, Missing: 1,
		BalanceCustomers: map[sandbox.BalanceGroup]int{
			{Currency: "USD", Freshness: "realtime"}: 2, {Currency: "USD", Freshness: "on_chain"}: 1,
			{Currency: "XAU", Freshness: "unknown"}: 1, {Currency: "", Freshness: "on_chain"}: 1,
		},
		Mismatch: map[string]int{"USD": 1},
	}
	want.ByStatus[onboarding.Active], want.ByStatus[onboarding.SafeDeploying] = 6, 1
	want.ByStatus[onboarding.CardCreated], want.ByStatus[onboarding.StatusUnknown] = 1, 1
	want.Undeployed[onboarding.SafeDeploying], want.Undeployed[onboarding.CardCreated], want.Undeployed[onboarding.StatusUnknown] = 1, 1, 1
	if !reflect.DeepEqual(got.Counts, want) {
		t.Errorf("got  %+v\nwant %+v", got.Counts, want)
	}
	for currency, sums := range map[string]string{
		"USD": "999999999999995.100000000000000001 1000000000000001.1 1.000000000000000001 999999999999995.000000000000000001",
		"XAU": "7.50 7.50 0 0",
		"":    "3 3 0 0",
	} {
		if m, ok := got.Money[currency]; !ok || money(m) != sums {
			t.Errorf("%q: ledger, available, pending, realtime ledger are %s, want %s", currency, money(m), sums)
		}
	}
	if len(got.Money) != 3 {
		t.Errorf("money in %d currencies, want 3", len(got.Money))
	}
}

// The counts that are kept up to date, and the sums in cents, agree with a
// plain count over everybody, at any time.
func TestTruthOfALivingPopulation(t *testing.T) {
	s, c := lively(300, sandbox.Healthy)
	for range 50 {
		c.add(17 * time.Second)
		kept := s.Truth()
		all := s.Customers()
		placed := sandbox.New(sandbox.Options{})
		placed.SetCustomers(all)
		counted := placed.Truth()
		prune(&kept.Counts)
		if !reflect.DeepEqual(kept.Counts, counted.Counts) {
			t.Fatalf("kept    %+v\ncounted %+v", kept.Counts, counted.Counts)
		}
		if len(kept.Mismatch) > 0 || kept.Missing > 0 {
			t.Errorf("a healthy population has mismatches or missing balances: %+v", kept.Counts)
		}
		for currency, m := range counted.Money {
			k := kept.Money[currency]
			if k.Ledger.Cmp(m.Ledger) != 0 || k.Available.Cmp(m.Available) != 0 || k.Pending.Cmp(m.Pending) != 0 || k.RealtimeLedger.Cmp(m.RealtimeLedger) != 0 {
				t.Errorf("%s: kept %s, counted %s", currency, money(k), money(m))
			}
		}
	}
}

// prune takes out the groups that have become empty.
func prune(c *sandbox.Counts) {
	for k, n := range c.BalanceCustomers {
		if n == 0 {
			delete(c.BalanceCustomers, k)
		}
	}
}

func TestRange(t *testing.T) {
	c := newClock()
	s := sandbox.New(sandbox.Options{Now: c.Now})
	s.SetCustomers([]sandbox.Customer{
		{ID: "a", Status: onboarding.OTPRequested}, {ID: "b", Status: onboarding.KYCInitiated}, {ID: "c", Status: onboarding.Active, Cards: 1},
	})
	become := func(id string, status onboarding.Status) {
		s.Update(id, func(c *sandbox.Customer) { c.Status = status })
	}
	r := s.Range(func() {
		become("b", onboarding.KYCCompleted) // kyc_initiated: nobody
		become("a", onboarding.KYCInitiated) // one
		become("a", onboarding.OTPVerified)
		s.Add(sandbox.Customer{ID: "d", Status: onboarding.KYCInitiated}) // one
		s.Remove("d")
		s.Update("c", func(c *sandbox.Customer) { c.Cards = 5 })
		s.Update("c", func(c *sandbox.Customer) { c.Cards = 2 })
	})
	kyc := func(counts sandbox.Counts) int { return counts.ByStatus[onboarding.KYCInitiated] }
	if got := []int{kyc(r.Always), kyc(r.Min), kyc(r.Max), kyc(r.Ever)}; fmt.Sprint(got) != "[0 0 1 3]" {
		t.Errorf("kyc_initiated: always, min, max, ever are %v, want 0, 0, 1, 3", got)
	}
	if got := []int{r.Always.Total, r.Min.Total, r.Max.Total, r.Ever.Total}; fmt.Sprint(got) != "[3 3 4 4]" {
		t.Errorf("total: always, min, max, ever are %v, want 3, 3, 4, 4", got)
	}
	if got := []int{r.Always.Cards, r.Min.Cards, r.Max.Cards, r.Ever.Cards}; fmt.Sprint(got) != "[1 1 5 5]" {
		t.Errorf("cards: always, min, max, ever are %v, want 1, 1, 5, 5", got)
	}
	quiet := s.Range(func() { c.add(time.Hour) })
	now := s.Truth().Counts
	for name, counts := range map[string]sandbox.Counts{"always": quiet.Always, "min": quiet.Min, "max": quiet.Max, "ever": quiet.Ever} {
		if counts.ByStatus != now.ByStatus || counts.Total != now.Total || counts.Cards != now.Cards {
			t.Errorf("nothing happened, but %s is %+v, want %+v", name, counts, now)
		}
	}
}

// A walk over moving rows, each customer counted once, keeps within what Range
// says of the time of the walk; so does every momentary count.
func TestRangeBoundsAWalk(t *testing.T) {
	s, c := lively(1000, sandbox.Healthy)
	for walk := range 30 {
		var got [onboarding.NumStatuses]int
		seen := map[string]bool{}
		mark := s.Mark()
		for n := 1; n <= 1+s.Truth().Total/100; n++ {
			for _, r := range decode(t, list(t, s, fmt.Sprintf("limit=100&page=%d", n))).Data.Customers {
				status, _ := onboarding.ParseStatus(r.Status)
				if !seen[r.ID] {
					got[status]++
				}
				seen[r.ID] = true
			}
			c.add(time.Second)
		}
		now := s.Truth()
		r := mark.Range()
		hidden := r.Ever.Total - len(seen) // at most so many were shifted past the walk
		for status, n := range got {
			low, floor, ceiling, high := r.Always.ByStatus[status], r.Min.ByStatus[status], r.Max.ByStatus[status], r.Ever.ByStatus[status]
			if n < low-hidden || n > high {
				t.Errorf("walk %d, %s: counted %d, outside %d to %d", walk, onboarding.Status(status), n, low-hidden, high)
			}
			if m := now.ByStatus[status]; low > floor || floor > m || m > ceiling || ceiling > high {
				t.Errorf("walk %d, %s: always %d ≤ min %d ≤ now %d ≤ max %d ≤ ever %d does not hold", walk, onboarding.Status(status), low, floor, m, ceiling, high)
			}
		}
	}
}
