// Package collector keeps a snapshot of a card program and shows it to
// Prometheus. A [Refresher] walks the list of customers in the background
// (walk.go), folds it row by row (fold.go) and swaps in what it learned; a
// scrape only hands that over (collector.go). Each metric stands in metrics.go.
package collector

import (
	"time"

	"github.com/cockroachdb/apd/v3"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
)

// Customers is what a walk says of the customers, whether it asked for balances
// or not. It is immutable.
type Customers struct {
	At         time.Time                 // when the walk ended
	Took       time.Duration             // the walk, repeats included
	ByStatus   [onboarding.NumLabels]int // by onboarding's Label
	Undeployed [onboarding.NumLabels]int // safes known to be undeployed
	Cards      int64
	Total      int // the API's own count, as its last page said
	Duplicates int // rows seen twice
	Missing    int // customers short of Total; negative if there are more
	Onboarding *onboarding.Report

	// Discrepancy is why rows and Total did not agree in the first walk, by the
	// looks of it, or do not yet; "" if they did.
	Discrepancy string
}

// Balances is what a walk with balances says of them. It is immutable.
type Balances struct {
	At         time.Time
	Took       time.Duration
	Currencies map[string]*CurrencyBalances // by label
	Missing    int                          // safe deployed, but no ledger balance
}

// CurrencyBalances are exact totals in units of one currency.
type CurrencyBalances struct {
	Ledger    apd.Decimal
	Available apd.Decimal
	Pending   apd.Decimal
	Realtime  apd.Decimal                 // the ledger of realtime rows alone
	Customers [apiclient.NumFreshness]int // by freshness
	Mismatch  int                         // realtime rows whose ledger is not available + pending
}

// equal compares by value, and not by how the decimals hold it.
func (c *CurrencyBalances) equal(o *CurrencyBalances) bool {
	return c.Customers == o.Customers && c.Mismatch == o.Mismatch &&
		c.Ledger.Cmp(&o.Ledger) == 0 && c.Available.Cmp(&o.Available) == 0 &&
		c.Pending.Cmp(&o.Pending) == 0 && c.Realtime.Cmp(&o.Realtime) == 0
}
