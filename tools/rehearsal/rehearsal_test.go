package rehearsal_test

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/tools/rehearsal"
)

var write = flag.Bool("write", false, "write the demo's rules anew")

const demoRules = "../../deploy/prometheus/rehearsal.rules.yml"

// What docker compose plays is today's rules, hastened.
func TestDemoRulesAreTheShippedOnes(t *testing.T) {
	t.Parallel()
	p := alerts.DefaultParams()
	p.SilenceWithoutRhythm = 6 * time.Hour
	rules, err := alerts.Render(p)
	if err != nil {
		t.Fatal(err)
	}
	hastened, err := rehearsal.Hasten(rules, 360)
	if err != nil {
		t.Fatal(err)
	}
	want := "# The shipped rules, 360 times as fast, for the demo alone: `make rules` writes them.\n" + string(hastened)
	if *write {
		if err := os.WriteFile(demoRules, []byte(want), 0o644); err != nil { // Prometheus reads it as another user.
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(demoRules)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not what the shipped rules become; run make rules (-want +file):\n%s", demoRules, diff)
	}
}

func TestHastenDividesDurationsAlone(t *testing.T) {
	t.Parallel()
	const before = `groups:
- name: a
  interval: 1m
  rules:
  - record: job:x:max
    expr: |
      clamp(5 * (604800 - x), 86400, 345600) and time() - y > 1296000 and q_seconds > 300
      and last_over_time(x[12h]) + last_over_time(x[10m]) + max_over_time(x[1w:1h]) >= 135
      and x offset 6h <= 0.3
  - alert: A
    expr: x > 10
    for: 30m
    keep_firing_for: 15m
    labels:
      severity: critical
    annotations:
      description: |
        more than 30% for 6h, {{ query "max_over_time(x[2h])" }}
      runbook_url: http://localhost:10101/runbook#a
`
	const want = `groups:
- name: a
  interval: 1s
  rules:
  - record: job:x:max
    expr: |
      clamp(5 * (10080 - x), 1440, 5760) and time() - y > 21600 and q_seconds > 5
      and last_over_time(x[12m]) + last_over_time(x[10s]) + max_over_time(x[2h48m:1m]) >= 135
      and x offset 6m <= 0.3
  - alert: A
    expr: x > 10
    for: 30s
    keep_firing_for: 15s
    labels:
      severity: critical
    annotations:
      description: |
        more than 30% for 6h, {{ query "max_over_time(x[2m])" }}
      runbook_url: http://localhost:10101/runbook#a
`
	got, err := rehearsal.Hasten([]byte(before), 60)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("60 times as fast (-want +got):\n%s", diff)
	}
	// Windows and for hold some scrapes, a longer for stays longer, and Prometheus is not overrun.
	got, err = rehearsal.Hasten([]byte(before), 10000)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"interval: 1s", "for: 30s", "x[10s]) + last_over_time(x[10s])", "[1m480ms:360ms]", "keep_firing_for: 90ms", "60.48 - x"} {
		if !strings.Contains(string(got), line) {
			t.Errorf("10000 times as fast lacks %q:\n%s", line, got)
		}
	}
}

// A number that a rehearsal leaves alone must not be one of seconds.
func TestShippedRulesHoldNoSecondsUnseen(t *testing.T) {
	t.Parallel()
	rules, err := alerts.Render(alerts.DefaultParams())
	if err != nil {
		t.Fatal(err)
	}
	hastened, err := rehearsal.Hasten(rules, 1e6)
	if err != nil {
		t.Fatal(err)
	}
	counts := []string{"135"} // of the 168 hours of a week
	for line := range strings.SplitSeq(string(hastened), "\n") {
		if strings.Contains(line, "_url:") {
			continue
		}
		for _, match := range regexp.MustCompile(`[\s(,](\d{3,})\b`).FindAllStringSubmatch(line, -1) {
			if !slices.Contains(counts, match[1]) {
				t.Errorf("%s is not divided; if it is no number of seconds, name it here: %s", match[1], strings.TrimSpace(line))
			}
		}
	}
}

func TestHastenRefusesWhatIsNoRuleFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"rules: []", "groups: [{name: a, interval: soon}]", "groups: [{name: a, rules: [{expr: 'x[1y2]'}]}]"} {
		if got, err := rehearsal.Hasten([]byte(text), 2); err == nil {
			t.Errorf("%s became %s", text, got)
		}
	}
}
