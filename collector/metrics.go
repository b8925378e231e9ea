package collector

import (
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
)

// family is one metric: its name, HELP, labels and kind, and how its values are
// taken from the state, said once.
type family struct {
	desc   *prometheus.Desc
	render func(desc *prometheus.Desc, r *Refresher) []prometheus.Metric
}

// show takes one value of a metric and the values of its labels.
type show func(value float64, labels ...string)

// values shows what a metric has in a state: nothing if it is not known yet.
type values func(r *Refresher, show show)

func gauge(name string, values values, help string, labels ...string) family {
	return newFamily(prometheus.GaugeValue, name, values, help, labels)
}

func counter(name string, values values, help string, labels ...string) family {
	return newFamily(prometheus.CounterValue, name, values, help, labels)
}

func newFamily(kind prometheus.ValueType, name string, values values, help string, labels []string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), func(desc *prometheus.Desc, r *Refresher) (metrics []prometheus.Metric) {
		values(r, func(value float64, labels ...string) {
			metrics = append(metrics, prometheus.MustNewConstMetric(desc, kind, value, labels...))
		})
		return metrics
	}}
}

// cached ends the HELP of what a walk read: such values are as old as the walk.
const cached = " Cached from the last walk: see yativo_exporter_snapshot_timestamp_seconds."

// cachedBalance is the same for what only a walk with balances reads.
const cachedBalance = " Cached from the last walk with balances: see yativo_exporter_balance_timestamp_seconds."

// exporterFamilies are always shown, once they are known.
func exporterFamilies() []family {
	return []family{
		gauge("yativo_up", ofRefresh(func(p PastRefresh) float64 { return map[bool]float64{true: 1}[p.Up] }),
			"Whether the latest refresh from the Yativo API succeeded: 1 or 0."),
		gauge("yativo_exporter_snapshot_timestamp_seconds", ofCustomers(func(c *Customers) float64 { return unixSeconds(c.At) }),
			"Unix time at which the walk that the customers' series show ended."),
		gauge("yativo_exporter_balance_timestamp_seconds", ofBalances(func(b *Balances) float64 { return unixSeconds(b.At) }),
			"Unix time at which the walk that the balances' series show ended."),
		gauge("yativo_exporter_last_refresh_timestamp_seconds", ofRefresh(func(p PastRefresh) float64 { return unixSeconds(p.Start.Add(p.Duration)) }),
			"Unix time at which the latest refresh ended, whether it succeeded or not."),
		gauge("yativo_exporter_refresh_duration_seconds", ofRefresh(func(p PastRefresh) float64 { return p.Duration.Seconds() }),
			"How long the latest refresh took, including waits for quota."),
		gauge("yativo_exporter_refresh_interval_seconds", func(r *Refresher, show show) { show(r.options.RefreshInterval.Seconds()) },
			"Time from the start of one refresh to the start of the next, as configured."),
		gauge("yativo_exporter_staleness_limit_seconds", func(r *Refresher, show show) {
			show(r.customersLimit().Seconds(), "customers")
			if r.options.BalanceInterval > 0 { // balances that are never asked for are never stale either
				show(r.balancesLimit().Seconds(), "balances")
			}
		}, "Age past which the series of this part are no longer exported.", "part"),
		counter("yativo_exporter_refreshes_total", func(r *Refresher, show show) { show(float64(r.refreshes)) },
			"Refreshes from the Yativo API, including failed ones."),
		counter("yativo_exporter_refresh_failures_total", func(r *Refresher, show show) {
			for _, reason := range apiclient.Reasons() {
				show(float64(r.failures[reason]), string(reason))
			}
		}, "Refreshes that failed, or that brought no balances although these were due, by reason.", "reason"),
		gauge("yativo_exporter_upstream_customers", ofCustomers(func(c *Customers) float64 { return float64(c.Total) }),
			"Card customers of the program, as counted by the API itself."+cached),
		gauge("yativo_exporter_duplicate_rows", ofCustomers(func(c *Customers) float64 { return float64(c.Duplicates) }),
			"Rows of the last walk that repeated a customer and were not counted."+cached),
		gauge("yativo_exporter_missing_customers", ofCustomers(func(c *Customers) float64 { return float64(c.Missing) }),
			"How many fewer customers the series show than the API counts, because the list changed while it was read; negative if they show more."+cached),
		gauge("yativo_exporter_unknown_values", func(r *Refresher, show show) {
			for field := range apiclient.NumFields {
				if !r.customers.At.IsZero() {
					show(float64(r.unknownValues[field]), field.String())
				}
			}
		}, "Rows in which this field was missing or broken, or held a value that this version does not know."+cached, "field"),
	}
}

// customerFamilies are shown until the customers are too old.
func customerFamilies() []family {
	waiting := onboarding.WaitingStatuses()
	return []family{
		gauge("yativo_card_customers", byLabel(func(c *Customers, label int) int { return c.ByStatus[label] }),
			"Card customers of the program by flow_status."+cached, "flow_status"),
		gauge("yativo_card_undeployed_safes", byLabel(func(c *Customers, label int) int { return c.Undeployed[label] }),
			"Card customers whose safe is not deployed and who cannot be funded, by flow_status."+cached, "flow_status"),
		gauge("yativo_card_cards", ofCustomers(func(c *Customers) float64 { return float64(c.Cards) }),
			"Cards of all customers."+cached),
		{
			prometheus.NewDesc("yativo_card_time_in_status_seconds",
				"Time since the present customers were first seen in their flow_status. It describes who waits now, so its counts may fall: use histogram_quantile on the buckets themselves, never rate()."+cached,
				[]string{"flow_status"}, nil),
			func(desc *prometheus.Desc, r *Refresher) (metrics []prometheus.Metric) {
				for _, status := range waiting {
					age := r.customers.Onboarding.TimeInStatus[status]
					metrics = append(metrics, prometheus.MustNewConstHistogram(desc, age.Count, age.Sum, age.Buckets, status.String()))
				}
				return metrics
			},
		},
		gauge("yativo_card_oldest_entry_timestamp_seconds", func(r *Refresher, show show) {
			for _, status := range waiting {
				if oldest := r.customers.Onboarding.OldestEntry[status]; !oldest.IsZero() {
					show(unixSeconds(oldest), status.String())
				}
			}
		}, "Unix time at which the longest-waiting customer who is not abandoned was first seen in this flow_status; absent when nobody waits."+cached, "flow_status"),
		gauge("yativo_card_stalled_customers", byStatus(waiting, func(c *Customers, s int) int { return c.Onboarding.Stalled[s] }),
			"Customers in this flow_status for longer than yativo_card_stalled_after_seconds, but not abandoned."+cached, "flow_status"),
		gauge("yativo_card_abandoned_customers", byStatus(waiting, func(c *Customers, s int) int { return c.Onboarding.Abandoned[s] }),
			"Customers in this flow_status for longer than yativo_card_abandoned_after_seconds, who are no longer expected to go on."+cached, "flow_status"),
	}
}

// balanceFamilies are shown until the balances are too old.
func balanceFamilies() []family {
	return []family{
		gauge("yativo_card_ledger_balance", byCurrency(func(c *CurrencyBalances) float64 { return nearestFloat64(&c.Ledger) }),
			"Sum of the customers' known ledger balances, in units of the currency."+cachedBalance, "currency"),
		gauge("yativo_card_available_balance", byCurrency(func(c *CurrencyBalances) float64 { return nearestFloat64(&c.Available) }),
			"Sum of the customers' known available balances, in units of the currency."+cachedBalance, "currency"),
		gauge("yativo_card_pending_balance", byCurrency(func(c *CurrencyBalances) float64 { return nearestFloat64(&c.Pending) }),
			"Sum of the customers' known pending balances, in units of the currency."+cachedBalance, "currency"),
		gauge("yativo_card_realtime_ledger_balance", byCurrency(func(c *CurrencyBalances) float64 { return nearestFloat64(&c.Realtime) }),
			"Sum of the ledger balances with balance_freshness realtime, the only ones with a known pending balance, in units of the currency."+cachedBalance, "currency"),
		gauge("yativo_card_balance_customers", func(r *Refresher, show show) {
			for currency, c := range r.balances.Currencies {
				for freshness, customers := range c.Customers {
					show(float64(customers), currency, apiclient.Freshness(freshness).String())
				}
			}
		}, "Customers with a known ledger balance, by where the API takes it from."+cachedBalance, "currency", "balance_freshness"),
		gauge("yativo_card_balance_missing_customers", ofBalances(func(b *Balances) float64 { return float64(b.Missing) }),
			"Customers whose safe is deployed but whose ledger balance is unknown."+cachedBalance),
		gauge("yativo_card_balance_mismatch_customers", byCurrency(func(c *CurrencyBalances) float64 { return float64(c.Mismatch) }),
			"Customers with balance_freshness realtime whose ledger balance is not available plus pending."+cachedBalance, "currency"),
	}
}

func ofRefresh(value func(PastRefresh) float64) values {
	return func(r *Refresher, show show) {
		if r.refreshes > 0 {
			show(value(r.last()))
		}
	}
}

func ofCustomers(value func(*Customers) float64) values {
	return func(r *Refresher, show show) {
		if !r.customers.At.IsZero() {
			show(value(r.customers))
		}
	}
}

func ofBalances(value func(*Balances) float64) values {
	return func(r *Refresher, show show) {
		if !r.balances.At.IsZero() {
			show(value(r.balances))
		}
	}
}

func byStatus(statuses []onboarding.Status, customers func(c *Customers, status int) int) values {
	return func(r *Refresher, show show) {
		for _, status := range statuses {
			show(float64(customers(r.customers, int(status))), status.String())
		}
	}
}

// byLabel shows undocumented statuses too.
func byLabel(customers func(c *Customers, label int) int) values {
	documented := byStatus(onboarding.Statuses(), customers)
	return func(r *Refresher, show show) {
		documented(r, show)
		for i, name := range r.customers.Onboarding.Undocumented {
			show(float64(customers(r.customers, onboarding.NumStatuses+i)), name)
		}
	}
}

func byCurrency(value func(*CurrencyBalances) float64) values {
	return func(r *Refresher, show show) {
		for currency, c := range r.balances.Currencies {
			show(value(c), currency)
		}
	}
}

// nearestFloat64 is the float64 nearest to an exact sum.
func nearestFloat64(sum *apd.Decimal) float64 {
	// The error is for a value beyond float64, which the bounds on amounts and
	// on their number exclude.
	value, _ := sum.Float64()
	return value + 0 // never -0
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
