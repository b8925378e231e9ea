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

// The formats.
const (
	FormatPrometheus Format = "prometheus"
	FormatOperator   Format = "operator" // A PrometheusRule object.
)

// Params are what teams differ in. The zero value is not valid; start from
// DefaultParams.
type Params struct {
	// SilenceWithoutRhythm is for how long nobody must have advanced past a step
	// before that is told, as long as the program's rhythm is not known.
	SilenceWithoutRhythm time.Duration
	SafeStalledMin       int               // Customers stalled in safe_deploying before the page, at least 1.
	Labels               map[string]string // Added to every alert.
	RunbookURL           string            // The page with the runbook; alerts add an anchor.
	DashboardURL         string            // Grafana's root; alerts add the dashboard's path.
	Jobs                 []string          // The scrape jobs that must exist; alerts watch other jobs once they were seen.
	Format               Format
}

// DefaultParams are the parameters of the checked-in rule file. Its links work
// where exporter and Grafana run on the reader's own machine.
func DefaultParams() Params {
	return Params{
		SilenceWithoutRhythm: 96 * time.Hour,
		SafeStalledMin:       3,
		RunbookURL:           "http://localhost:10101/runbook",
		DashboardURL:         "http://localhost:3000",
		Jobs:                 []string{"yativo-card-exporter"},
		Format:               FormatPrometheus,
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
	check(p.SafeStalledMin >= 1, "-safe-stalled-min is %d, must be at least 1", p.SafeStalledMin)
	check(p.SilenceWithoutRhythm > 0, "-silence-without-rhythm is %s, must be positive", model.Duration(p.SilenceWithoutRhythm))
	for name, value := range p.Labels {
		check(!strings.Contains(value, "{{"), "-label %q has a template for a value, which Prometheus would expand", name)
		check(labelName.MatchString(name) && !strings.HasPrefix(name, "__"), "-label %q is no name of a label", name)
		check(!slices.Contains(reservedLabels, name), "-label %q is set by the rules themselves", name)
	}
	check(isBase(p.RunbookURL), "-runbook-url is %q, must be an http or https address without query or fragment", p.RunbookURL)
	check(isBase(p.DashboardURL), "-dashboard-url is %q, must be an http or https address without query or fragment", p.DashboardURL)
	check(len(p.Jobs) > 0 && !slices.Contains(p.Jobs, ""), "-job must name at least one job, and none may be empty")
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
	t, err := template.New("rules.yml.tmpl").Delims("<<", ">>").ParseFS(files, "rules.yml.tmpl")
	if err != nil {
		return nil, fmt.Errorf("parse the embedded rules: %w", err)
	}
	var rules bytes.Buffer
	err = t.Execute(&rules, struct {
		Params
		DashboardURL, MoreLabels, JobMatcher, OrAbsentJobs, SilenceText string
	}{p, strings.TrimSuffix(p.DashboardURL, "/"), moreLabels(p.Labels), jobMatcher(p.Jobs), orAbsentJobs(p.Jobs), model.Duration(p.SilenceWithoutRhythm).String()})
	if err != nil {
		return nil, fmt.Errorf("render the embedded rules: %w", err)
	}
	if p.Format == FormatOperator {
		return prometheusRule(rules.String()), nil
	}
	return rules.Bytes(), nil
}

// moreLabels are the lines of YAML that follow the last label of an alert.
func moreLabels(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&b, "\n          %s: %q", name, labels[name])
	}
	return b.String()
}

// jobMatcher selects the jobs in PromQL, without a regular expression if there
// is only one.
func jobMatcher(jobs []string) string {
	if len(jobs) == 1 {
		return "job=" + strconv.Quote(jobs[0])
	}
	quoted := make([]string, len(jobs))
	for i, job := range jobs {
		quoted[i] = regexp.QuoteMeta(job)
	}
	return "job=~" + strconv.Quote(strings.Join(quoted, "|"))
}

// orAbsentJobs are the lines of PromQL that yield an element for each job
// without a target.
func orAbsentJobs(jobs []string) string {
	var b strings.Builder
	for _, job := range jobs {
		fmt.Fprintf(&b, "\n              or absent(up{job=%q})", job)
	}
	return b.String()
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
