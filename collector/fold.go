package collector

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
)

const (
	// maxCurrencies get a series of their own: the three documented ones, 16
	// others, and unknownCurrency, which stands for the rest.
	maxCurrencies   = 3 + 16 + 1
	unknownCurrency = "unknown"
)

// documentedCurrencies always have their series.
func documentedCurrencies() []string { return []string{"EUR", "GBP", "USD"} }

// fold takes a walk in, row by row, and keeps sums alone.
type fold struct {
	completeness

	walk         *onboarding.Walk
	counts       Customers
	balances     Balances                 // a currency that is nil has a place and no rows yet
	broken       [apiclient.NumFields]int // rows with this field broken
	withBalances bool                     // every page carried them
}

// newFold returns a fold in which the currencies of the last balances keep their
// series: rows come in any order, and where there are too
// many currencies the same ones must win each time.
func newFold(walk *onboarding.Walk, withBalances bool, last *Balances) *fold {
	f := &fold{
		completeness: completeness{minTotal: math.MaxInt}, walk: walk, withBalances: withBalances,
		balances: Balances{Currencies: map[string]*CurrencyBalances{unknownCurrency: nil}},
	}
	for currency := range last.Currencies {
		f.balances.Currencies[currency] = nil
	}
	for _, currency := range documentedCurrencies() {
		f.balances.Currencies[currency] = &CurrencyBalances{}
	}
	return f
}

// page folds one page and reports whether to read on.
func (f *fold) page(page *apiclient.Page) (readOn bool) {
	f.withBalances = f.withBalances && page.Balances
	newCustomers := 0
	for i := range page.Rows {
		if f.row(&page.Rows[i]) {
			newCustomers++
		}
	}
	return f.completeness.page(page, newCustomers)
}

// row counts a row, unless its customer has been counted in this walk.
func (f *fold) row(r *apiclient.Row) (isNew bool) {
	if r.ID != "" && !f.walk.Observe(onboarding.Observation{
		ID: r.ID, ExternalID: r.ExternalID, Status: trackedStatus(r), CreatedAt: r.CreatedAt,
	}) {
		f.counts.Duplicates++
		return false
	}
	label := f.walk.Label(r.Status, r.StatusName)
	f.counts.ByStatus[label]++
	if r.SafeDeployed == apiclient.Undeployed {
		f.counts.Undeployed[label]++
	}
	f.counts.Cards += int64(r.Cards)
	for field := range apiclient.NumFields {
		if r.Broken[field] {
			f.broken[field]++
		}
	}
	if f.withBalances {
		f.balance(r)
	}
	return true
}

// trackedStatus is the status by which a customer's way is followed: its own, or
// the documented one of the same step if its own is not documented.
func trackedStatus(r *apiclient.Row) onboarding.Status {
	if r.Status == onboarding.StatusUnknown {
		return onboarding.StatusOfStep(r.Step)
	}
	return r.Status
}

func (f *fold) balance(r *apiclient.Row) {
	if !r.Ledger.Known && r.SafeDeployed == apiclient.Deployed {
		f.balances.Missing++
	}
	if !r.Ledger.Known && !r.Available.Known && !r.Pending.Known {
		return
	}
	name := f.currencyLabel(r.Currency)
	if name == unknownCurrency && r.Currency != "" {
		f.broken[apiclient.FieldCurrency]++
	}
	c := f.balances.Currencies[name]
	if c == nil {
		c = &CurrencyBalances{}
		f.balances.Currencies[name] = c
	}
	if r.Ledger.Known {
		add(&c.Ledger, &r.Ledger)
		c.Customers[r.Freshness]++
	}
	add(&c.Available, &r.Available)
	add(&c.Pending, &r.Pending)
	if r.Freshness == apiclient.Realtime {
		add(&c.Realtime, &r.Ledger)
		if balancesMismatch(r) {
			c.Mismatch++
		}
	}
}

// currencyLabel is the label of the series that a currency's amounts belong to.
func (f *fold) currencyLabel(currency string) string {
	if _, hasPlace := f.balances.Currencies[currency]; currency == "" || !hasPlace && len(f.balances.Currencies) == maxCurrencies {
		return unknownCurrency
	}
	return currency
}

// add sums exactly: a precision of 0 rounds nothing, and the bounds that the
// client sets on amounts keep it from failing.
func add(sum *apd.Decimal, amount *apiclient.Amount) {
	if amount.Known {
		_, _ = apd.BaseContext.Add(sum, sum, &amount.Value)
	}
}

// balancesMismatch reports whether all three balances are known and do not add up.
func balancesMismatch(r *apiclient.Row) bool {
	if !r.Ledger.Known || !r.Available.Known || !r.Pending.Known {
		return false
	}
	var sum apd.Decimal
	add(&sum, &r.Available)
	add(&sum, &r.Pending)
	return sum.Cmp(&r.Ledger.Value) != 0
}
