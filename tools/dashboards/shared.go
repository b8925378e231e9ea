package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// The panels that more than one page begins with.

func believe(a about, part, timestamp string) cog.Builder[dashboard.Panel] {
	list := []word{
		{"0", "Yes", good},
		{"1", "Yes, but refreshes fail", watch},
		{"2", "No: too old", bad},
		{"3", "No data", bad},
	}
	a.title = "Current?"
	a.text = "Whether the numbers on this page can be believed: the age of the " + part +
		"' data against the limit in force, and the latest refresh. If it is not green: open the Exporter dashboard and find the reason of the failures; act on nothing else here before."
	if part == "balances" {
		a.text += " Not asked for: EXPORTER_BALANCE_INTERVAL is 0, and this page stays empty."
		list = append(list, word{"4", "Not asked for", neutral})
	}
	return verdict(a, list, believable(part, timestamp))
}

// watchdog is the alert that fires for as long as the rules are evaluated.
const watchdog = `ALERTS{alertname="YativoCardWatchdog", alertstate="firing"}`

// alerting counts the alerts that fire. The watchdog, which always fires, tells
// none from rules that are not loaded.
func alerting(a about) cog.Builder[dashboard.Panel] {
	a.title = "Alerts"
	a.text = "Alerts of this program that fire now: pages red, tickets amber. If there are any: the Alerts timeline below names them, and the runbook says what to do. Unknown means that the shipped rules are not loaded."
	return stats(a, "none", now("count by (severity) ("+firing()+`)
or label_replace(0 * count (`+watchdog+") unless on () "+firing()+`, "severity", "none", "", "")`, "{{severity}}")).
		NoValue("Unknown").
		ColorMode(common.BigValueColorModeBackgroundSolid).
		ColorScheme(fixedColour(unknown)).
		Mappings(words(word{"0", "None", ""})).
		Overrides(painted([]paint{{"critical", bad}, {"warning", watch}, {"info", neutral}, {"none", good}}))
}

// alertHistory shows which alerts fired when.
func alertHistory(a about) cog.Builder[dashboard.Panel] {
	a.title = "Alerts that fired"
	a.text = "The alerts of this program over time, pages above tickets. While one is red: follow its section of the runbook. The watchdog's row tells whether the shipped rules are evaluated; where they are not, silence is no good news."
	return timeline(a, []word{{"0", "rules evaluated", good}, {"1", "ticket", watch}, {"2", "page", bad}, {"3", "rules not loaded", unknown}},
		over("2 * max by (alertname) ("+firing(`severity="critical"`)+")\nor max by (alertname) ("+firing(`severity="warning"`)+")\nor 0 * max by (alertname) ("+watchdog+
			")\nor label_replace(vector(3) unless on () "+watchdog+`, "alertname", "YativoCardWatchdog", "", "")`, "{{alertname}}"))
}
