package alerts_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v2"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/internal/testutil"
)

// run runs the command and returns what it printed; it must exit with 0 and
// complain of nothing but links that nobody chose.
func run(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr := runAloud(t, args...)
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "alerts: the alerts link to ") {
			t.Fatalf("alerts %v: %s", args, stderr)
		}
	}
	return stdout
}

// runAloud runs the command, which must exit with 0.
func runAloud(t *testing.T, args ...string) (printed, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := alerts.Command(args, &out, &errs); code != 0 {
		t.Fatalf("alerts %v: exit code %d: %s", args, code, errs.String())
	}
	return out.String(), errs.String()
}

// A page that links to localhost is of no use on a phone.
func TestLinksThatNobodyChoseAreSaid(t *testing.T) {
	t.Parallel()
	runbook := "alerts: the alerts link to the runbook at http://localhost:10101/runbook; set -runbook-url to an address that the people on call can open\n"
	dashboard := "alerts: the alerts link to Grafana at http://localhost:3000; set -dashboard-url to an address that the people on call can open\n"
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, runbook + dashboard},
		{[]string{"-o", t.TempDir()}, runbook + dashboard},
		{[]string{"-runbook-url", "https://wiki.example/yativo"}, dashboard},
		{[]string{"-runbook-url", "https://wiki.example/yativo", "-dashboard-url", "https://grafana.example"}, ""},
	} {
		if _, stderr := runAloud(t, test.args...); stderr != test.want {
			t.Errorf("alerts %v says %q, want %q", test.args, stderr, test.want)
		}
	}
}

func TestChangedFilesOfAlertmanagerAreKept(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	args := []string{"-o", folder, "-runbook-url", "https://wiki.example/yativo", "-dashboard-url", "https://grafana.example"}
	run(t, args...)
	changed := []string{"alertmanager.yml", filepath.Join("templates", "yativo-card.tmpl")}
	for _, name := range append(changed, alerts.RulesFile, "runbook.md") {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("changed"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, stderr := runAloud(t, args...)
	for _, name := range changed {
		if got := testutil.ReadFile(t, filepath.Join(folder, name)); got != "changed" {
			t.Errorf("%s is written over", name)
		}
		if diff := cmp.Diff(testutil.ReadFile(t, name), testutil.ReadFile(t, filepath.Join(folder, name+".new"))); diff != "" {
			t.Errorf("%s.new differs (-repository +folder):\n%s", name, diff)
		}
		if want := "alerts: " + filepath.ToSlash(name) + " differs from the shipped version and is kept"; !strings.Contains(stderr, want) {
			t.Errorf("no %q in: %s", want, stderr)
		}
	}
	for _, name := range []string{alerts.RulesFile, "runbook.md"} {
		if got := testutil.ReadFile(t, filepath.Join(folder, name)); got == "changed" {
			t.Errorf("%s is not written", name)
		}
	}
}

func TestCheckedInRulesAreThoseOfTheCommand(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(run(t), testutil.ReadFile(t, alerts.RulesFile)); diff != "" {
		t.Errorf("%s is not what the alerts command prints (-command +file); write it anew with the command:\n%s", alerts.RulesFile, diff)
	}
}

func TestParametersReachTheRules(t *testing.T) {
	t.Parallel()
	// Each parameter changes just these lines; "-" are gone, "+" are new.
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"-silence-without-rhythm", "1d12h"}, []string{
			"-last_over_time(job_flow_status:yativo_card_quiet_seconds:min[3d]) > 345600",
			"-{{- else }}The program's rhythm is not known yet, so this alert fires after 4d of silence.{{ end }}",
			"+last_over_time(job_flow_status:yativo_card_quiet_seconds:min[3d]) > 129600",
			"+{{- else }}The program's rhythm is not known yet, so this alert fires after 1d12h of silence.{{ end }}",
		}},
		{[]string{"-safe-stalled-min", "5"}, []string{
			`-last_over_time(job_flow_status:yativo_card_stalled_customers:max{flow_status="safe_deploying"}[12h]) >= 3`,
			`-and on (job) job_flow_status:yativo_card_stalled_customers:max{flow_status="safe_deploying"} >= 3`,
			`-{{ $value }} (severity critical begins at 3). A wallet normally takes minutes. They leave this count after`,
			`+last_over_time(job_flow_status:yativo_card_stalled_customers:max{flow_status="safe_deploying"}[12h]) >= 5`,
			`+and on (job) job_flow_status:yativo_card_stalled_customers:max{flow_status="safe_deploying"} >= 5`,
			`+{{ $value }} (severity critical begins at 5). A wallet normally takes minutes. They leave this count after`,
		}},
		{[]string{"-job", "cards-eu"}, []string{
			`-group by (job) (up{job="yativo-card-exporter"})`,
			`-or absent(up{job="yativo-card-exporter"})`,
			`-unless on (job) (up{job="yativo-card-exporter"} == 1)`,
			`-count by (job) (up{job="yativo-card-exporter"} == 0)`,
			`-count by (job) (up{job="yativo-card-exporter"} == 1)`,
			`-> min_over_time(process_start_time_seconds{job="yativo-card-exporter"}[5m])`,
			`-max_over_time(process_start_time_seconds{job="yativo-card-exporter"}[5m])`,
			`+group by (job) (up{job="cards-eu"})`,
			`+or absent(up{job="cards-eu"})`,
			`+unless on (job) (up{job="cards-eu"} == 1)`,
			`+count by (job) (up{job="cards-eu"} == 0)`,
			`+count by (job) (up{job="cards-eu"} == 1)`,
			`+> min_over_time(process_start_time_seconds{job="cards-eu"}[5m])`,
			`+max_over_time(process_start_time_seconds{job="cards-eu"}[5m])`,
		}},
		{[]string{"-job", ` cards.eu, "odd" `}, []string{
			`-group by (job) (up{job="yativo-card-exporter"})`,
			`-or absent(up{job="yativo-card-exporter"})`,
			`-unless on (job) (up{job="yativo-card-exporter"} == 1)`,
			`-count by (job) (up{job="yativo-card-exporter"} == 0)`,
			`-count by (job) (up{job="yativo-card-exporter"} == 1)`,
			`-> min_over_time(process_start_time_seconds{job="yativo-card-exporter"}[5m])`,
			`-max_over_time(process_start_time_seconds{job="yativo-card-exporter"}[5m])`,
			`+group by (job) (up{job=~"cards\\.eu|\"odd\""})`,
			`+or absent(up{job="cards.eu"})`,
			`+or absent(up{job="\"odd\""})`,
			`+unless on (job) (up{job=~"cards\\.eu|\"odd\""} == 1)`,
			`+count by (job) (up{job=~"cards\\.eu|\"odd\""} == 0)`,
			`+count by (job) (up{job=~"cards\\.eu|\"odd\""} == 1)`,
			`+> min_over_time(process_start_time_seconds{job=~"cards\\.eu|\"odd\""}[5m])`,
			`+max_over_time(process_start_time_seconds{job=~"cards\\.eu|\"odd\""}[5m])`,
		}},
	} {
		got := changedLines(run(t), run(t, test.args...))
		slices.Sort(test.want)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("alerts %v (-want +got):\n%s", test.args, diff)
		}
	}
}

// changedLines are the distinct lines that only one of two files has, the
// first's with a minus.
func changedLines(a, b string) []string {
	var changed []string
	collect := func(sign string, from, other string) {
		lines := strings.Split(other, "\n")
		for line := range strings.SplitSeq(from, "\n") {
			if signed := sign + strings.TrimSpace(line); !slices.Contains(lines, line) && !slices.Contains(changed, signed) {
				changed = append(changed, signed)
			}
		}
	}
	collect("-", a, b)
	collect("+", b, a)
	slices.Sort(changed)
	return changed
}

func TestLabelsAndLinksReachEveryAlert(t *testing.T) {
	t.Parallel()
	rules := parse(t, run(t, "-label", "team=cards", "-label", `note=a "quoted": #1`,
		"-runbook-url", "https://wiki.example/yativo", "-dashboard-url", "https://grafana.example/sub/"))
	for _, r := range rules {
		if r.Alert == "" {
			if len(r.Labels) > 0 {
				t.Errorf("%s has the labels %v, but labels are for alerts", r.Record, r.Labels)
			}
			continue
		}
		if r.Labels["team"] != "cards" || r.Labels["note"] != `a "quoted": #1` || r.Labels["severity"] == "" {
			t.Errorf("%s has the labels %v", r.Alert, r.Labels)
		}
		if want := "https://wiki.example/yativo#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s has the runbook_url %s, want %s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !strings.HasPrefix(r.Annotations["dashboard_url"], "https://grafana.example/sub/d/yativo-card-") {
			t.Errorf("%s has the dashboard_url %s", r.Alert, r.Annotations["dashboard_url"])
		}
	}
}

// Whoever reads the template reads rules: it is YAML before it is rendered.
func TestTemplateIsYAML(t *testing.T) {
	t.Parallel()
	template, rendered := parse(t, testutil.ReadFile(t, "rules.yml.tmpl")), parse(t, run(t))
	if len(template) != len(rendered) {
		t.Errorf("the template has %d rules, rendered %d", len(template), len(rendered))
	}
}

func TestOperatorFormatHoldsTheSameGroups(t *testing.T) {
	t.Parallel()
	var object struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name string }
		Spec       ruleFile
	}
	if err := yaml.UnmarshalStrict([]byte(run(t, "-format", "operator")), &object); err != nil {
		t.Fatal(err)
	}
	if object.APIVersion != "monitoring.coreos.com/v1" || object.Kind != "PrometheusRule" || object.Metadata.Name != "yativo-card-exporter" {
		t.Errorf("the object is %s %s %q", object.APIVersion, object.Kind, object.Metadata.Name)
	}
	var file ruleFile
	if err := yaml.UnmarshalStrict([]byte(run(t)), &file); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(file, object.Spec); diff != "" {
		t.Errorf("spec differs from the rule file (-file +spec):\n%s", diff)
	}
}

func TestFolderHoldsTheWholePack(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "new", "folder")
	if printed := run(t, "-o", folder); len(printed) > 0 {
		t.Errorf("printed %q", printed)
	}
	for _, name := range []string{alerts.RulesFile, "alertmanager.yml", "runbook.md", filepath.Join("templates", "yativo-card.tmpl")} {
		got := testutil.ReadFile(t, filepath.Join(folder, name))
		if diff := cmp.Diff(testutil.ReadFile(t, name), got); diff != "" {
			t.Errorf("%s differs (-repository +folder):\n%s", name, diff)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 5 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestBadParametersAreNamed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-safe-stalled-min", "-1"}, "-safe-stalled-min is -1, must be at least 1"},
		{[]string{"-silence-without-rhythm", "0s"}, "-silence-without-rhythm is 0s, must be positive"},
		{[]string{"-silence-without-rhythm", "soon"}, `invalid value "soon" for flag -silence-without-rhythm`},
		{[]string{"-label", "team"}, `"team" lacks the value`},
		{[]string{"-label", "9=x"}, `-label "9" is no name of a label`},
		{[]string{"-label", "team={{ .Alert }}"}, `-label "team" has a template for a value`},
		{[]string{"-runbook-url", "http://h/runbook#"}, "-runbook-url"},
		{[]string{"-label", "severity=low"}, `-label "severity" is set by the rules themselves`},
		{[]string{"-runbook-url", "/runbook"}, `-runbook-url is "/runbook", must be an http or https address`},
		{[]string{"-prometheus-url", "prom:9090"}, `-prometheus-url is "prom:9090", must be`},
		{[]string{"-prometheus-url", "http://prom/?x=1"}, `-prometheus-url is "http://prom/?x=1", must be`},
		{[]string{"-prometheus-url", "http://prom/#x"}, `-prometheus-url is "http://prom/#x", must be`},
		{[]string{"-dashboard-url", "http://g/?x=1"}, `-dashboard-url is "http://g/?x=1", must be`},
		{[]string{"-job", ""}, "-job must name at least one job"},
		{[]string{"-job", "a,,b"}, "-job must name at least one job, and none may be empty"},
		{[]string{"-format", "json"}, `-format is "json", must be prometheus or operator`},
		{[]string{"-unknown"}, "flag provided but not defined: -unknown"},
		{[]string{"rules"}, `unexpected argument "rules"`},
	} {
		var stdout, stderr bytes.Buffer
		code := alerts.Command(test.args, &stdout, &stderr)
		if code != 64 || stdout.Len() > 0 || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("alerts %v: exit code %d, stderr %q; want 64 and %q", test.args, code, stderr.String(), test.want)
		}
	}
}

func TestEveryBadParameterIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	alerts.Command([]string{"-silence-without-rhythm", "0", "-safe-stalled-min", "0", "-format", "x"}, &stdout, &stderr)
	for _, name := range []string{"alerts: -silence-without-rhythm", "alerts: -safe-stalled-min", "alerts: -format"} {
		if !strings.Contains(stderr.String(), name) {
			t.Errorf("stderr lacks %q: %s", name, stderr.String())
		}
	}
}

func TestHelpExitsWithZeroAndUnwritableFolderWithOne(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := alerts.Command([]string{"-help"}, &stdout, &stderr); code != 0 || !strings.Contains(stderr.String(), "-silence-without-rhythm") {
		t.Errorf("-help: exit code %d: %s", code, stderr.String())
	}
	stderr.Reset()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := alerts.Command([]string{"-o", file}, &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), file) {
		t.Errorf("-o a file: exit code %d: %s", code, stderr.String())
	}
}
