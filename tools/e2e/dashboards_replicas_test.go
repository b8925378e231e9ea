//go:build e2e

package e2e_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"yativo-card-exporter/dashboards"
)

// panelCase is a moment of which a query of a panel must say something.
type panelCase struct {
	name             string
	series           map[string]string // values of each minute, by series
	at               string
	dashboard, panel string // or an annotation
	query            int
	want             map[string]float64 // by labels
}

// The values that promtool repeats: a program of 16 days whose customers get
// stuck for the last two hours, and one that has had as many from its first day.
const (
	suddenly = "2x22920 20x120"
	always   = "20x23040"
)

// kycReplicas are two replicas of a program in which nobody has got past KYC
// since the first hour. The second began with empty state two days later, six
// hours before the end.
func kycReplicas(more ...map[string]string) map[string]string {
	all := map[string]string{
		`yativo_card_customers{instance="a", flow_status="kyc_initiated"}`:                      "4x3240",
		`yativo_card_stalled_customers{instance="a", flow_status="kyc_initiated"}`:              "4x3240",
		`yativo_card_stalled_customers{instance="b", flow_status="kyc_initiated"}`:              "_x2880 0x360",
		`yativo_card_stalled_after_seconds{instance="a", flow_status="kyc_initiated"}`:          "86400x3240",
		`yativo_card_stalled_after_seconds{instance="b", flow_status="kyc_initiated"}`:          "_x2880 86400x360",
		`yativo_card_last_advance_timestamp_seconds{instance="a", flow_status="kyc_initiated"}`: "3600x3240",
		`yativo_card_last_advance_timestamp_seconds{instance="b", flow_status="kyc_initiated"}`: "_x2880 172800x360",
		`yativo_card_tracking_since_timestamp_seconds{instance="a"}`:                            "0x3240",
		`yativo_card_tracking_since_timestamp_seconds{instance="b"}`:                            "_x2880 172800x360",
	}
	for _, series := range more {
		maps.Copy(all, series)
	}
	return all
}

// rhythm is what is known of the hours that KYC has missed, of which it takes
// eight to page, and of those who have entered since, of whom it takes five.
func rhythm(missed, entered string) map[string]string {
	return map[string]string{
		`yativo_card_missed_advances{instance="a", flow_status="kyc_initiated"}`:                 missed + "x3240",
		`yativo_card_missed_advances_limit{instance="a", flow_status="kyc_initiated"}`:           "8x3240",
		`yativo_card_entered_since_advance_customers{instance="a", flow_status="kyc_initiated"}`: entered + "x3240",
		`yativo_card_entered_since_advance_limit{instance="a", flow_status="kyc_initiated"}`:     "5x3240",
	}
}

// noRhythm is a last advance, and those who have entered since, while nothing is
// known of the rhythm.
func noRhythm(advanced, entered string) map[string]string {
	return map[string]string{
		`yativo_card_last_advance_timestamp_seconds{instance="a", flow_status="kyc_initiated"}`:  advanced + "x3240",
		`yativo_card_tracking_since_timestamp_seconds{instance="a"}`:                             "-900000x3240",
		`yativo_card_entered_since_advance_customers{instance="a", flow_status="kyc_initiated"}`: entered + "x3240",
		`yativo_card_entered_since_advance_limit{instance="a", flow_status="kyc_initiated"}`:     "5x3240",
	}
}

// forgetful is what the second replica counts, which does not know the rhythm yet.
func forgetful(entered, limit string) map[string]string {
	return map[string]string{
		`yativo_card_entered_since_advance_customers{instance="b", flow_status="kyc_initiated"}`: "_x2880 " + entered + "x360",
		`yativo_card_entered_since_advance_limit{instance="b", flow_status="kyc_initiated"}`:     "_x2880 " + limit + "x360",
	}
}

// stuck are customers of a step, in a program that is tracked from the start.
func stuck(status, values string) map[string]string {
	return map[string]string{
		`yativo_card_stalled_customers{instance="a", flow_status="` + status + `"}`: values,
		`yativo_card_tracking_since_timestamp_seconds{instance="a"}`:                "0x23040",
	}
}

// pending are balances of so many realtime customers, half of them pending.
func pending(customers string) map[string]string {
	const labels = `{instance="a", currency="USD"`
	return map[string]string{
		"yativo_card_pending_balance" + labels + "}":                                 "50x10",
		"yativo_card_realtime_ledger_balance" + labels + "}":                         "100x10",
		"yativo_card_balance_customers" + labels + `, balance_freshness="realtime"}`: customers + "x10",
		"yativo_card_balance_customers" + labels + `, balance_freshness="on_chain"}`: "50x10",
	}
}

// pageFires is a page that fires from the tenth minute to the twentieth.
func pageFires(alert string) map[string]string {
	return map[string]string{`ALERTS{alertname="` + alert + `", alertstate="firing", severity="critical"}`: "_x10 1x10 stale"}
}

func panelCases() []panelCase {
	verdict := func(value float64) map[string]float64 { return map[string]float64{"{}": value} }
	return []panelCase{
		{"a replica's start is no advance", kycReplicas(noRhythm("-200000", "5")), "2d6h", "onboarding", "KYC", 0, verdict(2)},
		{"a shorter silence says nothing while the rhythm is not known", kycReplicas(noRhythm("-100000", "5")), "2d6h", "onboarding", "KYC", 0, verdict(0)},
		{"nor does a long one if few have entered", kycReplicas(noRhythm("-200000", "4")), "2d6h", "onboarding", "KYC", 0, verdict(0)},
		{
			"the rhythm does not explain the silence", kycReplicas(rhythm("9", "5")), "2d6h", "onboarding", "KYC", 0, verdict(2),
		},
		{
			"the rhythm explains the silence", kycReplicas(rhythm("7", "5")), "2d6h", "onboarding", "KYC", 0, verdict(0),
		},
		{
			"too few have entered to tell", kycReplicas(rhythm("9", "4")), "2d6h", "onboarding", "KYC", 0, verdict(0),
		},
		{
			"a step that stands still by the rhythm", kycReplicas(rhythm("9", "5")), "2d6h", "onboarding", "Who is stuck, where, since when", 1,
			map[string]float64{`{flow_status="kyc_initiated"}`: 1},
		},
		{
			"usual hours that were missed", kycReplicas(rhythm("9", "5")), "2d6h", "onboarding", "Who is stuck, where, since when", 8,
			map[string]float64{`{flow_status="kyc_initiated"}`: 9},
		},
		{
			"a replica that has lost its state excuses nothing", kycReplicas(rhythm("9", "5"), forgetful("9", "1e9")), "2d6h", "onboarding", "KYC", 0, verdict(2),
		},
		{
			"and accuses nobody", kycReplicas(rhythm("9", "4"), forgetful("9", "5")), "2d6h", "onboarding", "KYC", 0, verdict(0),
		},
		{
			"one that was down for a while excuses nothing either", kycReplicas(rhythm("9", "5"), map[string]string{
				`yativo_card_missed_advances{instance="b", flow_status="kyc_initiated"}`:       "_x2880 1x360",
				`yativo_card_missed_advances_limit{instance="b", flow_status="kyc_initiated"}`: "_x2880 8x360",
			}), "2d6h", "onboarding", "KYC", 0, verdict(2),
		},
		{"the silence is that of the replica that has seen an advance", kycReplicas(), "2d6h", "onboarding", "Silence past $status", 0, verdict(53)},
		{
			"nobody has seen an advance", kycReplicas(map[string]string{
				`yativo_card_last_advance_timestamp_seconds{instance="a", flow_status="kyc_initiated"}`: "0x3240",
			}), "2d6h", "onboarding", "Silence past $status", 0, verdict(54),
		},
		{
			"data that are too old tell no silence", kycReplicas(map[string]string{
				`yativo_card_customers{instance="a", flow_status="kyc_initiated"}`:         "4x3240 stale",
				`yativo_card_stalled_customers{instance="a", flow_status="kyc_initiated"}`: "4x3240 stale",
				`yativo_card_stalled_customers{instance="b", flow_status="kyc_initiated"}`: "_x2880 0x360 stale",
			}), "2d6h1m", "onboarding", "Silence past $status", 0, nil,
		},
		{"KYC that stands still is the worst step", kycReplicas(noRhythm("-200000", "5")), "2d6h", "onboarding", "Most stalled", 0, map[string]float64{`{flow_status="kyc_initiated"}`: 4}},

		{"an old program's first day is not unusual", stuck("otp_verified", "0x1440 20x21600"), "30h", "onboarding", "Most stalled", 0, nil},
		{"but somebody is stuck", stuck("otp_verified", "0x1440 20x21600"), "30h", "onboarding", "Most stalled", 2, map[string]float64{`{flow_status="otp_verified"}`: 20}},
		{"a sudden rise is unusual", stuck("otp_verified", suddenly), "16d", "onboarding", "Most stalled", 0, map[string]float64{`{flow_status="otp_verified"}`: 20}},
		{"a standing share is not", stuck("otp_verified", always), "16d", "onboarding", "Most stalled", 0, nil},
		{"which is good news", stuck("otp_verified", always), "16d", "onboarding", "Most stalled", 1, map[string]float64{`{flow_status="otp_verified"}`: 20}},
		{"nor is one of which little is known", stuck("otp_verified", "_x20000 2x2920 20x120"), "16d", "onboarding", "Most stalled", 0, nil},
		{"an old program's first day in KYC", stuck("kyc_initiated", "0x1440 20x21600"), "30h", "onboarding", "KYC", 0, verdict(0)},
		{"more than usual in KYC", stuck("kyc_initiated", suddenly), "16d", "onboarding", "KYC", 0, verdict(1)},

		{
			"the replica that remembers longest tells the ages", map[string]string{
				`yativo_card_time_in_status_seconds_bucket{instance="a", flow_status="kyc_initiated", le="60"}`:   "0x10",
				`yativo_card_time_in_status_seconds_bucket{instance="a", flow_status="kyc_initiated", le="3600"}`: "5x10",
				`yativo_card_time_in_status_seconds_bucket{instance="a", flow_status="kyc_initiated", le="+Inf"}`: "5x10",
				`yativo_card_time_in_status_seconds_bucket{instance="b", flow_status="kyc_initiated", le="60"}`:   "5x10",
				`yativo_card_time_in_status_seconds_bucket{instance="b", flow_status="kyc_initiated", le="3600"}`: "5x10",
				`yativo_card_time_in_status_seconds_bucket{instance="b", flow_status="kyc_initiated", le="+Inf"}`: "5x10",
			}, "5m", "onboarding", "Time in $status", 0, map[string]float64{`{le="60"}`: 0, `{le="3600"}`: 5, `{le="+Inf"}`: 5},
		},

		{
			"a moved pod has a day before", map[string]string{
				`yativo_card_ledger_balance{instance="a", currency="USD"}`: "100x1500 stale",
				`yativo_card_ledger_balance{instance="b", currency="USD"}`: "_x1500 150x600",
			}, "30h", "balances", "Change of the ledger over 24 h", 0, map[string]float64{`{currency="USD"}`: 0.5},
		},
		{"ten customers tell a pending share", pending("10"), "5m", "balances", "Pending share", 0, map[string]float64{`{currency="USD"}`: 0.5}},
		{"nine do not", pending("9"), "5m", "balances", "Pending share", 0, nil},
		{"and not over time either", pending("9"), "5m", "balances", "Pending share of the realtime ledger", 0, nil},
		{"there is nothing at all", nil, "5m", "balances", "Current?", 0, verdict(3)},
		{
			"there are no balances yet", map[string]string{
				`yativo_exporter_staleness_limit_seconds{instance="a", part="customers"}`: "300x10",
				`yativo_exporter_staleness_limit_seconds{instance="a", part="balances"}`:  "900x10",
			}, "5m", "balances", "Current?", 0, verdict(3),
		},
		{
			"nobody asks for balances", map[string]string{
				`yativo_exporter_staleness_limit_seconds{instance="a", part="customers"}`: "300x10",
			}, "5m", "balances", "Current?", 0, verdict(4),
		},
		{
			"balances are current", map[string]string{
				`yativo_exporter_staleness_limit_seconds{instance="a", part="customers"}`: "300x10",
				`yativo_exporter_staleness_limit_seconds{instance="a", part="balances"}`:  "900x10",
				`yativo_exporter_balance_timestamp_seconds{instance="a"}`:                 "60x10",
				`yativo_up{instance="a"}`: "1x10",
			}, "5m", "balances", "Current?", 0, verdict(0),
		},

		{
			"one breaker is open, another half open", map[string]string{
				`yativo_api_circuit_breaker_state{instance="a", state="open"}`:      "1x10",
				`yativo_api_circuit_breaker_state{instance="a", state="half_open"}`: "0x10",
				`yativo_api_circuit_breaker_state{instance="b", state="open"}`:      "0x10",
				`yativo_api_circuit_breaker_state{instance="b", state="half_open"}`: "1x10",
			}, "5m", "exporter", "API breaker", 0, verdict(2),
		},
		{"a page begins", pageFires("YativoCardKYCStalled"), "10m", "onboarding", "Pages", 0, map[string]float64{
			`ALERTS{alertname="YativoCardKYCStalled", alertstate="firing", job="` + dashboardJob + `", severity="critical"}`: 1,
		}},
		{"a page goes on", pageFires("YativoCardKYCStalled"), "11m", "onboarding", "Pages", 0, nil},
		{"a page is over", pageFires("YativoCardKYCStalled"), "21m", "onboarding", "Pages", 0, nil},
		{"somebody else's page", pageFires("DiskFull"), "10m", "onboarding", "Pages", 0, nil},
		{
			"a pod has taken another's place", map[string]string{
				`process_start_time_seconds{instance="a"}`: "-60x60 stale",
				`process_start_time_seconds{instance="b"}`: "_x60 3650x20",
			}, "61m", "exporter", "Restarts", 0, map[string]float64{`process_start_time_seconds{job="` + dashboardJob + `", instance="b"}`: 3650},
		},
		{
			"a pod restarted where it was", map[string]string{
				`process_start_time_seconds{instance="a"}`: "-60x60 3650x20",
			}, "61m", "exporter", "Restarts", 0, map[string]float64{`process_start_time_seconds{job="` + dashboardJob + `", instance="a"}`: 3650},
		},
		{
			"a restart is over", map[string]string{
				`process_start_time_seconds{instance="a"}`: "-60x60 3650x20",
			}, "70m", "exporter", "Restarts", 0, nil,
		},
	}
}

// Two replicas, a moved pod and a young program are shown as the rules take
// them. Real Prometheus' own engine says what each query finds.
func TestDashboardsWithReplicasAndMovedPods(t *testing.T) {
	t.Parallel()
	pages := map[string]dashboard{}
	for _, name := range dashboards.Names() {
		pages[name] = readDashboard(t, name)
	}
	var tests []any
	for _, c := range panelCases() {
		input := []any{}
		for series, values := range c.series {
			input = append(input, map[string]string{
				"series": strings.Replace(series, "{", `{job="`+dashboardJob+`", `, 1), "values": values,
			})
		}
		want := []any{}
		for labels, value := range c.want {
			want = append(want, map[string]any{"labels": labels, "value": value})
		}
		tests = append(tests, map[string]any{
			"name": c.name, "interval": "1m", "input_series": input,
			"promql_expr_test": []any{map[string]any{
				"expr":      fillVariables(pages[c.dashboard].query(t, c.panel, c.query)),
				"eval_time": c.at, "exp_samples": want,
			}},
		})
	}
	content, err := json.Marshal(map[string]any{"evaluation_interval": "1m", "tests": tests}) // which is YAML too
	if err != nil {
		t.Fatal(err)
	}
	runTool(t, "promtool", "test", "rules", writeFile(t, t.TempDir(), "panels.yml", string(content)))
}

// query is what a panel, or an annotation, asks.
func (d dashboard) query(t *testing.T, title string, i int) string {
	t.Helper()
	for _, p := range d.panels {
		if p.Title == title && i < len(p.Targets) {
			return p.Targets[i].Expr
		}
	}
	for _, q := range d.queries {
		if q.Name == title {
			return q.Expr
		}
	}
	t.Fatalf("%s has no query %d of %s", d.name, i, title)
	return ""
}
