package collector

import (
	"context"
	"fmt"
	"maps"
	"time"

	"yativo-card-exporter/apiclient"
)

const (
	// maxWalks bounds how often one refresh walks until the rows add up.
	maxWalks = 3

	// emptyListDoubt is for how long the list must be empty before a program
	// of more than fewCustomers is believed to have none: an API in trouble may
	// answer so too, and all of them would be gone, and every alert on them over.
	emptyListDoubt = time.Hour
	fewCustomers   = 10
)

// walk reads the list until it adds up, or nearly so, and keeps the result.
func (r *Refresher) walk(ctx context.Context, withBalances bool) error {
	start := time.Now()
	for walks := 1; ; walks++ {
		walk := r.options.Tracker.Begin(time.Now())
		f := newFold(walk, withBalances, r.balances)
		err := r.read(ctx, f, withBalances)
		if err == nil && f.worthRepeating() && r.mayWalkAgain(walks, f.gap(), time.Since(start)) {
			walk.Discard()
			r.options.Logger.Debug("the pages do not add up, walking again", "rows", f.customers, "total", f.total)
			continue
		}
		if err == nil && !f.tolerable() {
			err = incomplete("%d walks brought %d distinct customers where the API counts %d; the list may be changing faster than it can be read",
				walks, f.customers, f.total)
		}
		if err == nil {
			err = r.doubtEmptyList(f.total, start)
		}
		if err != nil {
			walk.Discard()
			return err
		}
		end := time.Now()
		if f.withBalances && f.balances.differ(r.balances) {
			walk.BalancesDiffer()
		}
		f.counts.Onboarding = walk.Commit(end, f.gap() == 0)
		r.keep(f, end, end.Sub(start))
		return nil
	}
}

// read folds the pages of one walk until the last, or until the fold has had
// enough of them.
func (r *Refresher) read(ctx context.Context, f *fold, withBalances bool) error {
	for page, err := range r.options.Client.Walk(ctx, apiclient.WalkOptions{Balances: withBalances}) {
		if err != nil {
			return err
		}
		if r.options.FirstPage != nil {
			r.options.FirstPage(page)
			r.options.FirstPage = nil
		}
		if !f.page(page) {
			break
		}
	}
	return nil
}

// keep takes over what a walk brought that ended at end.
func (r *Refresher) keep(f *fold, end time.Time, took time.Duration) {
	r.customers = &f.counts
	r.customers.At, r.customers.Took = end, took
	r.customers.Total, r.customers.Missing = f.total, f.gap()
	if f.withBalances {
		r.balances = &f.balances
		maps.DeleteFunc(r.balances.Currencies, func(_ string, c *CurrencyBalances) bool { return c == nil })
		r.balances.At, r.balances.Took = end, took
	}
	for field := range apiclient.NumFields {
		if f.withBalances || !field.OfBalance() {
			r.unknownValues[field] = f.broken[field]
		}
	}
}

// mayWalkAgain allows a second walk always if rows are missing, and else as many
// as cost no refresh: a large program that churns all the time would be read
// thrice.
func (r *Refresher) mayWalkAgain(walks, gap int, took time.Duration) bool {
	return walks < 2 && gap != 0 || walks < maxWalks && took < r.options.RefreshInterval
}

// doubtEmptyList objects to a list that has become empty, for emptyListDoubt.
func (r *Refresher) doubtEmptyList(total int, now time.Time) error {
	if total > 0 || r.customers.Total <= fewCustomers {
		r.emptySince = time.Time{}
		return nil
	}
	if r.emptySince.IsZero() {
		r.emptySince = now
	}
	if now.Sub(r.emptySince) >= emptyListDoubt {
		return nil
	}
	return incomplete("the API lists nobody where there were %d customers; if the program is not empty, ask Yativo, and if it is, this ends within %s",
		r.customers.Total, emptyListDoubt)
}

func incomplete(format string, args ...any) error {
	return &apiclient.Error{Op: "list card customers", Reason: apiclient.ReasonIncomplete, Detail: fmt.Sprintf(format, args...)}
}
