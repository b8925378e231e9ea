package collector

import (
	"time"

	"yativo-card-exporter/apiclient"
)

const (
	// maxRecentRefreshes are kept for people to look at.
	maxRecentRefreshes = 20

	// minWalkTime is the least that is allowed for a walk: a page of an API that
	// does not answer takes four tries of 15 s by default, and waits between.
	minWalkTime = 2 * time.Minute
)

// PastRefresh is what became of one refresh.
type PastRefresh struct {
	Start    time.Time
	Duration time.Duration
	Pages    int // that came, in all walks of the refresh
	Up       bool
	Reason   apiclient.Reason // why it failed or went without the balances that were due, or ""
	Error    string           // the same at length

	InARow int       // how many have failed in a row with this one; 0 if it is up
	Since  time.Time // the start of the first of them
}

// RecentRefreshes returns the last 20 refreshes, oldest first. The caller must
// not change them.
func (r *Refresher) RecentRefreshes() []PastRefresh { return r.exposition.Load().recent }

// noteProgress notes that the refresher turns.
func (r *Refresher) noteProgress() {
	now := time.Now()
	r.lastProgress.Store(&now)
}

// IsTurning reports whether refreshes go on: within three intervals and a walk's
// time, a page has come or a refresh has ended. A walk may take long where quota
// is short, so its pages count. It is true until Run begins.
func (r *Refresher) IsTurning() bool {
	last := r.lastProgress.Load()
	return last == nil || time.Since(*last) <= 3*r.options.RefreshInterval+r.exposition.Load().walkTime
}

// walkTime is what a walk may take, judging by the last ones.
func (r *Refresher) walkTime() time.Duration {
	return max(minWalkTime, r.last().Duration, r.customers.Took, r.balances.Took)
}
