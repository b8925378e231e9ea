//go:build linux

package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"yativo-card-exporter/internal/testutil"
)

// recorded are the figures of the run that wrote the page.
func recorded(t *testing.T) (f figures) {
	t.Helper()
	raw, err := os.ReadFile("figures.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPageIsWhatTheRunMeasured(t *testing.T) {
	page, err := testutil.ReadSection("../../docs/performance.md", "figures")
	if err != nil {
		t.Fatal(err)
	}
	if want := recorded(t).markdown(); page.Text != want {
		t.Errorf("docs/performance.md does not show figures.json; `make docs` writes both. Want:\n%s", want)
	}
}

func TestPromisesAreKept(t *testing.T) {
	f := recorded(t)
	if len(f.Rows) != 12 || len(f.Growth) != 5 {
		t.Fatalf("%d promises and %d sizes were measured", len(f.Rows), len(f.Growth))
	}
	for _, r := range f.Rows {
		if !r.kept() {
			t.Errorf("%s: measured %v, limit %v", r.What, r.Measured, r.Limit)
		}
	}
}

// Each row costs the same in a program of a hundred thousand and of a million,
// and neither scrapes nor series grow.
func TestGrowthIsLinear(t *testing.T) {
	g := recorded(t).Growth
	each := func(i int) float64 {
		return (g[i].CPU - g[i-1].CPU) / float64(g[i].Customers-g[i-1].Customers)
	}
	if ratio := each(4) / each(3); ratio > 1.25 {
		t.Errorf("a row costs %.2f times as much in the largest program", ratio)
	}
	for _, size := range g {
		// A full last page may be followed by one request more.
		if more := size.PageRequests - size.Customers/100; size.Series != g[0].Series || more < 0 || more > 1 {
			t.Errorf("%d customers have %d series and take %d requests", size.Customers, size.Series, size.PageRequests)
		}
	}
}

func TestMissedPromisesAreShown(t *testing.T) {
	f := figures{Rows: []row{
		{What: "a", Measured: 1.21, Limit: 1.2},
		{What: "b", Measured: 0.94, Limit: 0.95, AtLeast: true},
		{What: "c", Measured: 1.2, Limit: 1.2},
		{What: "d", Measured: 0.95, Limit: 0.95, AtLeast: true},
	}}
	var verdicts []string
	for line := range strings.Lines(f.markdown()) {
		if cells := strings.Split(line, " | "); len(cells) == 5 {
			verdicts = append(verdicts, cells[3])
		}
	}
	if got := strings.Join(verdicts, ","); got != "**missed**,**missed**,kept,kept" {
		t.Errorf("the verdicts are %s", got)
	}
}
