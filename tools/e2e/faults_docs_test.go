//go:build e2e

package e2e_test

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"testing"

	"yativo-card-exporter/internal/testutil"
)

// documented compares a part of docs/faults.md with what a test saw, or writes
// it where `make docs` asks for that.
func documented(t *testing.T, part, want string) {
	t.Helper()
	section := faultsSection(t, part)
	switch {
	case os.Getenv("DOCS") == "write":
		if err := section.Replace(want); err != nil {
			t.Fatal(err)
		}
	case section.Text != want:
		t.Errorf("docs/faults.md is not what this run saw; `make docs` writes it anew. The run saw:\n%s", want)
	}
}

// recorded writes a part of docs/faults.md that differs from run to run, where
// `make docs` asks for that.
func recorded(t *testing.T, part, content string) {
	t.Helper()
	t.Log(content)
	if os.Getenv("DOCS") == "write" {
		documented(t, part, content)
	}
}

// faultsSection is a part of docs/faults.md.
func faultsSection(t *testing.T, part string) testutil.Section {
	t.Helper()
	section, err := testutil.ReadSection(root+"/docs/faults.md", part)
	if err != nil {
		t.Fatal(err)
	}
	return section
}

// renderTable is the table of faults in Markdown.
func renderTable(seen []*observation) string {
	var b strings.Builder
	group := ""
	for _, o := range seen {
		if o.group != group {
			group = o.group
			fmt.Fprintf(&b, "\n### Faults of the %s\n\n", group)
			b.WriteString("| fault | `yativo_up` | reason | breaker | the log says once | requests a refresh | right again |\n")
			b.WriteString("|---|---|---|---|---|---|---|\n")
		}
		up, reason, says, breaker := "1", "", "", "closed"
		if o.effect.reason != "" {
			up, reason, says = "0", "`"+o.effect.reason+"`", o.effect.says
		}
		if o.effect.breaker {
			breaker = "opens"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | ≤ %d | %s |\n", o.name, up, reason, breaker, says, o.effect.requests, o.within())
	}
	return b.String() + "\n"
}

// within says when the data are right again after the fault.
func (o *observation) within() string {
	if o.effect.reason == "" {
		if o.shows == "" {
			return "never wrong"
		}
		return "never wrong: " + o.shows
	}
	within := "after a refresh"
	if o.effect.breaker {
		within += " and a cooldown"
	}
	if o.effect.wait > 0 {
		within += fmt.Sprintf(" and the wait of %.0f s", o.effect.wait.Seconds())
	}
	return within
}

// measured records the worst figures of all rows.
func measured(t *testing.T, seen []*observation) {
	t.Helper()
	worst := func(figure func(figures) float64) (float64, string) {
		o := slices.MaxFunc(seen, func(a, b *observation) int { return cmp.Compare(figure(a.figures), figure(b.figures)) })
		return figure(o.figures), o.group + ": " + o.name
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| worst of %d rows | measured | bound | in |\n|---|---|---|---|\n", len(seen))
	for _, line := range []struct {
		what, value, bound string
		figure             func(figures) float64
	}{
		{
			"`/metrics`, median, against an exporter without a fault", "%.1f×", fmt.Sprintf("%.0f×, once it takes %v", mostScrapeRatio, scrapeNoise),
			func(f figures) float64 { return f.scrapeRatio },
		},
		{
			"right again, after the time that the table allows", "%+.1f s", fmt.Sprintf("+%.0f s, for a busy machine", faultSlack.Seconds()),
			func(f figures) float64 { return (f.recovery - f.bound).Seconds() },
		},
		{"peak resident memory", "%.0f MiB", fmt.Sprintf("%d MiB", mostMemory>>20), func(f figures) float64 { return float64(f.memory >> 20) }},
		{"goroutines, afterwards against before", "%+.0f", fmt.Sprintf("+%d", mostGoroutines), func(f figures) float64 { return float64(f.goroutines) }},
		{"file descriptors, likewise", "%+.0f", fmt.Sprintf("+%d", mostDescriptors), func(f figures) float64 { return float64(f.fds) }},
		{"lines of log in a fault", "%.0f", "each once", func(f figures) float64 { return float64(f.logs) }},
	} {
		value, in := worst(line.figure)
		fmt.Fprintf(&b, "| %s | "+line.value+" | %s | %s |\n", line.what, value, line.bound, in)
	}
	recorded(t, "figures", b.String())
}

// discard is a log that nobody reads.
func discard() *log.Logger { return log.New(io.Discard, "", 0) }
