//go:build e2e

package e2e_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

// labelValues are the values of each label of a metric, or of all metrics.
type labelValues map[string][]string

// exposed reads an exposition in the text format into the labels of each metric.
func exposed(metrics string) map[string]labelValues {
	all := make(map[string]labelValues)
	line := regexp.MustCompile(`(?m)^([a-z]\w*)(?:\{(.*)\})? \S+$`)
	for _, found := range line.FindAllStringSubmatch(metrics, -1) {
		if all[found[1]] == nil {
			all[found[1]] = labelValues{"job": nil, "instance": nil}
		}
		for _, label := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(found[2], -1) {
			all[found[1]][label[1]] = append(all[found[1]][label[1]], label[2])
		}
	}
	return all
}

// An alert on a name that the exporter does not have never fires, and a query of
// the runbook that is empty misleads at the worst moment.
func TestAlertsNameOnlyWhatIsExposed(t *testing.T) {
	t.Parallel()
	api := sandbox.New(sandbox.Options{Seed: 7, Customers: 430})
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, api)))
	exporter.awaitReady()
	_, text := exporter.get("/metrics")
	metrics := exposed(text)

	anywhere := labelValues{"alertname": nil, "severity": nil}
	for _, labels := range metrics {
		for name, values := range labels {
			anywhere[name] = append(anywhere[name], values...)
		}
	}
	// What is not known yet is not exposed. docs/metrics.md, which a trained
	// exporter makes, holds these names.
	for _, name := range learnedMetrics {
		metrics[name] = anywhere
	}
	rules := renderRules(t)
	for _, found := range regexp.MustCompile(`- record: (\S+)`).FindAllStringSubmatch(rules, -1) {
		metrics[found[1]] = anywhere
	}

	var runbook []string
	for i, code := range strings.Split(testutil.ReadFile(t, alertsFolder+"/runbook.md"), "`") {
		if i%2 == 1 {
			runbook = append(runbook, code)
		}
	}
	templates := testutil.ReadFile(t, alertsFolder+"/templates/yativo-card.tmpl")
	config := testutil.ReadFile(t, alertsFolder+"/alertmanager.yml")

	checked := 0
	selector := regexp.MustCompile(`(?:^|[^\w:.])((?:\w+:)?(?:yativo_(?:card|exporter|api|up)|process_)\w*(?::\w+)?)(?:\{([^}]*)\})?`)
	for _, text := range []string{rules, strings.Join(runbook, "\n")} {
		for _, found := range selector.FindAllStringSubmatch(text, -1) {
			checked++
			labels, ok := metrics[found[1]]
			if !ok {
				t.Errorf("%s is exposed and recorded nowhere", found[1])
				continue
			}
			for _, matcher := range regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)(?:"([^"]*)")?`).FindAllStringSubmatch(found[2], -1) {
				values, ok := labels[matcher[1]]
				if !ok {
					t.Errorf("%s has no label %s", found[1], matcher[1])
				}
				// Which currencies there are is up to the API.
				if matcher[1] == "job" || matcher[1] == "currency" || matcher[2] == "" {
					continue
				}
				for value := range strings.SplitSeq(matcher[2], "|") {
					if !slices.Contains(values, value) {
						t.Errorf("%s has no %s=%q", found[1], matcher[1], value)
					}
				}
			}
		}
	}
	if checked < 100 {
		t.Errorf("checked only %d selectors", checked)
	}

	lists := regexp.MustCompile(`(?:\b(?:by|on|ignoring|group_left|group_right) \(|group_by: \[|equal: \[)([\w, ]*)[)\]]`)
	single := regexp.MustCompile(`(?:\$labels|\.Labels|\.CommonLabels)\.(\w+)`)
	for _, text := range append(runbook, rules, templates, config) {
		for _, found := range append(lists.FindAllStringSubmatch(text, -1), single.FindAllStringSubmatch(text, -1)...) {
			for _, label := range strings.FieldsFunc(found[1], func(r rune) bool { return r == ',' || r == ' ' }) {
				if _, ok := anywhere[label]; !ok {
					t.Errorf("%q names the label %s, which nothing has", found[0], label)
				}
			}
		}
	}
}
