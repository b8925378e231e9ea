package collector

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
)

// Lister walks the list of customers; an [apiclient.Client] is one.
type Lister interface {
	Walk(ctx context.Context, o apiclient.WalkOptions) iter.Seq2[*apiclient.Page, error]
}

// Options configure a Refresher. Every field but FirstPage is required.
type Options struct {
	Client          Lister
	Tracker         *onboarding.Tracker
	RefreshInterval time.Duration
	BalanceInterval time.Duration // 0 never asks for balances
	MaxStaleness    time.Duration
	Logger          *slog.Logger

	// FirstPage is called once, with the first page that arrives: it tells how
	// large the program is long before a slow first walk ends.
	FirstPage func(*apiclient.Page)
}

// Refresher walks the list again and again and holds what it learned.
type Refresher struct {
	options                                             Options
	exporterFamilies, customerFamilies, balanceFamilies []family
	exposition                                          atomic.Pointer[exposition]
	lastProgress                                        atomic.Pointer[time.Time] // nil until Run begins

	// Only the goroutine in Run touches what follows.
	customers     *Customers
	balances      *Balances
	unknownValues [apiclient.NumFields]int // rows with this field broken when it was last read

	refreshes int
	failures  map[apiclient.Reason]int
	pages     int // that came in the present refresh
	recent    []PastRefresh

	schedule   balanceSchedule
	emptySince time.Time // when the list was first found empty that was not before

	refreshLog failureLog
	balanceLog failureLog
	logged     []string // what is told once
}

// NewRefresher makes a refresher that has no snapshot yet.
func NewRefresher(o Options) *Refresher {
	r := &Refresher{
		options:          o,
		exporterFamilies: exporterFamilies(), customerFamilies: customerFamilies(), balanceFamilies: balanceFamilies(),
		customers: &Customers{Onboarding: &onboarding.Report{}}, balances: &Balances{},
		failures:   map[apiclient.Reason]int{},
		schedule:   balanceSchedule{interval: o.BalanceInterval, tolerance: o.RefreshInterval / 2},
		refreshLog: failureLog{logger: o.Logger, what: "refresh", reminder: 10 * time.Minute},
		balanceLog: failureLog{logger: o.Logger, what: "walk with balances", reminder: time.Hour},
	}
	r.publish()
	return r
}

// Run refreshes until ctx ends. Refreshes never overlap: the next begins an
// interval after the last one began, or at once if that took longer.
func (r *Refresher) Run(ctx context.Context) {
	for {
		r.noteProgress()
		start := time.Now()
		r.Refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.options.RefreshInterval - time.Since(start)):
		}
	}
}

// outcome is what came of a refresh.
type outcome struct {
	err         error // the customers could not be read
	balances    balanceOutcome
	balancesErr error // the balances could not be read, or the API left them out
}

// Refresh walks the list once more and publishes what came of it. If ctx ends
// meanwhile, nothing changes. It must not be called concurrently.
func (r *Refresher) Refresh(ctx context.Context) {
	start := time.Now()
	r.pages = 0
	o := r.refresh(ctx, start)
	if ctx.Err() != nil {
		return
	}
	r.refreshes++
	tell := r.refreshLog.note(start, o.err)
	past := PastRefresh{
		Start: start, Duration: time.Since(start), Pages: r.pages, Up: o.err == nil,
		InARow: r.refreshLog.inARow, Since: r.refreshLog.since,
	}
	r.schedule.refreshed(start, past.Up, o.balances)
	if err := cmp.Or(o.err, o.balancesErr); err != nil {
		past.Reason, past.Error = apiclient.ReasonOf(err), err.Error()
		r.failures[past.Reason]++
	}
	r.recent = append(slices.Clone(r.recent[max(0, len(r.recent)+1-maxRecentRefreshes):]), past)
	r.publish()
	tell()
	r.logOddities()
	if past.Up && o.balances != balancesUntried {
		r.balanceLog.note(start, o.balancesErr)()
	}
}

// last is the latest refresh, if there has been one.
func (r *Refresher) last() (past PastRefresh) {
	if len(r.recent) > 0 {
		past = r.recent[len(r.recent)-1]
	}
	return past
}

// logOddities tells once of each: they may last.
func (r *Refresher) logOddities() {
	c, last := r.customers, r.last()
	isNew := func(what string) bool {
		if slices.Contains(r.logged, what) {
			return false
		}
		r.logged = append(r.logged, what)
		return true
	}
	if last.Up && isNew("") {
		r.options.Logger.Info("first refresh ok", "customers", c.Total-c.Missing, "pages", last.Pages, "took", last.Duration)
	}
	if c.Discrepancy != "" && isNew(c.Discrepancy) {
		r.options.Logger.Info("the customers listed and the API's total do not agree; the list of the last walk is shown",
			"looks_like", c.Discrepancy, "total", c.Total, "missing", c.Missing)
	}
	var names []string
	for i, name := range c.Onboarding.Undocumented {
		if c.ByStatus[onboarding.NumStatuses+i] > 0 && isNew(name) {
			names = append(names, name)
		}
	}
	if names != nil {
		r.options.Logger.Warn("customers are in an undocumented status; each counts as in the documented status of its step", "flow_status", names)
	}
}

// refresh renews the customers and, when they are due, the balances. A walk
// with balances that fails or is too slow is followed by one without.
func (r *Refresher) refresh(ctx context.Context, start time.Time) (o outcome) {
	turn := r.schedule.turn(start)
	if turn == balancesWithCustomers {
		o.balances, o.balancesErr = r.walkBalances(ctx)
		if o.balances == balancesRead || ctx.Err() != nil {
			return o
		}
		if !r.worthWithoutBalances(o.balancesErr) {
			o.err = o.balancesErr
			return o
		}
	}
	o.err = r.walk(ctx, false)
	switch {
	case turn == balancesWithCustomers && apiclient.ReasonOf(o.err) == apiclient.ReasonBreakerOpen:
		o.err = o.balancesErr // what opened the breaker says more than that it is open
	case turn == balancesAfterCustomers && o.err == nil:
		r.publish()
		o.balances, o.balancesErr = r.walkBalances(ctx)
	}
	return o
}

// walkBalances walks with balances, for as long as the customers can wait: they
// were read up to an interval ago, and may have to be read without balances
// before they are stale.
func (r *Refresher) walkBalances(ctx context.Context) (balanceOutcome, error) {
	const op = opList + " with balances"
	limit := min(max(r.options.BalanceInterval, 3*r.customers.Took), r.customersLimit()-r.options.RefreshInterval-r.customers.Took)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	err := r.walk(limited, true)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && r.worthWithoutBalances(err):
		return balancesFailed, failure(op, apiclient.ReasonTimeout,
			"not done within %s; either balances are slow and need longer intervals (EXPORTER_BALANCE_INTERVAL, EXPORTER_MAX_STALENESS), "+
				"or YATIVO_RATE_LIMIT and YATIVO_RATE_RESERVE allow too few requests for so many customers", limit.Round(time.Millisecond))
	case err != nil:
		if apiErr, ok := errors.AsType[*apiclient.Error](err); ok {
			err = apiErr // says more than that its repeats were given up
		}
		return balancesFailed, err
	case r.balances.At.Before(start) && r.customers.Total > 0:
		return balancesRead, failure(op, apiclient.ReasonBadResponse,
			"the API left the balances out; ask Yativo whether the key may see them, or set EXPORTER_BALANCE_INTERVAL to 0")
	default:
		return balancesRead, nil
	}
}

// worthWithoutBalances reports whether a walk without balances may succeed
// where one with them failed with err. Behind a wait that outlasts an interval
// nobody would learn why there is no news.
func (r *Refresher) worthWithoutBalances(err error) bool {
	if apiErr, ok := errors.AsType[*apiclient.Error](err); ok && apiErr.Wait > r.options.RefreshInterval {
		return false
	}
	switch apiclient.ReasonOf(err) {
	case apiclient.ReasonAuth, apiclient.ReasonForbidden, apiclient.ReasonRateLimited, apiclient.ReasonBreakerOpen:
		return false
	default:
		return true
	}
}

// customersLimit is the age past which the customers' series vanish. It allows
// for a walk that takes long, since an interval says little about a program
// that cannot be read within it.
func (r *Refresher) customersLimit() time.Duration {
	return max(r.options.MaxStaleness, 3*r.options.RefreshInterval, 3*r.customers.Took)
}

func (r *Refresher) balancesLimit() time.Duration {
	return max(r.options.MaxStaleness, 3*r.options.BalanceInterval, 3*r.balances.Took)
}
