package alerts_test

import (
	"html"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v2"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/internal/testutil"
)

// rule is a rule of a rule file.
type rule struct {
	Record        string
	Alert         string
	Expr          string
	For           string
	KeepFiringFor string `yaml:"keep_firing_for"`
	Labels        map[string]string
	Annotations   map[string]string
}

type ruleFile struct {
	Groups []struct {
		Name     string
		Interval string
		Rules    []rule
	}
}

// parse reads a rendered rule file strictly and returns all of its rules.
func parse(t *testing.T, content string) []rule {
	t.Helper()
	var file ruleFile
	if err := yaml.UnmarshalStrict([]byte(content), &file); err != nil {
		t.Fatal(err)
	}
	var rules []rule
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	if len(rules) == 0 {
		t.Fatal("no rules")
	}
	return rules
}

// shipped are the checked-in rules that alert.
func shipped(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(parse(t, testutil.ReadFile(t, alerts.RulesFile)), func(r rule) bool { return r.Alert == "" })
}

// Whoever is woken by an alert finds in it what is wrong, by how much, what to
// do first, and where to read on.
func TestEveryAlertSaysWhatToDo(t *testing.T) {
	t.Parallel()
	alerting := shipped(t)
	for _, r := range alerting {
		if !strings.HasPrefix(r.Alert, "YativoCard") {
			t.Errorf("%s does not begin with YativoCard", r.Alert)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
		}
		// Prometheus restores the state of for after a restart only from ten minutes on.
		if r.Labels["severity"] == "critical" && r.For != "10m" && r.For != "20m" {
			t.Errorf("%s is a page with for %q", r.Alert, r.For)
		}
		for _, name := range []string{"summary", "description", "runbook_url", "dashboard_url"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s has no %s", r.Alert, name)
			}
		}
		description := r.Annotations["description"]
		valueless := r.Alert == "YativoCardExporterDown" // What is absent has no value.
		if !strings.Contains(description, "$value") && !valueless || !strings.Contains(description, "First: ") {
			t.Errorf("%s does not describe its value and what to do first", r.Alert)
		}
		if want := "http://localhost:10101/runbook#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s has the runbook_url %s, want %s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !regexp.MustCompile(`/d/yativo-card-(onboarding|balances|exporter)(\?|$)`).MatchString(r.Annotations["dashboard_url"]) {
			t.Errorf("%s leads to no shipped dashboard: %s", r.Alert, r.Annotations["dashboard_url"])
		}
	}
}

// A link that leads nowhere costs the minutes that matter most.
func TestEveryAlertHasItsRunbookSection(t *testing.T) {
	t.Parallel()
	sections := make(map[string]string)
	for section := range strings.SplitSeq(testutil.ReadFile(t, "runbook.md"), "\n## ") {
		name, body, _ := strings.Cut(section, "\n")
		sections[name] = body
	}
	delete(sections, "# Runbook")

	page, err := alerts.RunbookHTML(alerts.Links{})
	if err != nil {
		t.Fatal(err)
	}
	alerting := shipped(t)
	named := make(map[string]bool)
	for _, r := range alerting {
		named[r.Alert] = true
		body := sections[r.Alert]
		for _, part := range []string{"**Means.**", "**Affected.**", "**Look at**", "\n1. ", "\n2. ", "\n3. ", "**Do", "**Clears"} {
			if !strings.Contains(body, part) {
				t.Errorf("the runbook's section on %s lacks %q", r.Alert, part)
			}
		}
		if words, _, _ := strings.Cut(r.Annotations["summary"], "{{"); !strings.Contains(string(page), "The alert says: <q>"+strings.ReplaceAll(html.EscapeString(words), "\n", " ")) {
			t.Errorf("the runbook's page lacks the words of %s: %s", r.Alert, words)
		}
		if anchor := `<h2 id="` + strings.ToLower(r.Alert) + `"><a id="` + r.Alert + `"></a>`; !strings.Contains(string(page), anchor) {
			t.Errorf("the runbook's page lacks %s", anchor)
		}
	}
	if want := "<q>KYC stalled: … customers entered, nobody passed in …</q>"; !strings.Contains(string(page), want) {
		t.Errorf("the runbook's page lacks %s", want)
	}
	for name := range sections {
		if !named[name] {
			t.Errorf("the runbook has a section on %s, which is no alert", name)
		}
	}
}

func TestRunbookPageIsHTML(t *testing.T) {
	t.Parallel()
	page, err := alerts.RunbookHTML(alerts.Links{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<h1>Runbook</h1>",
		"<strong>Means.</strong>",
		"<code>job_flow_status:yativo_card_last_advance_timestamp_seconds:max{flow_status=&#34;kyc_initiated&#34;}</code>",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, element := range []string{"ol", "li", "p", "h2", "code", "strong"} {
		opened := len(regexp.MustCompile("<"+element+"[ >]").FindAll(page, -1))
		closed := strings.Count(string(page), "</"+element+">")
		if opened == 0 || opened != closed {
			t.Errorf("%s is opened %d times and closed %d times", element, opened, closed)
		}
	}
	if left := regexp.MustCompile("\\*\\*|`|\n#").Find(page); left != nil {
		t.Errorf("the page has %q left over from Markdown", left)
	}
}

// The page leads on: to the sections, and where an address is given to each
// query, the dashboards and the list.
func TestRunbookPageLeadsOn(t *testing.T) {
	t.Parallel()
	page, err := alerts.RunbookHTML(alerts.Links{Prometheus: "https://prom.example/", Grafana: "https://grafana.example/g", Status: "./", Stalled: "stalled"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<a href="https://prom.example/graph?g0.tab=1&amp;g0.expr=yativo_card_stalled_customers%7Bflow_status%3D%22safe_deploying%22%7D"><code>`,
		`<a href="https://grafana.example/g/d/yativo-card-onboarding">`,
		`<nav><a href="./">Status page</a>`,
		`<a href="stalled?flow_status=kyc_initiated"><code>`,
		`<a href="stalled"><code>/stalled?flow_status=…</code></a>`,
		`see <a href="#yativocardauthfailing">YativoCardAuthFailing</a>`,
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, match := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(string(page), -1) {
		if !strings.Contains(string(page), `<h2 id="`+match[1]+`">`) {
			t.Errorf("#%s leads nowhere", match[1])
		}
	}
}

// Each query of the runbook is ready to run in the page that is written, as it
// stands in the text, whatever the address of Prometheus ends in.
func TestWrittenRunbookRunsEachQuery(t *testing.T) {
	t.Parallel()
	var queries []string
	for _, item := range regexp.MustCompile(`(?m)^[1-9]\. .*$`).FindAllString(testutil.ReadFile(t, "runbook.md"), -1) {
		for _, code := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(item, -1) {
			queries = append(queries, code[1])
		}
	}
	if len(queries) < 60 {
		t.Fatalf("%d queries", len(queries))
	}
	for address, root := range map[string]string{
		"http://prom.example:9090":            "http://prom.example:9090/graph?",
		"https://prom.example/":               "https://prom.example/graph?",
		"https://mon.example/prom/etheus":     "https://mon.example/prom/etheus/graph?",
		"https://mon.example/prometheus/a+b/": "https://mon.example/prometheus/a+b/graph?",
	} {
		folder := t.TempDir()
		run(t, "-o", folder, "-prometheus-url", address)
		var linked []string
		for _, match := range regexp.MustCompile(`href="([^"]*g0\.expr=[^"]*)"><code>`).FindAllStringSubmatch(testutil.ReadFile(t, filepath.Join(folder, "runbook.html")), -1) {
			u, err := url.Parse(html.UnescapeString(match[1]))
			if err != nil || !strings.HasPrefix(u.String(), root) || u.Query().Get("g0.tab") != "1" {
				t.Errorf("%s: %s, %v", address, match[1], err)
				continue
			}
			linked = append(linked, u.Query().Get("g0.expr"))
		}
		if diff := cmp.Diff(queries, linked); diff != "" {
			t.Errorf("%s: the links do not run the queries (-text +links):\n%s", address, diff)
		}
	}
}

// A name that is misspelt in a regular expression mutes nothing, silently.
func TestAlertmanagerNamesOnlyAlertsThatExist(t *testing.T) {
	t.Parallel()
	alerting := shipped(t)
	config := testutil.ReadFile(t, "alertmanager.yml")
	named := regexp.MustCompile(`YativoCard(\w+|\([\w|]+\))`).FindAllStringSubmatch(config, -1)
	if len(named) < 10 {
		t.Fatalf("found only %d names", len(named))
	}
	for _, match := range named {
		for name := range strings.SplitSeq(strings.Trim(match[1], "()"), "|") {
			if !slices.ContainsFunc(alerting, func(r rule) bool { return r.Alert == "YativoCard"+name }) {
				t.Errorf("alertmanager.yml names YativoCard%s, which is no alert", name)
			}
		}
	}
}

func TestSecretsAndPersonalDataStayOut(t *testing.T) {
	t.Parallel()
	config := testutil.ReadFile(t, "alertmanager.yml")
	for _, line := range regexp.MustCompile(`(?m)^\s*(-\s+)?\w*(url|key|token|password|secret)\w*: .*$`).FindAllString(config, -1) {
		if !regexp.MustCompile(`_file: /etc/alertmanager/secrets/\w+$`).MatchString(line) {
			t.Errorf("alertmanager.yml: %q does not read a file", strings.TrimSpace(line))
		}
	}
	for _, name := range []string{alerts.RulesFile, "alertmanager.yml", "templates/yativo-card.tmpl"} {
		if found := regexp.MustCompile(`e-?mail_|customer_id|external_`).FindString(testutil.ReadFile(t, name)); found != "" {
			t.Errorf("%s speaks of %s", name, found)
		}
	}
}
