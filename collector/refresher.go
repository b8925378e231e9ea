package collector

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
)

const (
	// maxWalks bounds how often one refresh walks until the rows add up.
	maxWalks = 3
	// toleratedGap is the share of the total, one in so many, that may be
	// missing from what is published after repeated walks.
	toleratedGap = 1000
	// emptyBelieved is for how long the list must be empty before a program
	// that had customers is believed to have none: an API in trouble may answer
	// so too, and all of them would be gone, and every alert on them over.
	emptyBelieved = time.Hour
)

// Lister walks the list of customers; an [apiclient.Client] is one.
type Lister interface {
	Walk(ctx context.Context, balances bool) iter.Seq2[*apiclient.Page, error]
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
	options  Options
	families families
	view     atomic.Pointer[view]

	// Only the goroutine in Run touches what follows.
	state           state
	balancesTried   time.Time // when a walk with balances was last tried and need not be repeated at once
	balancesSuspect bool      // the last walk with balances failed
	emptySince      time.Time // when the list was first found empty that was not before
	refreshLog      failureLog
	balanceLog      failureLog
}

// state is everything a refresh can change; a copy is rendered after each.
type state struct {
	customers *Customers // nil until the first
	balances  *Balances

	up        bool
	refreshes int
	failures  map[apiclient.Reason]int
	lastEnd   time.Time     // of the last refresh, failed or not
	lastTook  time.Duration // of the last refresh, failed or not
}

// NewRefresher makes a refresher that has no snapshot yet.
func NewRefresher(o Options) *Refresher {
	r := &Refresher{
		options:    o,
		families:   newFamilies(),
		state:      state{failures: map[apiclient.Reason]int{}},
		refreshLog: failureLog{logger: o.Logger, what: "refresh"},
		balanceLog: failureLog{logger: o.Logger, what: "walk with balances"},
	}
	r.publish()
	return r
}

// Ready reports whether there has been a snapshot.
func (r *Refresher) Ready() bool { return r.view.Load().ready }

// Stalled returns the last walk's report, or nil if there is none or it is too
// old to be believed.
func (r *Refresher) Stalled() *onboarding.Report {
	v := r.view.Load()
	if v.customers.stale(time.Now()) {
		return nil
	}
	return v.waiting
}

// Run refreshes until ctx ends. Refreshes never overlap: the next begins an
// interval after the last one began, or at once if that took longer.
func (r *Refresher) Run(ctx context.Context) {
	for {
		begun := time.Now()
		r.Refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.options.RefreshInterval - time.Since(begun)):
		}
	}
}

// Refresh walks the list once more and publishes what came of it. If ctx ends
// meanwhile, nothing changes. It must not be called concurrently.
func (r *Refresher) Refresh(ctx context.Context) {
	begun := time.Now()
	err := r.refresh(ctx, begun)
	if ctx.Err() != nil {
		return
	}
	r.state.up = err == nil
	r.state.refreshes++
	r.state.lastEnd = time.Now()
	r.state.lastTook = r.state.lastEnd.Sub(begun)
	r.note(&r.refreshLog, err)
	r.publish()
}

// note counts and logs a failure, or the end of a row of them.
func (r *Refresher) note(log *failureLog, err error) {
	if err == nil {
		log.recovered()
		return
	}
	r.state.failures[apiclient.ReasonOf(err)]++
	log.failed(err)
}

// refresh renews the customers and, when they are due, the balances. Balances
// may cost the API much and fail where the plain list does not, so a walk with
// them that fails or is too slow is followed by one without, and after such a
// failure, or any other, the next is only tried when the customers are safe.
func (r *Refresher) refresh(ctx context.Context, now time.Time) error {
	due := r.balancesDue(now)
	if due && !r.balancesSuspect && (r.state.up || r.state.customers == nil) {
		err := r.walkBalances(ctx)
		if err == nil || ctx.Err() != nil || !worthWithoutBalances(err) {
			return err
		}
		if errWithout := r.walk(ctx, false); errWithout != nil {
			if apiclient.ReasonOf(errWithout) == apiclient.ReasonBreakerOpen {
				return err // what opened the breaker says more than that it is open
			}
			return errWithout
		}
		r.balancesTried = now
		r.note(&r.balanceLog, err)
		return nil
	}
	if err := r.walk(ctx, false); err != nil || !due {
		return err
	}
	r.publish()
	r.balancesTried = now
	if err := r.walkBalances(ctx); err != nil && ctx.Err() == nil {
		r.note(&r.balanceLog, err)
	}
	return nil
}

// balancesDue allows half a refresh interval, so that a timer that is a moment
// early does not put the balances off by a whole one.
func (r *Refresher) balancesDue(now time.Time) bool {
	if r.options.BalanceInterval == 0 {
		return false
	}
	return r.balancesTried.IsZero() || now.Sub(r.balancesTried) >= r.options.BalanceInterval-r.options.RefreshInterval/2
}

// walkBalances walks with balances, for as long as the customers can wait: they
// were read up to an interval ago, and may have to be read without balances
// before they are stale.
func (r *Refresher) walkBalances(ctx context.Context) error {
	var took time.Duration
	if c := r.state.customers; c != nil {
		took = c.Took
	}
	limit := min(max(r.options.BalanceInterval, 3*took), r.customersLimit()-r.options.RefreshInterval-took)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begun := time.Now()
	err := r.walk(limited, true)
	if errors.Is(err, context.DeadlineExceeded) {
		err = &apiclient.Error{
			Op: "list card customers with balances", Reason: apiclient.ReasonTimeout,
			Detail: fmt.Sprintf("not done within %s; either balances are slow and need longer intervals (EXPORTER_BALANCE_INTERVAL, EXPORTER_MAX_STALENESS), "+
				"or YATIVO_RATE_LIMIT and YATIVO_RATE_RESERVE allow too few requests for so many customers", limit),
		}
	}
	r.balancesSuspect = err != nil
	if err != nil {
		return err
	}
	r.balancesTried = begun
	var leftOut error
	if b := r.state.balances; (b == nil || b.At.Before(begun)) && r.state.customers.Total > 0 {
		leftOut = &apiclient.Error{
			Op: "list card customers with balances", Reason: apiclient.ReasonBadResponse,
			Detail: "the API left the balances out; ask Yativo whether the key may see them, or set EXPORTER_BALANCE_INTERVAL to 0",
		}
	}
	r.note(&r.balanceLog, leftOut)
	return nil
}

// worthWithoutBalances reports whether a walk without balances may succeed
// where one with them failed with err.
func worthWithoutBalances(err error) bool {
	switch apiclient.ReasonOf(err) {
	case apiclient.ReasonAuth, apiclient.ReasonForbidden, apiclient.ReasonRateLimited, apiclient.ReasonBreakerOpen:
		return false
	default:
		return true
	}
}

// walk reads the list until it adds up, or nearly so, and keeps the result.
func (r *Refresher) walk(ctx context.Context, balances bool) error {
	begun := time.Now()
	for walks := 1; ; walks++ {
		f := newFold(r.options.Tracker.Begin(time.Now()), balances, r.state.balances)
		if err := r.read(ctx, f, balances); err != nil {
			f.walk.Discard()
			return err
		}
		gap := f.gap()
		if (gap != 0 || f.shrank) && r.mayWalkAgain(walks, gap, time.Since(begun)) {
			f.walk.Discard()
			r.options.Logger.Debug("the pages do not add up, walking again", "rows", f.distinct, "total", f.customers.Total)
			continue
		}
		if max(gap, -gap)*toleratedGap > f.customers.Total {
			f.walk.Discard()
			return &apiclient.Error{
				Op: "list card customers", Reason: apiclient.ReasonIncomplete,
				Detail: fmt.Sprintf("%d walks brought %d distinct customers where the API counts %d; the list may be changing faster than it can be read",
					walks, f.distinct, f.customers.Total),
			}
		}
		if err := r.believe(f.customers.Total, begun); err != nil {
			f.walk.Discard()
			return err
		}
		end := time.Now()
		customers, withBalances := f.result(end, end.Sub(begun))
		r.state.customers = customers
		if withBalances != nil {
			r.state.balances = withBalances
		}
		return nil
	}
}

// read folds the pages of one walk until the last, or until the fold has had
// enough of them.
func (r *Refresher) read(ctx context.Context, f *fold, balances bool) error {
	for page, err := range r.options.Client.Walk(ctx, balances) {
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

// believe objects to a list that has become empty, for emptyBelieved.
func (r *Refresher) believe(total int, now time.Time) error {
	last := r.state.customers
	if total > 0 || last == nil || last.Total <= fewRemovals {
		r.emptySince = time.Time{}
		return nil
	}
	if r.emptySince.IsZero() {
		r.emptySince = now
	}
	if now.Sub(r.emptySince) >= emptyBelieved {
		return nil
	}
	return &apiclient.Error{
		Op: "list card customers", Reason: apiclient.ReasonIncomplete,
		Detail: fmt.Sprintf("the API lists nobody where there were %d customers; if the program is not empty, ask Yativo, and if it is, this ends within %s",
			last.Total, emptyBelieved),
	}
}

// mayWalkAgain allows a second walk always if rows are missing, and else as many
// as cost no refresh: a large program that churns all the time would be read
// thrice. A list that shrank adds up and is still worth it: where a row that had
// been read was removed, an unread one has moved up and was skipped.
func (r *Refresher) mayWalkAgain(walks, gap int, took time.Duration) bool {
	return walks < 2 && gap != 0 || walks < maxWalks && took < r.options.RefreshInterval
}
