package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// The panels that more than one page begins with.

func believe(a about, part, timestamp string) cog.Builder[dashboard.Panel] {
	list := []word{
		{"0", "Yes", good},
		{"1", "Refreshes fail", watch},
		{"2", "No: too old", bad},
		{"3", "No data", bad},
	}
	a.title = "Current?"
	a.text = "Whether the numbers on this page can be believed: the age of the " + part +
		"' data against the limit in force, and the latest refresh. If it is not green: open the Exporter dashboard and find the reason for the failures before you act on anything else here."
	if part == "balances" {
		a.text += " Not asked for: EXPORTER_BALANCE_INTERVAL is 0, and this page stays empty."
		list = append(list, word{"4", "Not asked for", unknown})
	}
	return verdict(a, list, believable(part, timestamp))
}

// watchdog is the alert that fires for as long as the rules are evaluated.
const watchdog = `ALERTS{alertname="YativoCardWatchdog", alertstate="firing"}`

// alertsFiring names the alerts that fire. The watchdog, which always fires,
// tells none from rules that are not loaded. Both rows are named after it, so that
// they lead to its section: a table has one link for all of its rows.
func alertsFiring() cog.Builder[dashboard.Panel] {
	const age = `time() - min by (alertname, severity) (ALERTS_FOR_STATE{alertname=~"YativoCard.+", job=~"$job"}
  and ignoring (alertstate) %s)`
	state := func(expr, name, severity string) string {
		return fmt.Sprintf(`label_replace(label_replace(%s, "alertname", %q, "", ""), "severity", %q, "", "")`, expr, name, severity)
	}
	return bareTable(about{"Alerts that fire", "The alerts of this program that fire now, pages first, and for how long their condition has held. If there is one: click its name, which opens its section of the runbook. Without the shipped rules there are no alerts: load them.", 10, 4}).
		WithTarget(now(fmt.Sprintf(age, firing())+
			"\nor "+state("0 * count ("+watchdog+") unless on () "+firing(), "YativoCardWatchdog", "none")+
			"\nor "+state("vector(0) unless on () "+watchdog, "yativocardwatchdog", "unloaded"), "").
			Format(prometheus.PromQueryFormatTable)).
		Overrides([]cog.Builder[dashboard.DashboardFieldConfigSourceOverrides]{
			named("kind", set("custom.width", 60),
				set("custom.cellOptions", map[string]any{"type": "color-background", "mode": "basic"}),
				set("mappings", words(word{"critical", "page", bad}, word{"warning", "ticket", watch}, word{"info", "info", ""},
					word{"none", "calm", good}, word{"unloaded", "blind", unknown}))),
			named("alert", linked("Its section of the runbook", runbookURL+"#${__value.raw}"),
				set("mappings", words(word{"YativoCardWatchdog", "No alert fires", ""}, word{"yativocardwatchdog", "The shipped rules are not loaded", ""}))),
			named("for", set("custom.width", 90), set("unit", "s"), set("decimals", 0), set("mappings", words(word{"0", "–", ""}))),
		}).
		// The kinds' names happen to be in the order of their urgency.
		Transformations([]dashboard.DataTransformerConfig{sortedBy("severity"), {Id: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true},
			"indexByName":   map[string]int{"severity": 0, "alertname": 1, "Value": 2},
			"renameByName":  map[string]string{"severity": "kind", "alertname": "alert", "Value": "for"},
		}}})
}

// alertHistory shows which alerts fired when.
func alertHistory(a about) cog.Builder[dashboard.Panel] {
	a.title = "Alerts that fired"
	a.text = "The alerts of this program over time, pages above tickets. While one is red: follow its section of the runbook. The watchdog's row tells whether the shipped rules are evaluated; where they are not, the absence of alerts means nothing."
	return timeline(a, []word{{"0", "rules evaluated", good}, {"1", "ticket", watch}, {"2", "page", bad}, {"3", "rules not loaded", unknown}},
		over("2 * max by (alertname) ("+firing(`severity="critical"`)+")\nor max by (alertname) ("+firing(`severity="warning"`)+")\nor 0 * max by (alertname) ("+watchdog+
			")\nor label_replace(vector(3) unless on () "+watchdog+`, "alertname", "YativoCardWatchdog", "", "")`, "{{alertname}}"))
}
