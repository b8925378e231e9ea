package collector

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/internal/onboarding"
)

// exposition is what a scrape shows: everything is rendered when it is learned,
// so that a scrape only hands it over. It is immutable.
type exposition struct {
	exporter   []prometheus.Metric // always shown
	customers  expiring
	balances   expiring
	onboarding *onboarding.Report
	recent     []PastRefresh
	walkTime   time.Duration
}

// expiring is a group of series that vanish once they are too old to be
// believed.
type expiring struct {
	metrics []prometheus.Metric
	at      time.Time // zero if there are none yet
	limit   time.Duration
}

func (e expiring) expired(now time.Time) bool { return e.at.IsZero() || now.Sub(e.at) > e.limit }

func (e expiring) current(now time.Time) []prometheus.Metric {
	if e.expired(now) {
		return nil
	}
	return e.metrics
}

// Describe implements prometheus.Collector.
func (r *Refresher) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range slices.Concat(r.exporterFamilies, r.customerFamilies, r.balanceFamilies) {
		ch <- f.desc
	}
}

// Collect implements prometheus.Collector. It does no I/O and never waits.
func (r *Refresher) Collect(ch chan<- prometheus.Metric) {
	e, now := r.exposition.Load(), time.Now()
	for _, m := range slices.Concat(e.exporter, e.customers.current(now), e.balances.current(now)) {
		ch <- m
	}
}

// Ready reports whether there has been a snapshot.
func (r *Refresher) Ready() bool { return !r.exposition.Load().customers.at.IsZero() }

// Stalled returns the last walk's report, or nil if there is none or it is too
// old to be believed.
func (r *Refresher) Stalled() *onboarding.Report {
	e := r.exposition.Load()
	if e.customers.expired(time.Now()) {
		return nil
	}
	return e.onboarding
}

// BalancesCurrent reports whether there are balances that can be believed, or
// none are wanted.
func (r *Refresher) BalancesCurrent() bool {
	return r.options.BalanceInterval == 0 || !r.exposition.Load().balances.expired(time.Now())
}

// publish renders what is known and swaps it in.
func (r *Refresher) publish() {
	r.exposition.Store(&exposition{
		exporter:   r.render(r.exporterFamilies),
		customers:  expiring{r.render(r.customerFamilies), r.customers.At, r.customersLimit()},
		balances:   expiring{r.render(r.balanceFamilies), r.balances.At, r.balancesLimit()},
		onboarding: r.customers.Onboarding,
		recent:     r.recent,
		walkTime:   r.walkTime(),
	})
}

func (r *Refresher) render(families []family) (metrics []prometheus.Metric) {
	for _, f := range families {
		metrics = append(metrics, f.render(f.desc, r)...)
	}
	return metrics
}
