package alerts

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"yativo-card-exporter/internal/exitcode"
	"yativo-card-exporter/internal/filepack"
)

// listForwarded is where whoever has forwarded the exporter's private port, as
// the runbook says, finds the list of who is stalled.
const listForwarded = "http://localhost:10102/stalled"

// RulesFile is the name of the rule file that is checked in and that -o writes.
const RulesFile = "yativo-card.rules.yml"

// Command runs the alerts command and returns its exit code: 0, 1 if nothing
// could be written, 64 for parameters that cannot be used.
func Command(args []string, stdout, stderr io.Writer) int {
	p := DefaultParams()
	set := flag.NewFlagSet("alerts", flag.ContinueOnError)
	set.SetOutput(stderr)
	folder := set.String("o", "", "write the rules, Alertmanager's example configuration, its templates and the runbook to this `folder` instead of the rules to stdout")
	set.Var((*duration)(&p.SilenceWithoutRhythm), "silence-without-rhythm", "`duration` without an advance after which the alert fires while the program's rhythm is not known")
	set.IntVar(&p.SafeStalledMin, "safe-stalled-min", p.SafeStalledMin, "`customers` stalled in safe_deploying that make a page; fewer make a ticket")
	set.Func("label", "add the label `name=value` to every alert; may be repeated", p.addLabel)
	set.StringVar(&p.RunbookURL, "runbook-url", p.RunbookURL, "`address` of the runbook; alerts add #name")
	prometheus := set.String("prometheus-url", "", "`address` of Prometheus, for the links from the queries of the runbook that -o writes")
	set.StringVar(&p.DashboardURL, "dashboard-url", p.DashboardURL, "`address` of Grafana; alerts add /d/uid")
	var jobs []string
	set.Func("job", fmt.Sprintf("`names` of the scrape jobs that must exist, separated by commas; may be repeated (default %q)", strings.Join(p.Jobs, ",")), func(s string) error {
		for job := range strings.SplitSeq(s, ",") {
			jobs = append(jobs, strings.TrimSpace(job))
		}
		p.Jobs = jobs
		return nil
	})
	set.Func("format", fmt.Sprintf("`%s|%s`: a rule file, or a PrometheusRule object (default %q)", FormatPrometheus, FormatOperator, p.Format), func(s string) error {
		p.Format = Format(s)
		return nil
	})
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitcode.OK
	case err != nil:
		return exitcode.Usage
	case set.NArg() > 0:
		fmt.Fprintf(stderr, "alerts: unexpected argument %q; all parameters are flags, see -help\n", set.Arg(0))
		return exitcode.Usage
	}
	rules, err := Render(p)
	if err == nil && *prometheus != "" && !isBase(*prometheus) {
		err = fmt.Errorf("-prometheus-url is %q, must be an http or https address without query or fragment", *prometheus)
	}
	if err != nil {
		fmt.Fprintf(stderr, "alerts: %s\n", strings.ReplaceAll(err.Error(), "\n", "\nalerts: "))
		return exitcode.Usage
	}
	warnOfLocalLinks(p, stderr)
	if *folder == "" {
		_, err = stdout.Write(rules)
	} else {
		err = writePack(*folder, rules, Links{Prometheus: *prometheus, Grafana: p.DashboardURL, Stalled: listForwarded}, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "alerts: write the alert pack: %v\n", err)
		return exitcode.Failed
	}
	return exitcode.OK
}

// warnOfLocalLinks says which links of the alerts lead nowhere but on the
// machine of the exporter, since nobody chose them.
func warnOfLocalLinks(p Params, stderr io.Writer) {
	d := DefaultParams()
	if p.RunbookURL == d.RunbookURL {
		fmt.Fprintf(stderr, "alerts: the alerts link to the runbook at %s; set -runbook-url to an address that the people on call can open\n", p.RunbookURL)
	}
	if p.DashboardURL == d.DashboardURL {
		fmt.Fprintf(stderr, "alerts: the alerts link to Grafana at %s; set -dashboard-url to an address that the people on call can open\n", p.DashboardURL)
	}
}

// writePack writes the rules and all the files that need no parameters. The
// configuration of Alertmanager and its templates are there to be changed, so
// what was changed is kept.
func writePack(folder string, rules []byte, links Links, stderr io.Writer) error {
	page, err := RunbookHTML(links)
	if err != nil {
		return err
	}
	pack := []filepack.File{{Name: RulesFile, Content: rules}, {Name: "runbook.html", Content: page}}
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "rules.yml.tmpl" {
			return err
		}
		content, err := files.ReadFile(name)
		pack = append(pack, filepack.File{Name: name, Content: content, Editable: name != "runbook.md"})
		return err
	})
	if err != nil {
		return err
	}
	kept, err := filepack.Write(folder, pack)
	for _, name := range kept {
		fmt.Fprintf(stderr, "alerts: %s differs from the shipped version and is kept; the shipped version is written to %s\n", name, name+filepack.NewSuffix)
	}
	return err
}

func (p *Params) addLabel(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok {
		return fmt.Errorf("%s lacks the value, write name=value", strconv.Quote(s))
	}
	if p.Labels == nil {
		p.Labels = make(map[string]string)
	}
	p.Labels[name] = value
	return nil
}

// duration is a flag in Prometheus' notation, which has days and weeks.
type duration time.Duration

func (d *duration) String() string { return model.Duration(*d).String() }

func (d *duration) Set(s string) error {
	parsed, err := model.ParseDuration(s)
	*d = duration(parsed)
	return err
}
