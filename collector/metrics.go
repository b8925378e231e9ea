package collector

import "github.com/prometheus/client_golang/prometheus"

// family is one metric: its name, HELP, labels and kind, said once.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue}
}

func (f family) is(value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
}

// families are the metrics that a Refresher shows.
type families struct {
	customers, undeployedSafes, cards                            family
	ledger, available, pending, realtimeLedger                   family
	balanceCustomers, balanceMissing, balanceMismatch            family
	timeInStatus, oldestEntry, stalled, abandoned                family
	up, snapshotTimestamp, balanceTimestamp, lastRefresh         family
	refreshDuration, refreshInterval, stalenessLimit             family
	refreshes, refreshFailures                                   family
	upstreamCustomers, duplicateRows, missingCustomers, unknowns family
}

// cached ends the HELP of what a walk read: such values are as old as the walk.
const cached = " Cached from the last walk: see yativo_exporter_snapshot_timestamp_seconds."

// cachedBalance is the same for what only a walk with balances reads.
const cachedBalance = " Cached from the last walk with balances: see yativo_exporter_balance_timestamp_seconds."

func newFamilies() families {
	return families{
		customers: gauge("yativo_card_customers",
			"Card customers of the program by flow_status."+cached, "flow_status"),
		undeployedSafes: gauge("yativo_card_undeployed_safes",
			"Card customers whose safe is not deployed, so that they cannot be funded, by flow_status."+cached, "flow_status"),
		cards: gauge("yativo_card_cards",
			"Cards of all customers."+cached),
		ledger: gauge("yativo_card_ledger_balance",
			"Sum of the customers' known ledger balances, in units of the currency."+cachedBalance, "currency"),
		available: gauge("yativo_card_available_balance",
			"Sum of the customers' known available balances, in units of the currency."+cachedBalance, "currency"),
		pending: gauge("yativo_card_pending_balance",
			"Sum of the customers' known pending balances, in units of the currency."+cachedBalance, "currency"),
		realtimeLedger: gauge("yativo_card_realtime_ledger_balance",
			"Sum of the ledger balances of freshness realtime, the only ones whose pending balance is known, in units of the currency."+cachedBalance, "currency"),
		balanceCustomers: gauge("yativo_card_balance_customers",
			"Customers with a known ledger balance, by where the API has it from."+cachedBalance, "currency", "balance_freshness"),
		balanceMissing: gauge("yativo_card_balance_missing_customers",
			"Customers whose safe is deployed but whose ledger balance is unknown."+cachedBalance),
		balanceMismatch: gauge("yativo_card_balance_mismatch_customers",
			"Customers of freshness realtime whose ledger balance is not the sum of available and pending."+cachedBalance, "currency"),
		timeInStatus: gauge("yativo_card_time_in_status_seconds",
			"Time since the present customers were first seen in their flow_status. It describes who waits now, so its counts may fall: use histogram_quantile on the buckets themselves, never rate()."+cached, "flow_status"),
		oldestEntry: gauge("yativo_card_oldest_entry_timestamp_seconds",
			"When the longest-waiting customer who is not abandoned was first seen in this flow_status, in Unix seconds; absent when nobody waits."+cached, "flow_status"),
		stalled: gauge("yativo_card_stalled_customers",
			"Customers in this flow_status for longer than yativo_card_stalled_after_seconds, but not abandoned."+cached, "flow_status"),
		abandoned: gauge("yativo_card_abandoned_customers",
			"Customers in this flow_status for longer than yativo_card_abandoned_after_seconds, who are no longer expected to go on."+cached, "flow_status"),

		up: gauge("yativo_up",
			"Whether the latest refresh from the Yativo API succeeded: 1 or 0."),
		snapshotTimestamp: gauge("yativo_exporter_snapshot_timestamp_seconds",
			"When the walk ended that the customers' series show, in Unix seconds."),
		balanceTimestamp: gauge("yativo_exporter_balance_timestamp_seconds",
			"When the walk ended that the balances' series show, in Unix seconds."),
		lastRefresh: gauge("yativo_exporter_last_refresh_timestamp_seconds",
			"When the latest refresh ended, whether it succeeded or not, in Unix seconds."),
		refreshDuration: gauge("yativo_exporter_refresh_duration_seconds",
			"How long the latest refresh took, waits for quota included."),
		refreshInterval: gauge("yativo_exporter_refresh_interval_seconds",
			"Time from the beginning of one refresh to the next, as configured."),
		stalenessLimit: gauge("yativo_exporter_staleness_limit_seconds",
			"Age past which the series of this part are no longer exported.", "part"),
		refreshes: counter("yativo_exporter_refreshes_total",
			"Refreshes from the Yativo API, failed ones included."),
		refreshFailures: counter("yativo_exporter_refresh_failures_total",
			"Refreshes that failed, or that had to go without the balances that were due, by reason.", "reason"),
		upstreamCustomers: gauge("yativo_exporter_upstream_customers",
			"Card customers of the program by the API's own count."+cached),
		duplicateRows: gauge("yativo_exporter_duplicate_rows",
			"Rows of the last walk that repeated a customer and were not counted."+cached),
		missingCustomers: gauge("yativo_exporter_missing_customers",
			"Customers that the series lack against the API's own count, since the list changed while it was read; negative if there are more."+cached),
		unknowns: gauge("yativo_exporter_unknown_values",
			"Rows in which this field was missing, broken, or a value that this version does not know."+cached, "field"),
	}
}
