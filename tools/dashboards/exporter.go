package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// The two parts of the data and the series that date them.
const (
	customersAt = "yativo_exporter_snapshot_timestamp_seconds"
	balancesAt  = "yativo_exporter_balance_timestamp_seconds"
)

// exporter is for the platform team: can the other two be believed?
func exporter() page {
	return page{
		uid:         exporterUID,
		title:       "Yativo card / Exporter",
		description: "Can the other two dashboards be believed, and if not, why?",
		from:        "now-6h",
		rows: []row{
			{panels: []cog.Builder[dashboard.Panel]{
				believe(about{width: 4, height: 4}, "customers", customersAt), alertsFiring(),
				dataAge(), breakerNow(),
				ageOverTime(), failures(),
				requests(), latency(),
			}},
			{title: "Upstream", panels: []cog.Builder[dashboard.Panel]{
				breakerHistory(), alertHistory(about{width: 12, height: 5}),
				quotaOverTime(), throttled(), retries(), tokenLife(),
			}},
			{title: "Walks", folded: true, panels: []cog.Builder[dashboard.Panel]{refreshes(), counts(), unknownValues()}},
			{title: "Process", folded: true, panels: []cog.Builder[dashboard.Panel]{
				memory(), cpu(), goroutines(), scrapes(), stateErrors(), build(),
			}},
		},
	}
}

func dataAge() cog.Builder[dashboard.Panel] {
	return stats(about{"Age of the data", "Time since the end of the walks whose customers and balances are shown. It runs from 0 to the refresh interval, or the interval of the balances; if it is far above: see the failures by reason.", 5, 4}, "s",
		now(age(customersAt), "customers"), now(age(balancesAt), "balances")).
		TextMode(common.BigValueTextModeValueAndName).
		Orientation(common.VizOrientationVertical).
		Decimals(0)
}

// breakerWords are the values of breaker.
func breakerWords() []word {
	return []word{{"0", "closed", good}, {"1", "half open", watch}, {"2", "open", bad}}
}

// breaker is 0 for a closed circuit breaker, 1 for half open, 2 for open. Where
// one replica's is open and another's half open, it is open.
func breaker(by string) string {
	return "clamp_max(2 * " + most(by, "yativo_api_circuit_breaker_state", `state="open"`) + "\n+ " +
		most(by, "yativo_api_circuit_breaker_state", `state="half_open"`) + ", 2)"
}

func breakerNow() cog.Builder[dashboard.Panel] {
	return verdict(about{"API breaker", "The circuit breaker in front of the API, of the worst replica. Open: several calls in a row failed, and only single probes are sent. It closes by itself; if it stays red: look at the requests by code, and whether Yativo reports an incident.", 5, 4},
		breakerWords(), breaker(""))
}

func ageOverTime() cog.Builder[dashboard.Panel] {
	minutes := func(seconds string) string { return "(" + seconds + ") / 60" }
	return graph(about{"Age of the data against its limit", "How old the customers' and the balances' data are. At the dashed limit the series vanish, so that old values never look current. A saw-tooth far below the limit is normal; if it climbs: see the failures by reason, beside it.", 12, 8}, "suffix:min",
		over(minutes(age(customersAt)), "customers"), over(minutes(age(balancesAt)), "balances"),
		over(minutes(limit("customers")), "limit of customers"), over(minutes(limit("balances")), "limit of balances")).
		Overrides(append(painted([]paint{{"^customers", neutral}, {"^balances", second}}),
			dashed("limit of customers", bad), dashed("limit of balances", watchLine)))
}

func failures() cog.Builder[dashboard.Panel] {
	return stacked(graph(about{"Failed refreshes by reason", "Refreshes that failed, or went without the balances that were due. auth and forbidden need a person: run the check command and set a valid key. The others usually end without help; if they go on: read the exporter's log for the reason.", 12, 8}, "none",
		over("sum by (reason) (increase("+of("yativo_exporter_refresh_failures_total")+"[$__rate_interval])) > 0", "{{reason}}"))).
		Decimals(0).
		NoValue("No failure in this time range").
		Overrides(painted([]paint{
			{"auth", bad},
			{"forbidden", bad},
			{"rate_limited", watchLine},
			{"breaker_open", second},
			{"timeout", third},
			{"network", fourth},
			{"server", neutral},
			{"bad_response", fifth},
			{"incomplete", faint},
			{"client", unknown},
		}))
}

func breakerHistory() cog.Builder[dashboard.Panel] {
	return timeline(about{"API breaker, over time", "When the breaker in front of the API was open, by replica. If it opens again and again: the API fails under load; look at the requests by code.", 12, 5},
		breakerWords(), over(breaker("instance"), "{{instance}}"))
}

func requests() cog.Builder[dashboard.Panel] {
	return stacked(graph(about{"Requests by code", "Requests to the API by HTTP status; error means that none came back. A healthy exporter asks one page for each hundred customers in a refresh. If anything but 200 goes on: 401 and 403 are the key, 429 the quota, 5xx the API.", 12, 8}, "reqps",
		over("sum by (code) ("+rate("yativo_api_requests_total")+") > 0", "{{code}}"))).
		NoValue("No request in this time range").
		Overrides(painted([]paint{{"^200", good}, {"^40[0-9]", second}, {"^429", watchLine}, {"^5[0-9]+", bad}, {"^error", unknown}}))
}

// latencies asks for quantiles, from classic or from native buckets, whichever
// Prometheus was told to keep. While nothing is asked there is no number.
func latencies(quantile, name string) cog.Builder[variants.Dataquery] {
	return over("histogram_quantile("+quantile+", sum by (endpoint, le) ("+rate("yativo_api_request_duration_seconds_bucket")+")) >= 0\n"+
		"or histogram_quantile("+quantile+", sum by (endpoint) ("+rate("yativo_api_request_duration_seconds")+")) >= 0", name+" {{endpoint}}")
}

func latency() cog.Builder[dashboard.Panel] {
	return graph(about{"Latency of the API", "Time from sending a request to the end of its answer, by endpoint; waits for quota are not in it. If p99 nears YATIVO_TIMEOUT: requests will fail; balances may cost a live query, so try a longer EXPORTER_BALANCE_INTERVAL.", 12, 8}, "s",
		latencies("0.5", "p50"), latencies("0.99", "p99")).
		NoValue("No request in this time range").
		Overrides(painted([]paint{{"p50 customers", neutral}, {"p99 customers", second}, {"p50 token", third}, {"p99 token", fourth}}))
}

func quotaOverTime() cog.Builder[dashboard.Panel] {
	return graph(about{"Quota left, over time", "Requests that the API had left for the key when it last answered, and its limit. If it touches 0 the key's production traffic is refused as well: give the exporter a key of its own, or a longer EXPORTER_REFRESH_INTERVAL.", 12, 8}, "none",
		over(least("", "yativo_api_rate_limit_remaining"), "left"),
		over(most("", "yativo_api_rate_limit"), "limit")).
		NoValue("The API does not state its quota").
		Overrides(append(painted([]paint{{"left", neutral}}), dashed("limit", watchLine)))
}

func throttled() cog.Builder[dashboard.Panel] {
	return limits(graph(about{"Time spent waiting for quota", "The share of time for which requests were held back: own_limit by YATIVO_RATE_LIMIT, which is harmless, reserve to leave the quota to production traffic, retry_after because the API asked for it. If reserve or retry_after stay above the line: find out who else spends the key's quota.", 12, 8}, "percentunit",
		over("max by (cause) ("+rate("yativo_api_throttled_seconds_total")+")", "{{cause}}")), step{0.1, watchLine}).
		AxisSoftMax(0.2).
		Overrides(painted([]paint{{"own_limit", neutral}, {"reserve", second}, {"retry_after", third}}))
}

func retries() cog.Builder[dashboard.Panel] {
	return stacked(graph(about{"Repeated requests by reason", "Requests that were sent once more, by what had gone wrong. A few are normal; if they go on: the API has problems, even if refreshes still succeed.", 12, 8}, "none",
		over("sum by (reason) (increase("+of("yativo_api_retries_total")+"[$__rate_interval])) > 0", "{{reason}}"))).
		Decimals(0).
		NoValue("No repeat in this time range").
		Overrides(painted([]paint{
			{"auth", bad}, {"rate_limited", watchLine}, {"timeout", third}, {"network", fourth}, {"server", neutral},
		}))
}

func tokenLife() cog.Builder[dashboard.Panel] {
	return limits(graph(about{"Life left in the token", "Time until the access token in use expires. It falls from an hour and is renewed five minutes before it expires. If it falls below 0: the token could not be renewed; run the exporter's check command.", 12, 8}, "suffix:min",
		over("("+least("instance", "yativo_api_token_expiry_timestamp_seconds")+" - time()) / 60", "{{instance}}")), step{0, bad}).
		NoValue("A static token has no expiry")
}

func refreshes() cog.Builder[dashboard.Panel] {
	return graph(about{"Duration of a refresh", "How long the latest refresh took, waits for quota included, and the interval between two. If it is above the interval: walks follow each other without a pause; see docs/scaling.md for what helps.", 12, 8}, "s",
		over(most("instance", "yativo_exporter_refresh_duration_seconds"), "{{instance}}"),
		over(most("", "yativo_exporter_refresh_interval_seconds"), "interval")).
		Overrides([]cog.Builder[dashboard.DashboardFieldConfigSourceOverrides]{dashed("interval", watchLine)})
}

func counts() cog.Builder[dashboard.Panel] {
	return graph(about{"Customers: told and tracked", "The API's own count, the customers whose time in status is remembered, and the rows that a walk saw twice or missed. If missing is not 0 for long: the list changes faster than it can be read.", 12, 8}, "none",
		over(current(most("", "yativo_exporter_upstream_customers")), "told by the API"),
		over(current(most("", "yativo_exporter_tracked_customers")), "tracked"),
		over(current(most("", "yativo_exporter_duplicate_rows")), "seen twice"),
		over(current(most("", "yativo_exporter_missing_customers")), "missing")).
		Decimals(0).
		Overrides(painted([]paint{{"told by the API", neutral}, {"tracked", third}, {"seen twice", unknown}, {"missing", bad}}))
}

func unknownValues() cog.Builder[dashboard.Panel] {
	return graph(about{"Unknown values by field", "Rows in which a field was missing, broken, or a value that this version does not know. If it is not 0: look for a newer version of the exporter, and in Yativo's change log for a new status or currency.", 24, 6}, "none",
		over(current(most("field", "yativo_exporter_unknown_values")+" > 0"), "{{field}}")).
		NoValue("None in this time range").
		Decimals(0)
}

func memory() cog.Builder[dashboard.Panel] {
	return graph(about{"Memory", "Resident memory and the Go heap of each replica. If it grows without the customers growing: it is a leak; restart the exporter, which keeps its state, and report it.", 12, 8}, "bytes",
		over(most("instance", "process_resident_memory_bytes"), "resident {{instance}}"),
		over(most("instance", "go_memory_classes_heap_objects_bytes"), "heap {{instance}}")).
		Overrides([]cog.Builder[dashboard.DashboardFieldConfigSourceOverrides]{override("byRegexp", "/^heap/", set("color", fixed(third)))})
}

func cpu() cog.Builder[dashboard.Panel] {
	return graph(about{"CPU", "Cores in use by each replica. If it stays near its limit: refreshes slow down; give it more, or a longer EXPORTER_REFRESH_INTERVAL.", 12, 8}, "suffix:cores",
		over("max by (instance) ("+rate("process_cpu_seconds_total")+")", "{{instance}}"))
}

func goroutines() cog.Builder[dashboard.Panel] {
	return graph(about{"Goroutines and open files", "Of each replica. Both stay flat; if one grows for hours: it is a leak; restart the exporter, which keeps its state, and report it.", 12, 8}, "none",
		over(most("instance", "go_goroutines"), "goroutines {{instance}}"),
		over(most("instance", "process_open_fds"), "files {{instance}}")).Decimals(0).
		Overrides([]cog.Builder[dashboard.DashboardFieldConfigSourceOverrides]{override("byRegexp", "/^files/", set("color", fixed(third)))})
}

func scrapes() cog.Builder[dashboard.Panel] {
	return graph(about{"Scrape duration", "How long Prometheus takes to scrape each replica. A scrape never calls the API, so it takes milliseconds; if it does not: the machine or the network is overloaded.", 12, 8}, "s",
		over(most("instance", "scrape_duration_seconds"), "{{instance}}"))
}

func stateErrors() cog.Builder[dashboard.Panel] {
	return stacked(graph(about{"Walks that could not be written", "Walks whose times in status could not be written to the state file. If there are any: check space and permissions of the volume before a restart, which would forget since when customers wait.", 18, 6}, "none",
		over("sum by (instance) (increase("+of("yativo_exporter_state_errors_total")+"[$__rate_interval]))", "{{instance}}"))).
		Overrides(painted([]paint{{"", bad}}))
}

func build() cog.Builder[dashboard.Panel] {
	return stats(about{"Version", "The version that each replica runs. If they differ for longer than a roll-out: one was left behind.", 6, 6}, "none",
		now("max by (instance, version, goversion) ("+of("yativo_exporter_build_info")+")", "{{version}} ({{goversion}}) at {{instance}}")).
		TextMode(common.BigValueTextModeName)
}
