//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// figures are what a run has measured.
type figures struct {
	Machine string
	Rows    []row
	Growth  []growth
}

// row is one promise: what was measured and what it must be.
type row struct {
	What     string
	How      string
	Unit     string  // "×" for a ratio
	Measured float64 // the median, where it was measured more than once
	Limit    float64
	AtLeast  bool   // the limit is a lower one
	Beside   string // what the figure is made of
}

// kept reports whether the promise is.
func (r row) kept() bool {
	if r.AtLeast {
		return r.Measured >= r.Limit
	}
	return r.Measured <= r.Limit
}

// growth is what one size of program costs.
type growth struct {
	Customers    int
	CPU          float64 // of the exporter's whole process with one walk, in seconds
	UpstreamCPU  float64 // of the API's process meanwhile, in seconds
	Walk         float64 // in seconds
	Scrape       float64 // the median, in milliseconds
	Series       int
	Memory       float64 // peak, in MiB
	StateFile    float64 // in millions of bytes
	PageRequests int
}

// markdown renders the figures for docs/performance.md.
func (f figures) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s.\n\n", f.Machine)
	b.WriteString("| what | measured | must be | | how, and what it is made of |\n|---|--:|--:|---|---|\n")
	for _, r := range f.Rows {
		bound, verdict := "≤", "kept"
		if r.AtLeast {
			bound = "≥"
		}
		if !r.kept() {
			verdict = "**missed**"
		}
		fmt.Fprintf(&b, "| %s | %s %s | %s %s | %s | %s: %s |\n", r.What,
			number(r.Measured), r.Unit, bound, number(r.Limit), verdict, r.How, r.Beside)
	}
	b.WriteString("\n| customers | page requests | walk | CPU, whole process | of it per row | the API's own CPU | scrape, p50 | series | peak memory | state file |\n")
	b.WriteString("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for i, g := range f.Growth {
		fmt.Fprintf(&b, "| %d | %d | %s s | %s s | %s | %s s | %s ms | %d | %s MiB | %s MB |\n", g.Customers, g.PageRequests,
			number(g.Walk), number(g.CPU), perRow(f.Growth, i), number(g.UpstreamCPU), number(g.Scrape), g.Series, number(g.Memory), number(g.StateFile))
	}
	return b.String()
}

// perRow is the CPU time of each row that a program has beyond the next smaller
// one, so that what every start costs is no part of it.
func perRow(all []growth, i int) string {
	if i == 0 {
		return ""
	}
	cost := (all[i].CPU - all[i-1].CPU) / float64(all[i].Customers-all[i-1].Customers)
	return fmt.Sprintf("%.1f µs", cost*1e6)
}

// number shows three digits that matter.
func number(v float64) string {
	switch {
	case v == float64(int(v)):
		return fmt.Sprintf("%.0f", v)
	case v < 0.1:
		return fmt.Sprintf("%.3f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

// median sorts the values.
func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile sorts the values.
func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	return values[min(len(values)-1, int(q*float64(len(values))))]
}
