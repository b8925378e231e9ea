package main

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
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
				believe(about{width: 4, height: 4}, "customers", customersAt), alertsFiring(),
				kycVerdict(), worstStep(),
				whoWaits(),
				stalledOverTime(), kycFlow(),
			}},
			{title: "Step in detail: $status", panels: []cog.Builder[dashboard.Panel]{
				stepCustomers(), stepWait(), stepSilence(), stepHeatmap(), stepCompleted(), stepCohort(), stepLost(),
			}},
			{title: "Flow", panels: []cog.Builder[dashboard.Panel]{
				signUps(), otherMoves(), undeployed(), abandonedOverTime(), alertHistory(about{width: 24, height: 5}),
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

// The first line: can it be believed, who was told, and what for.

// kycVerdict is red and amber for what the shipped rules page and open a ticket
// for, and works without them too.
func kycVerdict() cog.Builder[dashboard.Panel] {
	return verdict(about{"KYC", "Whether KYC moves. Red: nobody has got past KYC for more of the program's usual hours, and of those who entered since, than chance allows; or, until they are known, three customers or more are stalled, and nobody has got past KYC for longer than the program's own pace explains (the stalled threshold, where the shipped rules are not loaded): ask the KYC provider and Yativo for an incident. " +
		"Amber: five more are stalled, and half as many again, than the median of the last seven days, once tracking is 15 days old: compare throughput with sign-ups below.", 5, 4},
		[]word{{"0", "Moves", good}, {"1", "More stalled than usual", watch}, {"2", "Nobody gets through", bad}},
		fmt.Sprintf("2 + 0 * (%s\nor %s)\nor 1 + 0 * (%s)\nor 0 * %s",
			silent("", kyc), standing(""), unusual("", kyc), most("", "yativo_card_stalled_customers", kyc))).
		Links([]cog.Builder[dashboard.DashboardLink]{
			leadsTo("What to do", runbookURL+"#YativoCardKYCStalled"), leadsTo("Who is stalled", stalledURL+"?flow_status=kyc_initiated"),
		})
}

// outOfTheOrdinary selects the stalled customers of the steps that are more than
// a standing share of drop-outs, which would keep a fixed threshold red for ever,
// and nobody looking at it.
func outOfTheOrdinary() string {
	return fmt.Sprintf("(%s\nor %s\nor %s\nor %s >= 3)", unusual("flow_status"), silent("flow_status"), standing("flow_status"),
		most("flow_status", "yativo_card_stalled_customers", `flow_status="safe_deploying"`))
}

func worstStep() cog.Builder[dashboard.Panel] {
	stalled := most("flow_status", "yativo_card_stalled_customers")
	// Whether what is usual can be known yet, as the shipped rules take it.
	known := "(time() - " + least("", "yativo_card_tracking_since_timestamp_seconds") + " >= 15 * 86400)"
	usual := "topk(1, " + stalled + " > 0)\nunless on () " + outOfTheOrdinary()
	return stats(about{"Most stalled", "The status with the most customers that are there for longer than its threshold and not yet abandoned. " +
		"Red: five more than the median of the last seven days, and half as many again, a step that stands still, or three wallets that do not deploy: click it for who they are, and follow the runbook's section on that step. Green: no more than usual. Grey: tracked for less than 15 days, before which nobody knows what is usual.", 5, 4}, "none",
		now("topk(1, "+outOfTheOrdinary()+")", "{{flow_status}}"),
		now(usual+"\nand on () "+known, "{{flow_status}}"),
		now(usual+"\nunless on () "+known, "{{flow_status}}"),
		now("label_replace(sum ("+stalled+`) == 0, "flow_status", "nobody is stuck", "", "")`, "{{flow_status}}")).
		TextMode(common.BigValueTextModeValueAndName).
		ColorMode(common.BigValueColorModeBackgroundSolid).
		DataLinks([]cog.Builder[dashboard.DashboardLink]{leadsTo("Who they are", stalledURL+"?flow_status=${__field.labels.flow_status}")}).
		Overrides([]cog.Builder[dashboard.DashboardFieldConfigSourceOverrides]{
			override("byFrameRefID", "A", set("color", fixed(bad))),
			override("byFrameRefID", "B", set("color", fixed(good))),
			override("byFrameRefID", "C", set("color", fixed(unknown))),
			override("byFrameRefID", "D", set("color", fixed(good))),
		})
}

// The second line: where everybody waits, and the program's rhythm.

func whoWaits() cog.Builder[dashboard.Panel] {
	duration := []dashboard.DynamicConfigValue{set("unit", "s"), set("decimals", 1)}
	usualHours := []dashboard.DynamicConfigValue{set("unit", "suffix:h"), set("decimals", 1)}
	here := most("flow_status", "yativo_card_customers", waitingOnly())
	// What is not known yet is no number, which says so in its cell.
	rhythm := func(metric string) string {
		return current(most("flow_status", metric)) + "\nor 0 / (0 * " + here + ")"
	}
	return grid(about{"Who is stuck, where, since when", "For each status in which customers wait: how many are there, for longer than the stalled threshold (limit), and for so long that they count as abandoned; how long the longest of the others waits; and for how long nobody has got past it. " +
		"Missed is that silence in this program's usual hours, page at from where on it is no chance, entered who came since and wait. They are learning until two weeks have shown the rhythm. If a row is red: click its status for who they are, and follow the runbook's section on that step.", 24, 7},
		rows{
			label: "flow_status", name: "status", width: 116, order: inOrder(),
			properties: []dashboard.DynamicConfigValue{linked("Who is stalled in it", stalledURL+"?flow_status=${__value.raw}")},
		}, []column{
			{"verdict", "1 + 0 * " + outOfTheOrdinary() + "\nor 0 * " + most("flow_status", "yativo_card_stalled_customers"), []dashboard.DynamicConfigValue{
				set("custom.width", 65), set("mappings", words(word{"0", "–", ""}, word{"1", "stuck", bad})),
				set("custom.cellOptions", map[string]any{"type": "color-background", "mode": "basic", "applyToRow": true}),
			}},
			{"customers", here, nil},
			{"stalled", most("flow_status", "yativo_card_stalled_customers"), []dashboard.DynamicConfigValue{set("custom.width", 80)}},
			{"abandoned", most("flow_status", "yativo_card_abandoned_customers"), []dashboard.DynamicConfigValue{set("custom.width", 94)}},
			{"longest", "time() - " + least("flow_status", "yativo_card_oldest_entry_timestamp_seconds"), duration},
			{"limit", current(most("flow_status", "yativo_card_stalled_after_seconds")), duration},
			{"silence", current("time() - " + lastAdvance("flow_status")), duration},
			{"missed", rhythm("yativo_card_missed_advances"), usualHours},
			{"page at", rhythm("yativo_card_missed_advances_limit"), usualHours},
			{"entered", rhythm("yativo_card_entered_since_advance_customers"), nil},
		}).Links([]cog.Builder[dashboard.DashboardLink]{leadsTo("All who are stalled", stalledURL)})
}

// waitingOnly matches the statuses in which customers wait.
func waitingOnly() string { return fmt.Sprintf("flow_status=~%q", strings.Join(waiting(), "|")) }

// inOrder numbers the statuses in which customers wait, in the order of the way.
func inOrder() string {
	parts := make([]string, 0, 5)
	for i, s := range waiting() {
		parts = append(parts, fmt.Sprintf("%d + 0 * %s", i+1, most("flow_status", "yativo_card_customers", fmt.Sprintf("flow_status=%q", s))))
	}
	return strings.Join(parts, "\nor ")
}

// The third line: how it came to this.

func stalledOverTime() cog.Builder[dashboard.Panel] {
	return graph(about{"Stalled customers by status", "Customers who are in a status for longer than its stalled threshold and not yet abandoned. A steady share of drop-outs is normal, but in safe_deploying, where one is a ticket and three are a page. If a line climbs: follow the runbook's section on that step.", 12, 8}, "none",
		over(most("flow_status", "yativo_card_stalled_customers"), "{{flow_status}}")).
		Decimals(0).Overrides(painted(statusPaint()))
}

func kycFlow() cog.Builder[dashboard.Panel] {
	return graph(about{"KYC per hour", "Customers who entered and who got past kyc_initiated, each within the hour before. If nobody gets past it while customers enter: KYC stands still; ask the KYC provider and Yativo for an incident.", 12, 8}, "none",
		over(current(moves("1h", beforeKYC, `to="kyc_initiated"`)+"\n+ "+moves("1h", `from="new"`, `to="kyc_initiated"`)), "entered"),
		over(current(moves("1h", throughKYC, behindKYC)), "passed"),
		over(current(moves("1h", `from="kyc_initiated"`, `to=~"gone|otp_requested|otp_verified"`)), "left or fell back")).
		Decimals(0).
		Overrides(painted([]paint{{"entered", neutral}, {"passed", good}, {"left or fell back", second}}))
}
