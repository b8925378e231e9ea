//go:build e2e

package e2e_test

import (
	"fmt"
	"regexp"
	"testing"

	"go.yaml.in/yaml/v2"
)

// ruleTests is a file of promtool's unit tests.
type ruleTests struct {
	RuleFiles          []string   `yaml:"rule_files"`
	EvaluationInterval string     `yaml:"evaluation_interval"`
	Tests              []ruleTest `yaml:"tests"`
}

type ruleTest struct {
	Name        string `yaml:"name"`
	Interval    string `yaml:"interval"`
	InputSeries []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	Alerts []struct {
		Alertname string `yaml:"alertname"`
		EvalTime  string `yaml:"eval_time"`
		Expected  []struct {
			Labels      map[string]string `yaml:"exp_labels"`
			Annotations map[string]string `yaml:"exp_annotations"`
		} `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test,omitempty"`
	Exprs []struct {
		Expr     string `yaml:"expr"`
		EvalTime string `yaml:"eval_time"`
		Expected []struct {
			Labels string  `yaml:"labels,omitempty"`
			Value  float64 `yaml:"value"`
		} `yaml:"exp_samples"`
	} `yaml:"promql_expr_test,omitempty"`
}

// A ruler such as Thanos' or vmalert adds its external labels to what it records,
// which the raw series do not have. The rules must not notice: every case of the
// pack holds with one more label on all that is recorded.
func TestAlertRulesWithARulersOwnLabels(t *testing.T) {
	t.Parallel()
	rules := regexp.MustCompile(`(?m)^( *)- record: .+$`).ReplaceAllString(
		renderRules(t, "-label", "cluster=eu-1"), "$0\n$1  labels: {cluster: eu-1}")
	testRules(t, rules, func(content []byte) string {
		var tests ruleTests
		if err := yaml.UnmarshalStrict(content, &tests); err != nil {
			t.Fatal(err)
		}
		for _, test := range tests.Tests {
			for _, alert := range test.Alerts {
				for _, expected := range alert.Expected {
					expected.Labels["cluster"] = "eu-1"
				}
			}
			for i := range test.Exprs {
				// The label has its place in the rules, not in each expectation.
				test.Exprs[i].Expr = fmt.Sprintf(`label_replace(%s, "cluster", "", "", "")`, test.Exprs[i].Expr)
			}
		}
		edited, err := yaml.Marshal(tests)
		if err != nil {
			t.Fatal(err)
		}
		return string(edited)
	})
}
