//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/tools/rehearsal"
)

// alertsFolder is the folder of the alert pack, as seen from here.
const alertsFolder = root + "/alerts"

// renderRules returns what the alerts command prints.
func renderRules(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if code := alerts.Command(args, &stdout, &stderr); code != 0 {
		t.Fatalf("alerts %v: exit code %d: %s", args, code, stderr.String())
	}
	return stdout.String()
}

// renderRehearsal returns the same, with rules that run faster.
func renderRehearsal(t *testing.T, factor float64, args ...string) string {
	t.Helper()
	rules, err := rehearsal.Hasten([]byte(renderRules(t, args...)), factor)
	if err != nil {
		t.Fatal(err)
	}
	return string(rules)
}

// runTool runs a tool to its end; it must succeed.
func runTool(t *testing.T, program string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), tool(t, program), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}

func writeFile(t *testing.T, folder, name, content string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAlertRulesAreAccepted(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, rules := range map[string]string{
		"default.yml":   renderRules(t),
		"rehearsal.yml": renderRehearsal(t, 1440),
		"jobs.yml":      renderRules(t, "-job", `cards-eu,cards.us,"odd"`, "-label", `note=a "quoted": #1`),
	} {
		path := writeFile(t, folder, name, rules)
		runTool(t, "promtool", "check", "rules", "--lint-fatal", path)
	}
	// With several jobs a regular expression is needed, and with one it is not.
	runTool(t, "pint", "--offline", "lint", "--fail-on=warning", filepath.Join(folder, "default.yml"), filepath.Join(folder, "jobs.yml"))
}

// The rules' own tests, which promtool also runs by hand: promtool test rules
// alerts/*_test.yml.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	testRules(t, renderRules(t), func(tests []byte) string { return string(tests) })
}

// testRules runs the rules' own tests, as edited, against rules.
func testRules(t *testing.T, rules string, edit func(tests []byte) string) {
	t.Helper()
	files, err := filepath.Glob(alertsFolder + "/*_test.yml")
	if err != nil || len(files) < 5 {
		t.Fatalf("found the tests %v, %v", files, err)
	}
	folder := t.TempDir()
	writeFile(t, folder, alerts.RulesFile, rules)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			runTool(t, "promtool", "test", "rules", writeFile(t, folder, filepath.Base(file), edit(content)))
		})
	}
}
