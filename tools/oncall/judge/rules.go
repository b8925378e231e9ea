// Package judge evaluates alerting rules over what an exporter showed, with
// Prometheus' own engine, and tells when each alert fired.
package judge

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	prommodel "github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// Rules are the rules of a file, in the order in which they are evaluated.
type Rules struct {
	rules []rule
	reads map[string]bool // names of the metrics that they read
}

type rule struct {
	rulefmt.Rule

	expr   parser.Expr
	labels labels.Labels
}

// Parse reads a rule file, and of it the alerts of one group and the recorded
// series that they need. A rule that reads what it, or a later one, records is
// an error: such rules cannot be evaluated one after the other.
func Parse(content []byte, group string) (*Rules, error) {
	p := newParser()
	groups, problems := rulefmt.Parse(content, false, prommodel.UTF8Validation, p, slog.New(slog.DiscardHandler))
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	r := &Rules{reads: map[string]bool{}}
	for _, g := range slices.Backward(groups.Groups) {
		for _, parsed := range slices.Backward(g.Rules) {
			if parsed.Alert != "" && g.Name != group || parsed.Record != "" && !r.reads[parsed.Record] {
				continue
			}
			expr, err := p.ParseExpr(parsed.Expr)
			if err != nil {
				return nil, fmt.Errorf("parse %s%s: %w", parsed.Record, parsed.Alert, err)
			}
			for _, name := range metricNames(expr) {
				if name == parsed.Record || name == "ALERTS" || name == "ALERTS_FOR_STATE" {
					return nil, fmt.Errorf("%s%s reads %s, which has to be evaluated step by step", parsed.Record, parsed.Alert, name)
				}
				r.reads[name] = true
			}
			r.rules = append(r.rules, rule{parsed, expr, labels.FromMap(parsed.Labels)})
		}
	}
	slices.Reverse(r.rules)
	return r, nil
}

func newParser() parser.Parser { return parser.NewParser(parser.Options{}) }

// metricNames are the names of the series that an expression selects.
func metricNames(expr parser.Expr) (names []string) {
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			names = append(names, selector.Name)
		}
		return nil
	})
	return names
}

// Reads reports whether a rule reads series of a name.
func (r *Rules) Reads(name string) bool { return r.reads[name] }

// Firing is one time that an alert fired.
type Firing struct {
	Alert      string
	Labels     labels.Labels // of the alert, its name included
	Start, End time.Time     // End is zero if it fires to the end
}

// Status is the value of the label flow_status, if there is one.
func (f Firing) Status() string { return f.Labels.Get("flow_status") }

// Page reports whether it wakes people up.
func (f Firing) Page() bool { return f.Labels.Get("severity") == "critical" }

func sortFirings(firings []Firing) {
	slices.SortStableFunc(firings, func(a, b Firing) int {
		return cmp.Or(a.Start.Compare(b.Start), labels.Compare(a.Labels, b.Labels))
	})
}
