package alerts_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v2"

	"yativo-card-exporter/alerts"
)

// run runs the command and returns what it printed; it must exit with 0.
func run(t *testing.T, args ...string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := alerts.Command(args, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Fatalf("alerts %v: exit code %d: %s", args, code, stderr.String())
	}
	return stdout.Bytes()
}

func TestCheckedInRulesAreThoseOfTheCommand(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(string(run(t)), string(read(t, alerts.RulesFile))); diff != "" {
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
		{[]string{"-kyc-stalled-min", "7"}, []string{
			`-last_over_time(job_flow_status:yativo_card_stalled_customers:max{flow_status="kyc_initiated"}[12h]) >= 3`,
			`-{{ $value }} customers (the page needs 3) have been in {{ $labels.flow_status }} for longer than`,
			`+last_over_time(job_flow_status:yativo_card_stalled_customers:max{flow_status="kyc_initiated"}[12h]) >= 7`,
			`+{{ $value }} customers (the page needs 7) have been in {{ $labels.flow_status }} for longer than`,
		}},
		{[]string{"-kyc-quiet-min", "1d12h", "-kyc-quiet-max", "5d"}, []string{"-86400, 345600", "+129600, 432000"}},
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
			`+group by (job) (up{job="cards-eu"})`,
			`+or absent(up{job="cards-eu"})`,
			`+unless on (job) (up{job="cards-eu"} == 1)`,
		}},
		{[]string{"-job", ` cards.eu, "odd" `}, []string{
			`-group by (job) (up{job="yativo-card-exporter"})`,
			`-or absent(up{job="yativo-card-exporter"})`,
			`-unless on (job) (up{job="yativo-card-exporter"} == 1)`,
			`+group by (job) (up{job=~"cards\\.eu|\"odd\""})`,
			`+or absent(up{job="cards.eu"})`,
			`+or absent(up{job="\"odd\""})`,
			`+unless on (job) (up{job=~"cards\\.eu|\"odd\""} == 1)`,
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
func changedLines(a, b []byte) []string {
	var changed []string
	collect := func(sign string, from, other []byte) {
		lines := strings.Split(string(other), "\n")
		for line := range strings.SplitSeq(string(from), "\n") {
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

// A rehearsal must differ in its durations, in all of them, and in nothing else.
func TestTimeScaleDividesEveryDuration(t *testing.T) {
	t.Parallel()
	const scale = 60
	plain, scaled := parse(t, run(t)), parse(t, run(t, "-time-scale", "60"))

	// What stands in brackets is a window with its step; what is compared or
	// computed with seconds has five digits or more, or is a refresh interval.
	windows := regexp.MustCompile(`\[(\w+)(?::(\w+))?\]`)
	seconds := regexp.MustCompile(`\b[0-9]{5,}\b|interval_seconds > ([0-9.]+)`)
	for i, r := range plain {
		s := scaled[i]
		type found struct {
			text       string
			fewScrapes bool
		}
		durations := func(r rule) []found {
			all := []found{{r.For, true}, {r.KeepFiringFor, false}}
			for _, text := range []string{r.Expr, r.Annotations["description"]} {
				for _, match := range windows.FindAllStringSubmatch(text, -1) {
					all = append(all, found{match[1], match[2] == ""}, found{match[2], false})
				}
			}
			return slices.DeleteFunc(all, func(f found) bool { return f.text == "" })
		}
		before, after := durations(r), durations(s)
		if len(before) != len(after) {
			t.Fatalf("%s%s has %d durations, scaled %d", r.Record, r.Alert, len(before), len(after))
		}
		for j := range before {
			// A for, or a window without a step, holds at least a few scrapes.
			want := duration(t, before[j].text) / scale
			if before[j].fewScrapes {
				want = max(want, 10*time.Second)
			}
			if got := duration(t, after[j].text); got != want {
				t.Errorf("%s%s: %s became %v, want %v", r.Record, r.Alert, before[j].text, got, want)
			}
		}
		shape := func(r rule) string {
			return seconds.ReplaceAllString(windows.ReplaceAllString(r.Expr, "[]"), "#")
		}
		rescaled := regexp.MustCompile(`\b(10080|1440|5760|21600|5)\b`).ReplaceAllStringFunc(shape(s), func(n string) string {
			v, err := strconv.ParseFloat(n, 64)
			if err != nil {
				t.Fatal(err)
			}
			if v == 5 {
				return n
			}
			return "#"
		})
		if want := shape(r); rescaled != want {
			t.Errorf("%s%s differs in more than durations:\n%s\n%s", r.Record, r.Alert, rescaled, want)
		}
	}
	if !bytes.Contains(run(t, "-time-scale", "60"), []byte("1440, 5760")) {
		t.Error("the limits of silence are not 24 and 96 hours divided by 60, in seconds")
	}
	if !bytes.Contains(run(t, "-time-scale", "10000"), []byte("interval: 1s\n")) {
		t.Error("the interval is not held at a second")
	}
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := model.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(d)
}

func TestOperatorFormatHoldsTheSameGroups(t *testing.T) {
	t.Parallel()
	var object struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name string }
		Spec       ruleFile
	}
	if err := yaml.UnmarshalStrict(run(t, "-format", "operator"), &object); err != nil {
		t.Fatal(err)
	}
	if object.APIVersion != "monitoring.coreos.com/v1" || object.Kind != "PrometheusRule" || object.Metadata.Name != "yativo-card-exporter" {
		t.Errorf("the object is %s %s %q", object.APIVersion, object.Kind, object.Metadata.Name)
	}
	var file ruleFile
	if err := yaml.UnmarshalStrict(run(t), &file); err != nil {
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
		got := read(t, filepath.Join(folder, name))
		if diff := cmp.Diff(string(read(t, name)), string(got)); diff != "" {
			t.Errorf("%s differs (-repository +folder):\n%s", name, diff)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 4 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestBadParametersAreNamed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-kyc-stalled-min", "0"}, "-kyc-stalled-min is 0, must be at least 1"},
		{[]string{"-safe-stalled-min", "-1"}, "-safe-stalled-min is -1, must be at least 1"},
		{[]string{"-kyc-quiet-min", "0s"}, "-kyc-quiet-min is 0s, must be positive"},
		{[]string{"-kyc-quiet-min", "5d"}, "-kyc-quiet-max is 4d, must be at least -kyc-quiet-min, 5d"},
		{[]string{"-kyc-quiet-max", "1w"}, "-kyc-quiet-max is 1w, must be below the week"},
		{[]string{"-kyc-quiet-min", "soon"}, `invalid value "soon" for flag -kyc-quiet-min`},
		{[]string{"-label", "team"}, `"team" lacks the value`},
		{[]string{"-label", "9=x"}, `-label "9" is no name of a label`},
		{[]string{"-label", "team={{ .Alert }}"}, `-label "team" has a template for a value`},
		{[]string{"-runbook-url", "http://h/runbook#"}, "-runbook-url"},
		{[]string{"-label", "severity=low"}, `-label "severity" is set by the rules themselves`},
		{[]string{"-runbook-url", "/runbook"}, `-runbook-url is "/runbook", must be an http or https address`},
		{[]string{"-dashboard-url", "http://g/?x=1"}, `-dashboard-url is "http://g/?x=1", must be`},
		{[]string{"-job", ""}, "-job must name at least one job"},
		{[]string{"-job", "a,,b"}, "-job must name at least one job, and none may be empty"},
		{[]string{"-time-scale", "0"}, "-time-scale is 0, must be 1 to 10000"},
		{[]string{"-time-scale", "NaN"}, "-time-scale is NaN, must be 1 to 10000"},
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
	alerts.Command([]string{"-kyc-stalled-min", "0", "-time-scale", "0", "-format", "x"}, &stdout, &stderr)
	for _, name := range []string{"alerts: -kyc-stalled-min", "alerts: -time-scale", "alerts: -format"} {
		if !strings.Contains(stderr.String(), name) {
			t.Errorf("stderr lacks %q: %s", name, stderr.String())
		}
	}
}

func TestHelpExitsWithZeroAndUnwritableFolderWithOne(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := alerts.Command([]string{"-help"}, &stdout, &stderr); code != 0 || !strings.Contains(stderr.String(), "-kyc-quiet-max") {
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
