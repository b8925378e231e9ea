//go:build e2e

package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/dashboards"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

// dashboardJob is the job under which everything shipped expects the exporter.
const dashboardJob = "yativo-card-exporter"

// quietDashboardQueries are the queries that need not find anything in the first
// minute of a program's life, by what they contain.
var quietDashboardQueries = map[string]string{
	" offset 24h":                   "there is no day before",
	"[1w:1m]":                       "there need not be a full minute before",
	"topk(1, (max by (flow_status)": "whether a step is out of the ordinary depends on the moment",
	"> 0)\nunless on () (max by (flow_status)":   "and so does whether none is",
	"nobody is stuck":                            "somebody may be, from the first scrape on",
	"(yativo_card_missed_advances":               "the rhythm takes weeks to learn",
	"yativo_card_status_duration_seconds_bucket": "nobody need leave a step while it stands still",
	"(yativo_card_cohort_":                       "and so does what is usual for a cohort",
	"(yativo_card_lost_customers":                "and how many are usually late",
}

// learnedMetrics are absent until weeks have shown the program's rhythm.
var learnedMetrics = []string{
	"yativo_card_missed_advances", "yativo_card_missed_advances_limit",
	"yativo_card_entered_since_advance_customers", "yativo_card_entered_since_advance_limit",
	"yativo_card_missed_signups", "yativo_card_missed_signups_limit", "yativo_card_missed_changes", "yativo_card_missed_changes_limit",
	"yativo_card_cohort_customers", "yativo_card_cohort_waiting_customers", "yativo_card_cohort_usual_waiting_customers",
	"yativo_card_lost_customers", "yativo_card_lost_customers_limit",
}

// A real Prometheus that has watched a stall and an outage runs every query of
// every dashboard without an error, and finds data for it.
func TestDashboardsShowAStallAndAnOutage(t *testing.T) {
	t.Parallel()
	api := sandbox.New(sandbox.Options{Seed: 5, Customers: 300, Speed: 20, Scenario: sandbox.KYCStall})
	api.Add(sandbox.Customer{ID: "odd", Raw: map[string]string{"flow_status": `"under_review"`}, Status: onboarding.Active})
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, api)).with(settings{
		"YATIVO_TIMEOUT":            "1s",
		"EXPORTER_MAX_STALENESS":    "5s",
		"EXPORTER_STALLED_AFTER":    "otp_requested:5s,otp_verified:5s,kyc_initiated:5s,kyc_completed:5s,safe_deploying:5s",
		"EXPORTER_BREAKER_FAILURES": "3",
		"EXPORTER_BREAKER_COOLDOWN": "2s",
	}))
	began := time.Now()
	prometheus := startPrometheus(t, dashboardScrape(t, exporter.address))

	watched := dashboardWatch{prometheus: prometheus, series: map[string][]map[string]string{}}
	watched.await("KYC stands still, and the page for it fires",
		`yativo_card_stalled_customers{flow_status="kyc_initiated"} >= 3 and on () ALERTS{alertname="YativoCardKYCStalled", alertstate="firing"}`)
	mend := api.InjectFault(sandbox.Status(http.StatusServiceUnavailable))
	watched.await("the outage has made the customers' series vanish, and opened the breaker",
		`(absent(yativo_card_customers) and on () yativo_exporter_snapshot_timestamp_seconds) and on () yativo_api_circuit_breaker_transitions_total{to="open"} > 0`)
	mend()
	watched.await("the customers are back", `yativo_up == 1 and on () count(yativo_card_customers) > 0`)
	watched.began, watched.ended = began, time.Now()

	for _, name := range dashboards.Names() {
		watched.check(readDashboard(t, name))
	}
}

// dashboardScrape configures the scrape of an exporter, and the shipped rules
// at a pace at which they see something within seconds.
func dashboardScrape(t *testing.T, address string) string {
	t.Helper()
	rules := renderRehearsal(t, 600, "-silence-without-rhythm", "1h")
	file := writeFile(t, t.TempDir(), alerts.RulesFile, rules)
	return fmt.Sprintf("  - {job_name: %s, static_configs: [{targets: [%q]}]}\nrule_files: [%q]\n", dashboardJob, address, file)
}

// dashboard is what a browser would ask Prometheus for.
type dashboard struct {
	name    string
	panels  []dashboardPanel
	queries []dashboardQuery // of annotations and variables
}

type dashboardPanel struct {
	Title   string
	Type    string
	Targets []dashboardQuery
}

type dashboardQuery struct {
	Name         string // of an annotation or a variable
	Expr         string
	Instant      bool
	LegendFormat string
}

func readDashboard(t *testing.T, name string) dashboard {
	t.Helper()
	content, err := dashboards.JSON(name)
	if err != nil {
		t.Fatal(err)
	}
	var raw struct {
		Panels []struct {
			dashboardPanel
			Panels []dashboardPanel // of a row that is folded away
		}
		Annotations struct{ List []dashboardQuery }
		Templating  struct {
			List []struct{ Name, Type, Query string }
		}
	}
	if err := json.Unmarshal(content, &raw); err != nil {
		t.Fatal(err)
	}
	d := dashboard{name: name, queries: raw.Annotations.List}
	for _, p := range raw.Panels {
		if p.Type != "row" {
			d.panels = append(d.panels, p.dashboardPanel)
		}
		d.panels = append(d.panels, p.Panels...)
	}
	for _, v := range raw.Templating.List {
		if v.Type == "query" {
			found := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(v.Query)
			if found == nil {
				t.Fatalf("%s: the variable %s asks %s", name, v.Name, v.Query)
			}
			d.queries = append(d.queries, dashboardQuery{Name: v.Name, Instant: true, Expr: "group by (" + found[2] + ") (" + found[1] + ")"})
		}
	}
	return d
}

// fillVariables is a query as a browser sends it with everything chosen.
func fillVariables(expr string) string {
	return strings.NewReplacer("$job", dashboardJob, "$instance", ".+", "$status", "kyc_initiated",
		"$currency", "(EUR|GBP|USD)", "$__rate_interval", "15s").Replace(expr)
}

// dashboardWatch is a Prometheus and the moments at which it saw something.
type dashboardWatch struct {
	*prometheus
	moments      []time.Time
	began, ended time.Time
	series       map[string][]map[string]string // by metric, read once
}

// await waits until a query finds something, and remembers the moment.
func (w *dashboardWatch) await(what, expr string) {
	w.t.Helper()
	eventually(w.t, time.Minute, what, func() error {
		found, err := w.query(expr)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("%s finds nothing", expr)
		}
		return err
	})
	w.moments = append(w.moments, time.Now())
}

func (w *dashboardWatch) check(d dashboard) {
	w.t.Helper()
	for _, p := range d.panels {
		most := make([]int, len(w.moments)+1)
		for i, target := range p.Targets {
			where := fmt.Sprintf("%s, panel %s, query %d", d.name, p.Title, i)
			for moment, count := range w.checkQuery(where, target) {
				if p.Type == "table" {
					most[moment] = max(most[moment], count) // The columns share their rows.
				} else {
					most[moment] += count
				}
			}
		}
		if slices.Max(most) >= 50 {
			w.t.Errorf("%s, panel %s: has %d series", d.name, p.Title, slices.Max(most))
		}
	}
	for _, q := range d.queries {
		w.checkQuery(d.name+", "+q.Name, q)
	}
}

// checkQuery runs a query as its panel does: at each moment, or over all the
// time. It returns how many series each run brought.
func (w *dashboardWatch) checkQuery(where string, q dashboardQuery) (counts []int) {
	w.t.Helper()
	expr := fillVariables(q.Expr)
	if strings.Contains(expr, "$") {
		w.t.Errorf("%s: a variable is not filled in: %s", where, expr)
		return nil
	}
	runs := []url.Values{{"start": {unix(w.began)}, "end": {unix(w.ended)}, "step": {"1"}}}
	path := "/api/v1/query_range"
	if q.Instant {
		path, runs = "/api/v1/query", nil
		for _, moment := range w.moments {
			runs = append(runs, url.Values{"time": {unix(moment)}})
		}
	}
	var found []map[string]string
	for _, run := range runs {
		run.Set("query", expr)
		var result struct{ Result []sample }
		if err := w.ask(path+"?"+run.Encode(), &result); err != nil {
			w.t.Errorf("%s: %v", where, err)
			return nil
		}
		counts = append(counts, len(result.Result))
		for _, s := range result.Result {
			found = append(found, s.Metric)
		}
	}
	quiet := slices.ContainsFunc(slices.Collect(maps.Keys(quietDashboardQueries)), func(part string) bool { return strings.Contains(expr, part) })
	if len(found) == 0 && !quiet {
		w.t.Errorf("%s finds no data:\n%s", where, expr)
	}
	w.checkNames(where, expr)
	for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
		for _, labels := range found {
			if labels[label[1]] == "" {
				w.t.Errorf("%s: the legend names %s, which %v has not", where, label[1], labels)
				break
			}
		}
	}
	return counts
}

// promqlNode is a part of a query, as Prometheus understands it.
type promqlNode struct {
	Type     string
	Name     string                               // of a selector
	Matchers []struct{ Name, Type, Value string } // of a selector
	Grouping []string                             // of an aggregation
}

// checkNames checks that every metric that a query names exists, and every
// label by which it selects or groups.
func (w *dashboardWatch) checkNames(where, expr string) {
	w.t.Helper()
	var tree any
	if err := w.ask("/api/v1/parse_query?query="+url.QueryEscape(expr), &tree); err != nil {
		w.t.Errorf("%s: %v", where, err)
		return
	}
	labels := map[string]bool{} // of all the metrics in the query
	var groupings []string
	walkJSON(tree, func(object json.RawMessage) {
		var node promqlNode
		if json.Unmarshal(object, &node) != nil {
			return
		}
		groupings = append(groupings, node.Grouping...)
		if node.Type != "vectorSelector" && node.Type != "matrixSelector" {
			return
		}
		known := w.labels(node.Name)
		// Native histograms are a matter of the scrape's configuration.
		if len(known) == 0 && node.Name != "yativo_api_request_duration_seconds" && !slices.Contains(learnedMetrics, node.Name) {
			w.t.Errorf("%s: there is no metric %s", where, node.Name)
		}
		maps.Copy(labels, known)
		for _, m := range node.Matchers {
			if len(known) > 0 && !known[m.Name] {
				w.t.Errorf("%s: %s has no label %s", where, node.Name, m.Name)
			}
		}
	})
	for _, label := range groupings {
		if !labels[label] {
			w.t.Errorf("%s: groups by %s, which no metric in it has", where, label)
		}
	}
}

// labels are those of a metric, its name included; none if there is no such
// metric.
func (w *dashboardWatch) labels(metric string) map[string]bool {
	w.t.Helper()
	if _, ok := w.series[metric]; !ok {
		var series []map[string]string
		query := url.Values{"match[]": {metric}, "start": {unix(w.began)}, "end": {unix(w.ended)}}
		if err := w.ask("/api/v1/series?"+query.Encode(), &series); err != nil {
			w.t.Fatal(err)
		}
		w.series[metric] = series
	}
	names := map[string]bool{}
	for _, s := range w.series[metric] {
		for name := range s {
			names[name] = true
		}
	}
	return names
}

// ask decodes the data of an answer of Prometheus.
func (w *dashboardWatch) ask(path string, data any) error {
	w.t.Helper()
	code, body, _ := testutil.Get(w.t, w.url+path)
	if code != http.StatusOK {
		return fmt.Errorf("%s: %d: %s", path, code, body)
	}
	answer := struct{ Data any }{data}
	return errors.Join(json.Unmarshal([]byte(body), &answer))
}

// walkJSON calls f with every object in a JSON value, as JSON.
func walkJSON(value any, f func(json.RawMessage)) {
	switch v := value.(type) {
	case map[string]any:
		if text, err := json.Marshal(v); err == nil {
			f(text)
		}
		for _, inner := range v {
			walkJSON(inner, f)
		}
	case []any:
		for _, inner := range v {
			walkJSON(inner, f)
		}
	}
}

func unix(at time.Time) string { return fmt.Sprintf("%.3f", float64(at.UnixMilli())/1000) }
