package main_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// lasting are the panels that are about what lasts when the data are too old:
// the verdict that says so, and the alerts.
var lasting = []string{"Current?", "Alerts that fire", "Alerts that fired"}

// What derives from customers or balances vanishes with them. A counter that
// stands still, or a silence that grows, would look like a program that does.
func TestNothingOutlivesTheData(t *testing.T) {
	t.Parallel()
	promql := parser.NewParser(parser.Options{})
	for file, d := range shipped(t) {
		if file == "yativo-card-exporter.json" {
			continue // It is about the exporter, which is there.
		}
		if first := *d.Panels[0].Panel.Title; first != "Current?" {
			t.Errorf("%s: begins with %s, want whether it can be believed", file, first)
		}
		for _, p := range panels(d) {
			if slices.Contains(lasting, *p.Title) {
				continue
			}
			for _, query := range targets(t, p) {
				expr, err := promql.ParseExpr(fill(query.Expr))
				if err != nil {
					t.Fatal(err)
				}
				if !vanishes(expr) {
					t.Errorf("%s: %s goes on being shown when the data are too old:\n%s", file, *p.Title, query.Expr)
				}
			}
		}
	}
}

// lastingSeries are series of the customers that do not vanish with the data.
var lastingSeries = []string{
	"yativo_card_stalled_after_seconds", "yativo_card_abandoned_after_seconds", "yativo_card_status_transitions_total",
	"yativo_card_status_duration_seconds_bucket", "yativo_card_last_advance_timestamp_seconds",
	"yativo_card_tracking_since_timestamp_seconds",
}

// vanishes tells whether an expression selects nothing as soon as the customers'
// and the balances' series are gone. What is taken over a range, or of another
// time, outlives them.
func vanishes(expr parser.Expr) bool {
	switch e := expr.(type) {
	case *parser.VectorSelector:
		return strings.HasPrefix(e.Name, "yativo_card_") && !slices.Contains(lastingSeries, e.Name) && e.OriginalOffset == 0
	case *parser.ParenExpr:
		return vanishes(e.Expr)
	case *parser.AggregateExpr:
		return vanishes(e.Expr)
	case *parser.UnaryExpr:
		return vanishes(e.Expr)
	case *parser.BinaryExpr:
		switch e.Op {
		case parser.LOR:
			return vanishes(e.LHS) && vanishes(e.RHS)
		case parser.LUNLESS:
			return vanishes(e.LHS)
		default:
			return vanishes(e.LHS) || vanishes(e.RHS)
		}
	case *parser.Call:
		return e.Func.Name != "absent" && slices.ContainsFunc(e.Args, vanishes)
	default: // Numbers, strings, and what is taken over a range.
		return false
	}
}

func TestVanishing(t *testing.T) {
	t.Parallel()
	promql := parser.NewParser(parser.Options{})
	for query, want := range map[string]bool{
		"max (yativo_card_customers)":                                            true,
		"time() - yativo_card_oldest_entry_timestamp_seconds":                    true,
		"yativo_card_last_advance_timestamp_seconds and on () yativo_card_cards": true,
		"yativo_card_cards or vector(3)":                                         false,
		"vector(3) unless yativo_card_cards":                                     false,
		"yativo_card_customers offset 1d":                                        false,
		"max_over_time(yativo_card_customers[1d])":                               false,
		"sum (increase(yativo_card_status_transitions_total[1h]))":               false,
		"absent(yativo_card_customers)":                                          false,
	} {
		expr, err := promql.ParseExpr(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := vanishes(expr); got != want {
			t.Errorf("%s vanishes: %t, want %t", query, got, want)
		}
	}
}

// Grafana ends what Prometheus sent with a value of null, which the legend says as
// a dash: without it, each line of the legend would say that the panel is empty.
func TestLegendsShowNoValueOfWhatHasEnded(t *testing.T) {
	t.Parallel()
	graphs := 0
	for file, d := range shipped(t) {
		for _, p := range panels(d) {
			if p.Type != "timeseries" {
				continue
			}
			graphs++
			options, err := json.Marshal(p.Options)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(options), `"calcs":["last"]`) {
				t.Errorf("%s: the legend of %s shows %s, want the last value, be it null", file, *p.Title, options)
			}
			mappings, err := json.Marshal(p.FieldConfig.Defaults.Mappings)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(mappings), `"match":"null","result":{"text":"–"}`) {
				t.Errorf("%s: %s has no words for null: %s", file, *p.Title, mappings)
			}
		}
	}
	if graphs < 10 {
		t.Errorf("found %d graphs", graphs)
	}
}
