package collector

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
)

const (
	// maxCurrencies get a series of their own: the three documented ones, 16
	// others, and unknownCurrency, which stands for the rest.
	maxCurrencies   = 3 + 16 + 1
	unknownCurrency = "unknown"

	// believedFall is the share of the customers, one in so many, that may be
	// removed during a walk beside fewRemovals.
	believedFall = 10
	fewRemovals  = 10

	// mostFruitless is how many pages in a row may bring nobody new.
	mostFruitless = 3
)

// documentedCurrencies always have their series.
func documentedCurrencies() []string { return []string{"EUR", "GBP", "USD"} }

// fold takes a walk in, row by row, and keeps sums alone.
type fold struct {
	walk       *onboarding.Walk
	customers  Customers
	balances   Balances
	currencies map[string]*CurrencyBalances
	admitted   map[string]bool // currencies that have a series of their own

	withBalances       bool // every page carried them
	distinct           int
	minTotal, maxTotal int
	shrank             bool // the total fell from one page to the next
	fruitless          int  // pages in a row that brought nobody new
}

// newFold returns a fold in which the currencies of the last balances, if there
// are any, keep their series: rows come in any order, and where there are too
// many currencies the same ones must win each time.
func newFold(walk *onboarding.Walk, withBalances bool, last *Balances) *fold {
	f := &fold{
		walk: walk, withBalances: withBalances, minTotal: math.MaxInt,
		currencies: map[string]*CurrencyBalances{}, admitted: map[string]bool{unknownCurrency: true},
	}
	for _, c := range documentedCurrencies() {
		f.admitted[c] = true
		f.addCurrency(c)
	}
	if last != nil {
		for i := range last.Currencies {
			f.admitted[last.Currencies[i].Currency] = true
		}
	}
	return f
}

// page folds one page and reports whether to read on. It ends a walk after
// mostFruitless pages, since an API that repeats itself would otherwise be read
// for its whole total. One page may repeat what sign-ups have moved on to it, if
// pages are small.
func (f *fold) page(page *apiclient.Page) (readOn bool) {
	f.shrank = f.shrank || page.Total < f.customers.Total
	f.customers.Total = page.Total
	f.maxTotal = max(f.maxTotal, page.Total)
	if len(page.Rows) > 0 || f.distinct == 0 {
		f.minTotal = min(f.minTotal, page.Total)
	}
	f.withBalances = f.withBalances && page.Balances
	before := f.distinct
	for i := range page.Rows {
		f.row(&page.Rows[i])
	}
	f.fruitless++
	if f.distinct > before {
		f.fruitless = 0
	}
	return f.fruitless < mostFruitless
}

// gap is how many customers the rows lack against the API's total: 0 if they
// lie between the smallest and the largest that the walk saw, negative if there
// are more. A total that falls by more than people leave during a walk does not
// excuse those who were not read, nor does one on a page that brings nobody: an
// API in trouble answers with no customers of 0.
func (f *fold) gap() int {
	least := max(f.minTotal, f.maxTotal-f.maxTotal/believedFall-fewRemovals)
	switch {
	case f.distinct < least:
		return least - f.distinct
	case f.distinct > f.maxTotal:
		return f.maxTotal - f.distinct
	default:
		return 0
	}
}

// row counts a row, unless its customer has been counted in this walk.
func (f *fold) row(r *apiclient.Row) {
	if r.ID != "" && !f.walk.Observe(onboarding.Observation{
		ID: r.ID, ExternalID: r.ExternalID, Status: r.Status, CreatedAt: r.CreatedAt,
	}) {
		f.customers.Duplicates++
		return
	}
	f.distinct++
	f.customers.ByStatus[r.Status]++
	if r.SafeDeployed == apiclient.Undeployed {
		f.customers.Undeployed[r.Status]++
	}
	f.customers.Cards += int64(r.Cards)
	for field := range apiclient.NumFields {
		if r.Broken.Has(field) {
			f.customers.Broken[field]++
		}
	}
	if f.withBalances {
		f.balance(r)
	}
}

func (f *fold) balance(r *apiclient.Row) {
	if !r.Ledger.Known && r.SafeDeployed == apiclient.Deployed {
		f.balances.Missing++
	}
	if !r.Ledger.Known && !r.Available.Known && !r.Pending.Known {
		return
	}
	c := f.currency(r)
	if r.Ledger.Known {
		add(&c.Ledger, &r.Ledger)
		c.Customers[r.Freshness]++
	}
	add(&c.Available, &r.Available)
	add(&c.Pending, &r.Pending)
	if r.Freshness == apiclient.Realtime {
		add(&c.Realtime, &r.Ledger)
		if mismatch(r) {
			c.Mismatch++
		}
	}
}

// currency returns where the row's amounts belong.
func (f *fold) currency(r *apiclient.Row) *CurrencyBalances {
	name := r.Currency
	if name == "" {
		name = unknownCurrency
	}
	if c, ok := f.currencies[name]; ok {
		return c
	}
	if !f.admitted[name] && len(f.admitted) == maxCurrencies {
		f.customers.Broken[apiclient.FieldCurrency]++
		r.Currency = ""
		return f.currency(r)
	}
	f.admitted[name] = true
	return f.addCurrency(name)
}

func (f *fold) addCurrency(name string) *CurrencyBalances {
	c := &CurrencyBalances{Currency: name, Customers: map[apiclient.Freshness]int{}}
	f.currencies[name] = c
	return c
}

// result ends the fold: what it says of the customers and, if every page
// carried them, of their balances.
func (f *fold) result(end time.Time, took time.Duration) (*Customers, *Balances) {
	f.customers.At, f.customers.Took = end, took
	f.customers.Missing = f.gap()
	f.customers.Waiting = f.walk.Commit(end, f.customers.Missing == 0)
	if !f.withBalances {
		return &f.customers, nil
	}
	f.balances.At, f.balances.Took = end, took
	f.balances.Broken = f.customers.Broken
	for _, c := range f.currencies {
		f.balances.Currencies = append(f.balances.Currencies, *c)
	}
	slices.SortFunc(f.balances.Currencies, func(a, b CurrencyBalances) int {
		return strings.Compare(a.Currency, b.Currency)
	})
	return &f.customers, &f.balances
}

// add sums exactly: a precision of 0 rounds nothing, and the bounds that the
// client sets on amounts keep it from failing.
func add(sum *apd.Decimal, amount *apiclient.Amount) {
	if amount.Known {
		_, _ = apd.BaseContext.Add(sum, sum, &amount.Value)
	}
}

// mismatch reports whether all three balances are known and do not add up.
func mismatch(r *apiclient.Row) bool {
	if !r.Ledger.Known || !r.Available.Known || !r.Pending.Known {
		return false
	}
	var sum apd.Decimal
	add(&sum, &r.Available)
	add(&sum, &r.Pending)
	return sum.Cmp(&r.Ledger.Value) != 0
}
