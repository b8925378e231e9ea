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

	// An API in trouble may list nobody, and all customers would be gone, and
	// every alert on them over. So a program that had customers has to be empty
	// for emptyListDoubt until that is believed; one of up to fewCustomers, which
	// people may well remove, for shortEmptyListDoubt.
	emptyListDoubt      = time.Hour
	shortEmptyListDoubt = 5 * time.Minute
	fewCustomers        = 10
)

// walk reads the list until it adds up, or nearly so, and keeps the result. The
// first walk may fetch several pages at once; a repeated one does not, so that
// sign-ups hide nobody from it.
func (r *Refresher) walk(ctx context.Context, withBalances bool) error {
	start := time.Now()
	discrepancy := ""
	for walks := 1; ; walks++ {
		walk := r.options.Tracker.Begin(time.Now())
		f := newFold(walk, withBalances, r.balances)
		oneAtATime := walks > 1
		err := r.read(ctx, f, apiclient.WalkOptions{Balances: withBalances, OneAtATime: oneAtATime})
		if err == nil && f.worthRepeating() && r.mayWalkAgain(walks, f.gap(), time.Since(start)) {
			walk.Discard()
			discrepancy = f.likelyCause(oneAtATime)
			continue
		}
		if err == nil && !f.tolerable() {
			err = failure(opList, apiclient.ReasonIncomplete, "%d walks found %d distinct customers, but the API counts %d; it looks like %s",
				walks, f.customers, f.total, f.likelyCause(oneAtATime))
		}
		if err == nil {
			err = r.doubtEmptyList(f.total, start)
		}
		if err != nil {
			walk.Discard()
			return err
		}
		if f.isListedPastTotal() {
			discrepancy = f.likelyCause(oneAtATime)
		}
		f.counts.Discrepancy = discrepancy
		end := time.Now()
		maps.DeleteFunc(f.balances.Currencies, func(_ string, c *CurrencyBalances) bool { return c == nil })
		if f.withBalances && (f.balances.Missing != r.balances.Missing ||
			!maps.EqualFunc(f.balances.Currencies, r.balances.Currencies, (*CurrencyBalances).equal)) {
			walk.BalancesDiffer()
		}
		f.counts.Onboarding = walk.Commit(end, f.gap() == 0)
		r.keep(f, end, end.Sub(start))
		return nil
	}
}

// read folds the pages of one walk until the last, or until the fold has had
// enough of them.
func (r *Refresher) read(ctx context.Context, f *fold, o apiclient.WalkOptions) error {
	for page, err := range r.options.Client.Walk(ctx, o) {
		if err != nil {
			return err
		}
		r.noteProgress()
		r.pages++
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

// doubtEmptyList objects for a while to a list that has become empty. After a
// start, what the tracker remembers tells that there were customers.
func (r *Refresher) doubtEmptyList(total int, now time.Time) error {
	known := r.customers.Total
	if r.customers.At.IsZero() {
		known = r.options.Tracker.Tracked()
	}
	if total > 0 || known == 0 {
		r.emptySince = time.Time{}
		return nil
	}
	if r.emptySince.IsZero() {
		r.emptySince = now
	}
	doubt := emptyListDoubt
	if known <= fewCustomers {
		doubt = shortEmptyListDoubt
	}
	if now.Sub(r.emptySince) >= doubt {
		return nil
	}
	return failure(opList, apiclient.ReasonIncomplete, "the API lists nobody, but there were %d customers; if the program is not empty, ask Yativo; if it is empty, this ends within %s",
		known, doubt)
}

const opList = "list card customers"

func failure(op string, reason apiclient.Reason, format string, args ...any) error {
	return &apiclient.Error{Op: op, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
