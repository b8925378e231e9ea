package main

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// waiting lists the statuses in which customers wait, in the order of the way.
func waiting() []string {
	return []string{"otp_requested", "otp_verified", "kyc_initiated", "kyc_completed", "safe_deploying"}
}

// What lies behind a status, as matchers of the label to.
const (
	kyc        = `flow_status="kyc_initiated"`
	beforeKYC  = `from=~"otp_requested|otp_verified"`
	throughKYC = `from=~"otp_requested|otp_verified|kyc_initiated"`
	behindKYC  = `to=~"kyc_completed|safe_deploying|card_created|active"`
	chosenStep = `flow_status=~"$status"`
)

// onboarding is for operations: is anybody stuck, where, since when?
func onboarding() page {
	return page{
		uid:         onboardingUID,
		title:       "Yativo card / Onboarding",
		description: "Is anybody stuck on the way to a card, where, and since when?",
		from:        "now-24h",
		variables:   []cog.Builder[dashboard.VariableModel]{statusVariable()},
		rows: []row{
			{panels: []cog.Builder[dashboard.Panel]{
				believe(about{width: 3, height: 4}, "customers", customersAt),
				alerting(about{width: 2, height: 4}),
				worstStep(), kycVerdict(), kycWaiting(), kycOldest(), kycPassed(),
				byStatus(), reached(), conversion(), whoWaits(),
				stalledOverTime(), kycFlow(),
			}},
			{"Step in detail: $status", []cog.Builder[dashboard.Panel]{
				stepCustomers(), stepAges(), stepCompleted(), stepHeatmap(), stepSilence(),
			}},
			{"Flow", []cog.Builder[dashboard.Panel]{signUps(), otherMoves(), undeployed()}},
			{"Stuck, over time", []cog.Builder[dashboard.Panel]{
				oldestAgainstLimit(), abandonedOverTime(), alertHistory(about{width: 8, height: 8}),
			}},
		},
	}
}

// statusVariable chooses the step that is shown in detail; KYC first.
func statusVariable() cog.Builder[dashboard.VariableModel] {
	one := func(s string) dashboard.StringOrArrayOfString { return dashboard.StringOrArrayOfString{String: &s} }
	var options []dashboard.VariableOption
	for _, s := range waiting() {
		options = append(options, dashboard.VariableOption{Selected: new(s == "kyc_initiated"), Text: one(s), Value: one(s)})
	}
	return dashboard.NewCustomVariableBuilder("status").
		Label("Step in detail").
		Description("The status that the row of this name shows.").
		Values(text(strings.Join(waiting(), ","))).
		Options(options).
		Current(options[2])
}

// The first line: the worst first.

// worstStep is red only for what is out of the ordinary: a standing share of
// drop-outs would keep a fixed threshold red for ever, and nobody looking at it.
func worstStep() cog.Builder[dashboard.Panel] {
	stalled := most("flow_status", "yativo_card_stalled_customers")
	worst := fmt.Sprintf("(%s\nor %s\nor %s >= 3)", unusual("flow_status"), standing("flow_status"),
		most("flow_status", "yativo_card_stalled_customers", `flow_status="safe_deploying"`))
	return stats(about{"Most stalled step", "The status with the most customers that are there for longer than its threshold and not yet abandoned. " +
		"Red: five more than the median of the last seven days, and half as many again, KYC that stands still, or three wallets that do not deploy: read who they are at /stalled of the exporter, and follow the runbook's section on that step. Amber: no more than usual, or tracked for less than 15 days, before which nobody knows what is usual.", 5, 4}, "none",
		now("topk(1, "+worst+")", "{{flow_status}}"),
		now("topk(1, "+stalled+" > 0)\nunless on () "+worst, "{{flow_status}}"),
		now("label_replace(sum ("+stalled+`) == 0, "flow_status", "nobody is stuck", "", "")`, "{{flow_status}}")).
		TextMode(common.BigValueTextModeValueAndName).
		ColorMode(common.BigValueColorModeBackgroundSolid).
		ColorScheme(fixedColour(unknown)).
		Overrides([]cog.Builder[dashboard.DashboardFieldConfigSourceOverrides]{
			override("byFrameRefID", "A", set("color", fixed(bad))),
			override("byFrameRefID", "B", set("color", fixed(watch))),
			override("byFrameRefID", "C", set("color", fixed(good))),
		})
}

// kycVerdict is red and amber for what the shipped rules page and open a ticket
// for, and works without them too.
func kycVerdict() cog.Builder[dashboard.Panel] {
	return verdict(about{"KYC", "Whether KYC moves. Red: three customers or more are stalled, and nobody has got past KYC for longer than the program's own pace explains (the stalled threshold, where the shipped rules are not loaded): ask the KYC provider and Yativo for an incident. " +
		"Amber: five more are stalled, and half as many again, than the median of the last seven days, once tracking is 15 days old: compare throughput with sign-ups below.", 4, 4},
		[]word{{"0", "Moves", good}, {"1", "More stalled than usual", watch}, {"2", "Nobody gets through", bad}},
		// Both select counts that are larger than the number for their word.
		fmt.Sprintf("clamp_max(%s, 2)\nor clamp_max(%s, 1)\nor 0 * %s", standing(""), unusual("", kyc), most("", "yativo_card_stalled_customers", kyc)))
}

func kycWaiting() cog.Builder[dashboard.Panel] {
	waits := most("", "yativo_card_customers", kyc)
	return stats(about{"Waiting for KYC", "Customers in kyc_initiated now, beside the median of the last seven days, which is what is usual for this program. If now is far above usual: look whether KYC moves, to the left.", 4, 4}, "none",
		now(waits, "now"), now(current("quantile_over_time(0.5, ("+waits+")[1w:1m])"), "usual")).
		TextMode(common.BigValueTextModeValueAndName).
		Orientation(common.VizOrientationVertical).
		Decimals(0).
		Overrides([]cog.Builder[dashboard.DashboardFieldConfigSourceOverrides]{named("usual", set("color", fixed(unknown)))})
}

func kycOldest() cog.Builder[dashboard.Panel] {
	return stats(about{"Longest in KYC", "For how long the customer has been in kyc_initiated who is there for the longest and not yet abandoned. If it is far above the stalled threshold, see the table of who waits: read the list at /stalled of the exporter.", 3, 4}, "s",
		now("time() - "+least("", "yativo_card_oldest_entry_timestamp_seconds", kyc)+"\nor 0 * "+most("", "yativo_card_customers", kyc), "")).
		Mappings(words(word{"0", "Nobody waits", ""})).Decimals(1)
}

func kycPassed() cog.Builder[dashboard.Panel] {
	return stats(about{"Past KYC, 1 hour", "Customers who got past kyc_initiated within the last hour. If it is 0 while customers wait and this is no quiet hour of the program: look whether KYC moves, to the left.", 3, 4}, "none",
		now(current(moves("1h", throughKYC, behindKYC)), "")).Decimals(0)
}

// The second line: where everybody is.

func byStatus() cog.Builder[dashboard.Panel] {
	queries := make([]cog.Builder[variants.Dataquery], 0, 7)
	for i, s := range append(waiting(), "card_created", "active") {
		// One query a status, since the order of a vector is nobody's promise.
		queries = append(queries, now(most("", "yativo_card_customers", fmt.Sprintf("flow_status=%q", s)), fmt.Sprintf("%d %s", min(i+1, 6), s)))
	}
	queries = append(queries, now(most("", "yativo_card_customers", `flow_status="unknown"`), "? unknown"))
	return bars(about{"Customers by status", "Where the customers of the program are now. If unknown is not 0: the API speaks a status that this version of the exporter does not know; update it.", 6, 8}, "none", queries...).
		Decimals(0).
		Overrides(painted(statusPaint()))
}

// reach is the customers who are in a step or behind it.
func reach(step int) string {
	return among("sum", "", most("flow_status", "yativo_card_customers", fmt.Sprintf("flow_status!~%q", strings.Join(append(waiting()[:step-1], "unknown"), "|"))))
}

func reached() cog.Builder[dashboard.Panel] {
	queries := make([]cog.Builder[variants.Dataquery], 0, 6)
	for i := range 6 {
		queries = append(queries, now(reach(i+1), stepName(i+1)))
	}
	return bars(about{"Reached at least (snapshot)", "How many of the present customers are in a step or behind it. A snapshot of everybody who is there now, not a cohort: who signed up today counts beside who signed up last year. If a bar is much shorter than the one above it: that step loses customers; see its detail below.", 5, 8}, "none", queries...).
		Decimals(0)
}

func conversion() cog.Builder[dashboard.Panel] {
	queries := make([]cog.Builder[variants.Dataquery], 0, 5)
	for i := 1; i < 6; i++ {
		queries = append(queries, now(reach(i+1)+"\n/ ("+reach(i)+" > 0)", stepName(i+1)))
	}
	return bars(about{"Conversion (snapshot)", "The share of those who reached a step that reached the next one, among the customers who are there now: a snapshot, not a cohort. If one falls over the weeks: go through that step as a customer would.", 5, 8}, "percentunit", queries...).
		Max(1).Decimals(0)
}

func stepName(step int) string { return append(waiting(), "card")[step-1] }

func whoWaits() cog.Builder[dashboard.Panel] {
	duration := []dashboard.DynamicConfigValue{set("unit", "s"), set("decimals", 1)}
	return grid(about{"Who is stuck, where, since when", "For each status in which customers wait: how many are there for longer than the stalled threshold, how many for so long that they count as abandoned, and how long the longest of the others waits. If a row is amber and has more than you are used to: read who they are at /stalled of the exporter.", 8, 8},
		"flow_status", "status", "stalled", []column{
			{"stalled", most("flow_status", "yativo_card_stalled_customers"), []dashboard.DynamicConfigValue{
				set("thresholds", map[string]any{"mode": "absolute", "steps": []any{
					map[string]any{"color": "text", "value": nil}, map[string]any{"color": watch, "value": 1},
				}}),
				set("custom.cellOptions", map[string]any{"type": "color-text"}),
			}},
			{"abandoned", most("flow_status", "yativo_card_abandoned_customers"), nil},
			{"longest", "time() - " + least("flow_status", "yativo_card_oldest_entry_timestamp_seconds"), duration},
			{"threshold", current(most("flow_status", "yativo_card_stalled_after_seconds")), duration},
		})
}

// The third line: how it came to this.

func stalledOverTime() cog.Builder[dashboard.Panel] {
	return limits(graph(about{"Stalled customers by status", "Customers who are in a status for longer than its stalled threshold and not yet abandoned. The lines are where wallets that do not deploy become a ticket (1) and where they and KYC can become a page (3). A steady share of drop-outs is normal; if a line climbs: follow the runbook's section on that step.", 12, 8}, "none",
		over(most("flow_status", "yativo_card_stalled_customers"), "{{flow_status}}")), step{1, watch}, step{3, bad}).
		Decimals(0).Overrides(painted(statusPaint()))
}

func kycFlow() cog.Builder[dashboard.Panel] {
	return graph(about{"KYC per hour", "Customers who entered and who got past kyc_initiated, each within the hour before. If nobody gets past it while customers enter: KYC stands still; ask the KYC provider and Yativo for an incident.", 12, 8}, "none",
		over(current(moves("1h", beforeKYC, `to="kyc_initiated"`)+"\n+ "+moves("1h", `from="new"`, `to="kyc_initiated"`)), "entered"),
		over(current(moves("1h", throughKYC, behindKYC)), "passed"),
		over(current(moves("1h", `from="kyc_initiated"`, `to=~"gone|otp_requested|otp_verified"`)), "left or fell back")).
		Overrides(painted([]paint{{"entered", neutral}, {"passed", good}, {"left or fell back", second}}))
}

// One step in detail.

func stepCustomers() cog.Builder[dashboard.Panel] {
	return graph(about{"Waiting, stalled and abandoned in $status", "How many customers are in this step, and how many of them for longer than the two thresholds. If stalled grows: nobody gets on, or something changed for the customers; the wait beside it tells since when.", 8, 8}, "none",
		over(most("", "yativo_card_customers", chosenStep), "in the step"),
		over(most("", "yativo_card_stalled_customers", chosenStep), "stalled"),
		over(most("", "yativo_card_abandoned_customers", chosenStep), "abandoned")).
		Decimals(0).
		Overrides(painted([]paint{{"in the step", neutral}, {"stalled", watch}, {"abandoned", unknown}}))
}

func stepAges() cog.Builder[dashboard.Panel] {
	return graph(about{"Longest wait in $status", "For how long the customer has been in this step who is there for the longest and not yet abandoned; the dashed lines are the thresholds in force. If it climbs at the pace of the clock: nobody gets on, or one customer wandered off; the heat map, which shows everybody, the abandoned included, tells which.", 8, 8}, "s",
		over("time() - "+least("", "yativo_card_oldest_entry_timestamp_seconds", chosenStep), "longest"),
		over(current(most("", "yativo_card_stalled_after_seconds", chosenStep)), "stalled after"),
		over(current(most("", "yativo_card_abandoned_after_seconds", chosenStep)), "abandoned after")).
		Overrides(append(painted([]paint{{"longest", neutral}}),
			dashed("stalled after", watch), dashed("abandoned after", bad)))
}

func stepCompleted() cog.Builder[dashboard.Panel] {
	completed := "max by (le) (increase(" + of("yativo_card_status_duration_seconds_bucket", chosenStep) + "[24h]))"
	return graph(about{"Completed stays in $status, past 24 h", "How long those stayed in this step who left it within the 24 hours before, seen from beginning to end. If it grows: the step has slowed down for those who get through, too.", 8, 8}, "s",
		over(current("histogram_quantile(0.9, "+completed+")"), "p90"),
		over(current("histogram_quantile(0.5, "+completed+")"), "median")).
		NoValue("Nobody completed a stay in this time range").
		Overrides(painted([]paint{{"p90", third}, {"median", neutral}}))
}

func stepHeatmap() cog.Builder[dashboard.Panel] {
	return density(about{"Time in $status", "How all present customers, the abandoned included, spread over the time that they have been in this step, each column a moment. If a band rises from left to right: that group does not get on, and where it began is when the step came to a stop; look for an incident at that time.", 16, 9}, "s",
		fewest(chosenStep))
}

func stepSilence() cog.Builder[dashboard.Panel] {
	return graph(about{"Since anybody got past $status", "Time since a customer last got past this step, and the silence that the program's own pace explains, which the shipped rules record. If the first is above the second while customers are stalled: the step stands still; in KYC that is the page.", 8, 9}, "s",
		over(current("time() - "+lastAdvance(chosenStep)), "silence"),
		over(current(`max (job_flow_status:yativo_card_quiet_limit_seconds:max{job=~"$job", `+chosenStep+"})"), "explained by the pace")).
		Overrides(append(painted([]paint{{"silence", neutral}}), dashed("explained by the pace", watch)))
}

// Everybody's moves.

func signUps() cog.Builder[dashboard.Panel] {
	return graph(about{"Sign-ups and activations, past 24 h", "Customers who appeared, and customers who got a card, each within the 24 hours before. If the second falls behind the first for days: customers get stuck on the way; the table at the top says where.", 8, 8}, "none",
		over(current(moves("24h", `from="new"`)), "sign-ups"),
		over(current(moves("24h", `from!~"card_created|active|new|gone"`, `to=~"card_created|active"`)), "activations")).
		Overrides(painted([]paint{{"sign-ups", neutral}, {"activations", good}}))
}

func otherMoves() cog.Builder[dashboard.Panel] {
	return graph(about{"Lost and moved back, past 24 h", "Customers who disappeared from the program, and customers who fell back to an earlier step, each within the 24 hours before. If many disappear or fall back at once: ask Yativo whether accounts were removed or reset.", 8, 8}, "none",
		over(current(moves("24h", `to="gone"`)), "gone"),
		over(current(backwardMoves()), "moved back")).
		Overrides(painted([]paint{{"gone", second}, {"moved back", third}}))
}

// backwardMoves adds up the moves from each step to an earlier one.
func backwardMoves() string {
	parts := make([]string, 0, 5)
	for i, from := range append(waiting()[1:], "card_created|active") {
		parts = append(parts, moves("24h", fmt.Sprintf("from=~%q", from), fmt.Sprintf("to=~%q", strings.Join(waiting()[:i+1], "|"))))
	}
	return strings.Join(parts, "\n+ ")
}

func undeployed() cog.Builder[dashboard.Panel] {
	return graph(about{"Undeployed safes by status", "Customers whose wallet is not deployed, so that they cannot be funded. Normal up to safe_deploying; if card_created or active is not 0: ask Yativo's support to deploy the wallets, and tell finance not to fund these customers.", 8, 8}, "none",
		over(most("flow_status", "yativo_card_undeployed_safes"), "{{flow_status}}")).
		Decimals(0).Overrides(painted(statusPaint()))
}

func oldestAgainstLimit() cog.Builder[dashboard.Panel] {
	return limits(graph(about{"Longest wait, share of the stalled threshold", "The wait of the longest-waiting customer who is not abandoned, as a share of the stalled threshold of the status, so that all can be compared. Above 100 % somebody is stalled; if all statuses climb together: the API's list may stand still, see the Exporter dashboard.", 8, 8}, "percentunit",
		over("(time() - "+least("flow_status", "yativo_card_oldest_entry_timestamp_seconds")+")\n/ "+most("flow_status", "yativo_card_stalled_after_seconds"), "{{flow_status}}")), step{1, watch}).
		AxisSoftMax(1.2).
		Overrides(painted(statusPaint()))
}

func abandonedOverTime() cog.Builder[dashboard.Panel] {
	return graph(about{"Abandoned customers by status", "Customers who are in a status for so long that they are not expected to go on. They page nobody. If a status gains many at once: a stall there was not mended in time; offer these customers a new start.", 8, 8}, "none",
		over(most("flow_status", "yativo_card_abandoned_customers"), "{{flow_status}}")).
		Decimals(0).Overrides(painted(statusPaint()))
}
