package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
)

// view is what a scrape shows: everything is rendered when it is learned, so
// that a scrape only hands it over. It is immutable.
type view struct {
	exporter  []prometheus.Metric // always shown
	customers part
	balances  part
	waiting   *onboarding.Report
	ready     bool
}

// part is a group of series that vanish once they are too old to be believed.
type part struct {
	metrics []prometheus.Metric
	at      time.Time
	limit   time.Duration
}

func (p part) stale(now time.Time) bool { return p.at.IsZero() || now.Sub(p.at) > p.limit }

// Describe implements prometheus.Collector.
func (r *Refresher) Describe(ch chan<- *prometheus.Desc) {
	f := r.families
	for _, m := range []family{
		f.customers, f.undeployedSafes, f.cards, f.ledger, f.available, f.pending, f.realtimeLedger,
		f.balanceCustomers, f.balanceMissing, f.balanceMismatch, f.timeInStatus, f.oldestEntry, f.stalled, f.abandoned,
		f.up, f.snapshotTimestamp, f.balanceTimestamp, f.lastRefresh, f.refreshDuration, f.refreshInterval,
		f.stalenessLimit, f.refreshes, f.refreshFailures, f.upstreamCustomers, f.duplicateRows, f.missingCustomers, f.unknowns,
	} {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector. It does no I/O and never waits.
func (r *Refresher) Collect(ch chan<- prometheus.Metric) {
	v, now := r.view.Load(), time.Now()
	send(ch, v.exporter)
	for _, p := range []part{v.customers, v.balances} {
		if !p.stale(now) {
			send(ch, p.metrics)
		}
	}
}

func send(ch chan<- prometheus.Metric, metrics []prometheus.Metric) {
	for _, m := range metrics {
		ch <- m
	}
}

// publish renders the state and swaps it in.
func (r *Refresher) publish() {
	v := &view{exporter: r.renderExporter()}
	if c := r.state.customers; c != nil {
		v.ready, v.waiting = true, c.Waiting
		v.customers = part{r.families.renderCustomers(c), c.At, r.customersLimit()}
	}
	if b := r.state.balances; b != nil {
		v.balances = part{r.families.renderBalances(b), b.At, r.balancesLimit()}
	}
	r.view.Store(v)
}

// customersLimit is the age past which the customers' series vanish. It allows
// for a walk that takes long, since an interval says little about a program
// that cannot be read within it.
func (r *Refresher) customersLimit() time.Duration {
	limit := max(r.options.MaxStaleness, 3*r.options.RefreshInterval)
	if c := r.state.customers; c != nil {
		limit = max(limit, 3*c.Took)
	}
	return limit
}

func (r *Refresher) balancesLimit() time.Duration {
	limit := max(r.options.MaxStaleness, 3*r.options.BalanceInterval)
	if b := r.state.balances; b != nil {
		limit = max(limit, 3*b.Took)
	}
	return limit
}

func (r *Refresher) renderExporter() []prometheus.Metric {
	f, s := r.families, r.state
	metrics := []prometheus.Metric{
		f.refreshInterval.is(r.options.RefreshInterval.Seconds()),
		f.stalenessLimit.is(r.customersLimit().Seconds(), "customers"),
		f.refreshes.is(float64(s.refreshes)),
	}
	// Balances that are never asked for are never stale either.
	if r.options.BalanceInterval > 0 {
		metrics = append(metrics, f.stalenessLimit.is(r.balancesLimit().Seconds(), "balances"))
	}
	for _, reason := range apiclient.Reasons() {
		metrics = append(metrics, f.refreshFailures.is(float64(s.failures[reason]), string(reason)))
	}
	if s.refreshes > 0 {
		metrics = append(metrics,
			f.up.is(oneIf(s.up)),
			f.lastRefresh.is(unixSeconds(s.lastEnd)),
			f.refreshDuration.is(s.lastTook.Seconds()))
	}
	if b := s.balances; b != nil {
		metrics = append(metrics, f.balanceTimestamp.is(unixSeconds(b.At)))
	}
	if c := s.customers; c != nil {
		metrics = append(metrics,
			f.snapshotTimestamp.is(unixSeconds(c.At)),
			f.upstreamCustomers.is(float64(c.Total)),
			f.duplicateRows.is(float64(c.Duplicates)),
			f.missingCustomers.is(float64(c.Missing)))
		for field := range apiclient.NumFields {
			metrics = append(metrics, f.unknowns.is(float64(s.broken(field)), field.String()))
		}
	}
	return metrics
}

// broken is how many rows had the field broken when it was last read.
func (s *state) broken(field apiclient.Field) int {
	switch {
	case !field.OfBalance():
		return s.customers.Broken[field]
	case s.balances != nil:
		return s.balances.Broken[field]
	default:
		return 0
	}
}

func (f families) renderCustomers(c *Customers) []prometheus.Metric {
	metrics := []prometheus.Metric{f.cards.is(float64(c.Cards))}
	for _, s := range onboarding.Statuses() {
		metrics = append(metrics,
			f.customers.is(float64(c.ByStatus[s]), s.String()),
			f.undeployedSafes.is(float64(c.Undeployed[s]), s.String()))
	}
	for _, s := range onboarding.WaitingStatuses() {
		age := c.Waiting.TimeInStatus[s]
		metrics = append(metrics,
			prometheus.MustNewConstHistogram(f.timeInStatus.desc, age.Count, age.Sum, age.Buckets, s.String()),
			f.stalled.is(float64(c.Waiting.Stalled[s]), s.String()),
			f.abandoned.is(float64(c.Waiting.Abandoned[s]), s.String()))
		if oldest := c.Waiting.OldestEntry[s]; !oldest.IsZero() {
			metrics = append(metrics, f.oldestEntry.is(unixSeconds(oldest), s.String()))
		}
	}
	return metrics
}

func (f families) renderBalances(b *Balances) []prometheus.Metric {
	metrics := []prometheus.Metric{f.balanceMissing.is(float64(b.Missing))}
	for i := range b.Currencies {
		c := &b.Currencies[i]
		metrics = append(metrics,
			f.ledger.is(nearest(&c.Ledger), c.Currency),
			f.available.is(nearest(&c.Available), c.Currency),
			f.pending.is(nearest(&c.Pending), c.Currency),
			f.realtimeLedger.is(nearest(&c.Realtime), c.Currency),
			f.balanceMismatch.is(float64(c.Mismatch), c.Currency))
		for _, freshness := range apiclient.Freshnesses() {
			metrics = append(metrics,
				f.balanceCustomers.is(float64(c.Customers[freshness]), c.Currency, freshness.String()))
		}
	}
	return metrics
}
