//go:build e2e

package e2e_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/internal/testutil"
)

// vmalert learns which alerts fire an evaluation or two after it found out. A page
// mutes the ticket for its cause all the same: tried with Prometheus' engine, to
// which the alerts are told two minutes late, and with VictoriaMetrics' own.
func TestAnOutageLeavesNoTicketOnALateRuler(t *testing.T) {
	t.Parallel()
	var tests ruleTests
	if err := yaml.UnmarshalStrict([]byte(testutil.ReadFile(t, filepath.Join(alertsFolder, "exporter_data_test.yml"))), &tests); err != nil {
		t.Fatal(err)
	}
	tests.Tests = slices.DeleteFunc(tests.Tests, func(test ruleTest) bool { return test.Name != "an outage of an hour leaves no ticket behind" })
	if len(tests.Tests) != 1 {
		t.Fatalf("found %d cases", len(tests.Tests))
	}
	for i := range tests.Tests[0].Exprs {
		expr := &tests.Tests[0].Exprs[i].Expr // vmalert adds the group's name to each alert.
		*expr = fmt.Sprintf(`label_replace(%s, "alertgroup", "", "", "")`, *expr)
	}
	content, err := yaml.Marshal(tests)
	if err != nil {
		t.Fatal(err)
	}
	fired := regexp.MustCompile(`ALERTS\{[^}]*\}\[\w+\]`)
	for program, rules := range map[string]string{
		"promtool":     fired.ReplaceAllString(renderRules(t), "$0 offset 2m"),
		"vmalert-tool": renderRules(t),
	} {
		folder := t.TempDir()
		writeFile(t, folder, alerts.RulesFile, rules)
		if program == "promtool" {
			runTool(t, program, "test", "rules", writeFile(t, folder, "test.yml", string(content)))
			continue
		}
		runTool(t, program, "unittest", "--files="+writeFile(t, folder, "test.yml", strings.ReplaceAll(string(content), "promql_expr_test:", "metricsql_expr_test:")))
	}
}
