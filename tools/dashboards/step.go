package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// One step in detail.

func stepCustomers() cog.Builder[dashboard.Panel] {
	return graph(about{"Customers in $status", "How many customers are in this step, and how many of them for longer than the two thresholds. If stalled grows: nobody gets on, or something changed for the customers; the wait beside it shows since when.", 12, 8}, "none",
		over(most("", "yativo_card_customers", chosenStep), "in the step"),
		over(most("", "yativo_card_stalled_customers", chosenStep), "stalled"),
		over(most("", "yativo_card_abandoned_customers", chosenStep), "abandoned")).
		Decimals(0).
		Overrides(painted([]paint{{"in the step", neutral}, {"stalled", watchLine}, {"abandoned", unknown}}))
}

// hours are seconds as hours, whose axis has round steps.
func hours(seconds string) string { return "(" + seconds + ") / 3600" }

func stepWait() cog.Builder[dashboard.Panel] {
	return graph(about{"Longest wait in $status", "How long the customer with the longest wait, abandoned customers left out, has been in this step; the dashed lines are the thresholds in force. If it climbs at the pace of the clock: nobody gets on, or only one customer stopped; the heat map, which shows everybody, the abandoned included, shows which.", 12, 8}, "suffix:h",
		over(hours("time() - "+least("", "yativo_card_oldest_entry_timestamp_seconds", chosenStep)), "longest"),
		over(current(hours(most("", "yativo_card_stalled_after_seconds", chosenStep))), "stalled after"),
		over(current(hours(most("", "yativo_card_abandoned_after_seconds", chosenStep))), "abandoned after")).
		Overrides(append(painted([]paint{{"longest", neutral}}),
			dashed("stalled after", watchLine), dashed("abandoned after", bad)))
}

func stepCompleted() cog.Builder[dashboard.Panel] {
	// Where nobody left the step there is no number, which would leave the axis without a scale.
	completed := "max by (le) (increase(" + of("yativo_card_status_duration_seconds_bucket", chosenStep) + "[24h]))"
	return graph(about{"Stays in $status, past 24 h", "How long the customers who left this step in the 24 hours before had stayed in it; only stays seen from beginning to end count. If it grows: the step has become slower even for those who get through.", 8, 8}, "suffix:h",
		over(current(hours("histogram_quantile(0.9, "+completed+") >= 0")), "p90"),
		over(current(hours("histogram_quantile(0.5, "+completed+") >= 0")), "median")).
		NoValue("Nobody completed a stay in this time range").
		Overrides(painted([]paint{{"p90", third}, {"median", neutral}}))
}

func stepHeatmap() cog.Builder[dashboard.Panel] {
	return density(about{"Time in $status", "How all present customers, the abandoned included, spread over the time that they have been in this step, each column a moment. If a band rises from left to right: that group does not get on, and where it began is when the step came to a stop; look for an incident at that time.", 12, 8}, "s",
		fewest(chosenStep))
}

func stepSilence() cog.Builder[dashboard.Panel] {
	return graph(about{"Silence past $status", "Hours since a customer last got past this step; the same in this program's usual hours, which nights and weekends add little to; and, dashed, what the missed hours must reach before somebody is paged. The last two are absent until two weeks have shown the rhythm. If missed is above the dashed line while newcomers wait: the step stands still.", 12, 8}, "suffix:h",
		over(current(hours("time() - "+lastAdvance("", chosenStep))), "silence"),
		over(current(most("", "yativo_card_missed_advances", chosenStep)), "missed"),
		over(current(most("", "yativo_card_missed_advances_limit", chosenStep)), "page at")).
		Overrides(append(painted([]paint{{"silence", neutral}, {"missed", second}}), dashed("page at", bad)))
}

func stepCohort() cog.Builder[dashboard.Panel] {
	return graph(about{"Still in $status, of a cohort", "Of the customers who entered this step 4 to 24 hours ago, the share that still waits; dashed, the share that would at this hour of past weeks. A cohort, so neither old drop-outs nor many sign-ups move it. Empty until weeks have shown what is usual. If the first is far above the second: fewer get on than usual; find out who they are.", 8, 8}, "percentunit",
		over(cohortShare("yativo_card_cohort_waiting_customers"), "now"),
		over(cohortShare("yativo_card_cohort_usual_waiting_customers"), "usual")).
		NoValue("Needs two weeks of the program's rhythm").
		AxisSoftMax(1).
		Overrides(append(painted([]paint{{"now", neutral}}), dashed("usual", unknown)))
}

func stepLost() cog.Builder[dashboard.Panel] {
	return graph(about{"Lost in $status", "How many customers more than usual still waited three hours after they entered this step, over the last hours, as many as show it best; dashed, from how many on a ticket is opened. Empty until weeks have shown what is usual. If the first reaches the second: find out what those who wait have in common.", 8, 8}, "none",
		over(current(most("", "yativo_card_lost_customers", chosenStep)), "lost"),
		over(current(most("", "yativo_card_lost_customers_limit", chosenStep)), "told at")).
		NoValue("Needs two weeks and some hours of the program's rhythm").
		Decimals(1).
		Overrides(append(painted([]paint{{"lost", neutral}}), dashed("told at", bad)))
}

// cohortShare is the share of the customers who entered the step 4 to 24 h ago.
func cohortShare(metric string) string {
	return current(most("", metric, chosenStep) + "\n/ (" + most("", "yativo_card_cohort_customers", chosenStep) + " > 0)")
}
