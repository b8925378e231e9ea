// Package alerts holds the alert pack of the exporter: the Prometheus rules, an
// example configuration of Alertmanager with its message templates, and the
// runbook that every alert links to.
package alerts

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/prometheus/common/model"
)

//go:embed rules.yml.tmpl alertmanager.yml templates runbook.md
var files embed.FS

// Format is the form in which Render writes the rules.
type Format string

// The formats. Prometheus' rule files are also what Mimir's ruler takes.
const (
	FormatPrometheus Format = "prometheus"
	FormatOperator   Format = "operator" // A PrometheusRule object.
)

// Params are what teams differ in. The zero value is not valid; start from
// DefaultParams.
type Params struct {
	KYCStalledMin  int               // Customers stalled in KYC before the page, at least 1.
	KYCQuietMin    time.Duration     // No silence of KYC shorter than this pages.
	KYCQuietMax    time.Duration     // Every silence of KYC longer than this pages.
	SafeStalledMin int               // Customers stalled in safe_deploying before the page, at least 1.
	Labels         map[string]string // Added to every alert.
	RunbookURL     string            // The page with the runbook; alerts add an anchor.
	DashboardURL   string            // Grafana's root; alerts add the dashboard's path.
	Jobs           []string          // The scrape jobs that must exist; alerts watch other jobs once they were seen.
	TimeScale      float64           // Divides every duration, for rehearsals; 1 to 10000. Windows and for stay at 10 s.
	Format         Format
}

// fewScrapes is what a rehearsal leaves of a window and of a for: a window that
// holds no two scrapes sees nothing, and before the first scrape all is absent.
const fewScrapes = 10 * time.Second

// DefaultParams are the parameters of the checked-in rule file. Its links work
// where exporter and Grafana run on the reader's own machine.
func DefaultParams() Params {
	return Params{
		KYCStalledMin:  3,
		KYCQuietMin:    24 * time.Hour,
		KYCQuietMax:    96 * time.Hour,
		SafeStalledMin: 3,
		RunbookURL:     "http://localhost:10101/runbook",
		DashboardURL:   "http://localhost:3000",
		Jobs:           []string{"yativo-card-exporter"},
		TimeScale:      1,
		Format:         FormatPrometheus,
	}
}

var (
	labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

	// Labels that tell alerts apart or route them, and so cannot be set for all.
	reservedLabels = []string{"alertname", "severity", "job", "flow_status", "currency", "part", "reason", "cause", "field"}
)

// Validate reports every parameter that cannot be used, by the name of its flag.
func (p Params) Validate() error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	check(p.KYCStalledMin >= 1, "-kyc-stalled-min is %d, must be at least 1", p.KYCStalledMin)
	check(p.SafeStalledMin >= 1, "-safe-stalled-min is %d, must be at least 1", p.SafeStalledMin)
	check(p.KYCQuietMin > 0, "-kyc-quiet-min is %s, must be positive", model.Duration(p.KYCQuietMin))
	check(p.KYCQuietMax >= p.KYCQuietMin, "-kyc-quiet-max is %s, must be at least -kyc-quiet-min, %s",
		model.Duration(p.KYCQuietMax), model.Duration(p.KYCQuietMin))
	check(p.KYCQuietMax < 7*24*time.Hour, "-kyc-quiet-max is %s, must be below the week over which the pace is taken",
		model.Duration(p.KYCQuietMax))
	for name, value := range p.Labels {
		check(!strings.Contains(value, "{{"), "-label %q has a template for a value, which Prometheus would expand", name)
		check(labelName.MatchString(name) && !strings.HasPrefix(name, "__"), "-label %q is no name of a label", name)
		check(!slices.Contains(reservedLabels, name), "-label %q is set by the rules themselves", name)
	}
	check(isBase(p.RunbookURL), "-runbook-url is %q, must be an http or https address without query or fragment", p.RunbookURL)
	check(isBase(p.DashboardURL), "-dashboard-url is %q, must be an http or https address without query or fragment", p.DashboardURL)
	check(len(p.Jobs) > 0 && !slices.Contains(p.Jobs, ""), "-job must name at least one job, and none may be empty")
	check(p.TimeScale >= 1 && p.TimeScale <= 10000, "-time-scale is %v, must be 1 to 10000", p.TimeScale)
	check(p.Format == FormatPrometheus || p.Format == FormatOperator, "-format is %q, must be %s or %s",
		p.Format, FormatPrometheus, FormatOperator)
	return errors.Join(problems...)
}

func isBase(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" &&
		!strings.ContainsAny(address, "{}'?#")
}

// Render returns the rules with the parameters filled in, or the error of
// Validate.
func Render(p Params) ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	// Prometheus' own templates use the usual delimiters.
	t, err := template.New("rules.yml.tmpl").Delims("<<", ">>").Funcs(p.funcs()).ParseFS(files, "rules.yml.tmpl")
	if err != nil {
		return nil, fmt.Errorf("parse the embedded rules: %w", err)
	}
	type severity struct {
		Severity string
		Min      int
	}
	type part struct{ Name, For, KeepFiringFor string }
	var rules bytes.Buffer
	err = t.Execute(&rules, struct {
		Params
		SafeSeverities []severity
		Parts          []part
	}{
		p,
		[]severity{{"warning", 1}, {"critical", p.SafeStalledMin}},
		[]part{{"customers", "10m", "5m"}, {"balances", "20m", "2m"}},
	})
	if err != nil {
		return nil, fmt.Errorf("render the embedded rules: %w", err)
	}
	if p.Format == FormatOperator {
		return prometheusRule(rules.String()), nil
	}
	return rules.Bytes(), nil
}

// funcs are what the template calls.
func (p Params) funcs() template.FuncMap {
	scaled := func(d time.Duration) time.Duration { return time.Duration(float64(d) / p.TimeScale) }
	seconds := func(d time.Duration) string { return strconv.FormatFloat(scaled(d).Seconds(), 'f', -1, 64) }
	duration := func(s string) (string, error) {
		d, err := model.ParseDuration(s)
		return model.Duration(scaled(time.Duration(d))).String(), err
	}
	few := func(s string) (string, error) {
		d, err := model.ParseDuration(s)
		return model.Duration(max(scaled(time.Duration(d)), fewScrapes)).String(), err
	}
	return template.FuncMap{
		"d":       duration,
		"few":     few,
		"seconds": seconds,
		"s": func(s string) (string, error) {
			d, err := model.ParseDuration(s)
			return seconds(time.Duration(d)), err
		},
		// A group evaluated many times a second would only load Prometheus.
		"interval": func() string { return model.Duration(max(scaled(time.Minute), time.Second)).String() },
		"quote":    strconv.Quote,
		"jobs": func() string {
			quoted := make([]string, len(p.Jobs))
			for i, job := range p.Jobs {
				quoted[i] = regexp.QuoteMeta(job)
			}
			if len(quoted) == 1 {
				return "job=" + strconv.Quote(p.Jobs[0])
			}
			return "job=~" + strconv.Quote(strings.Join(quoted, "|"))
		},
		"labels": p.labels,
		"links":  p.links,
		"ask": func(format, metric string, labels ...string) (string, error) {
			hold, err := few("12h")
			return ask(format, metric, hold, labels), err
		},
	}
}

// labels are those of an alert, as lines of YAML.
func (p Params) labels(severity string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "        labels:\n          severity: %s", severity)
	for _, name := range slices.Sorted(maps.Keys(p.Labels)) {
		fmt.Fprintf(&b, "\n          %s: %q", name, p.Labels[name])
	}
	return b.String()
}

// links are the annotations of an alert that lead on, as lines of YAML. Without
// a job the dashboard is left to choose one.
func (p Params) links(alert, dashboard string, job bool) string {
	query := ""
	if job {
		query = "?var-job={{ $labels.job | urlquery }}"
	}
	return fmt.Sprintf("          runbook_url: '%s#%s'\n          dashboard_url: '%s/d/yativo-card-%s%s'",
		p.RunbookURL, strings.ToLower(alert), strings.TrimSuffix(p.DashboardURL, "/"), dashboard, query)
}

// ask is an annotation's question for the last value of another series of the
// same program. A label is matched with the alert's own value of that name, or
// with the literal behind its equals sign.
func ask(format, metric, hold string, labels []string) string {
	var matchers, values []string
	for _, label := range labels {
		name, literal, fixed := strings.Cut(label, "=")
		if fixed {
			matchers = append(matchers, fmt.Sprintf(`%s=\"%s\"`, name, literal))
			continue
		}
		matchers = append(matchers, name+"=%q")
		values = append(values, "$labels."+name)
	}
	return fmt.Sprintf(`{{ with printf "max(last_over_time(%s{%s}[%s]))" %s | query }}{{ . | first | value | %s }}{{ else }}unknown{{ end }}`,
		metric, strings.Join(matchers, ","), hold, strings.Join(values, " "), format)
}

// prometheusRule wraps a rule file into the object that the Prometheus operator
// reads.
func prometheusRule(rules string) []byte {
	header, groups, _ := strings.Cut(rules, "groups:\n")
	var b bytes.Buffer
	b.WriteString(header)
	b.WriteString("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: yativo-card-exporter\nspec:\n  groups:\n")
	for line := range strings.Lines(groups) {
		if line != "\n" {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	return b.Bytes()
}
