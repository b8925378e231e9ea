package scaling_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/exporter"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/testutil"
)

// The page has every size and quota, says what the estimate says of each, and
// marks those in which wallets are told late.
func TestPageAgreesWithTheEstimate(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(page(t).Text), "\n")
	if len(rows) != 2+len(sizes()) {
		t.Fatalf("the table has %d lines", len(rows))
	}
	for i, customers := range sizes() {
		cells := strings.Split(strings.Trim(rows[i+2], "| "), " | ")
		if len(cells) != 1+len(quotas()) || cells[0] != fmt.Sprint(customers) {
			t.Fatalf("the row of %d customers is %q", customers, rows[i+2])
		}
		for j, quota := range quotas() {
			pace := paceOf(t, customers, quota)
			walk, unseen, _ := strings.Cut(cells[j+1], " / ")
			if off := parse(t, walk) - pace.Walk; off < -quotaWindow || off > quotaWindow+pace.Walk/20 {
				t.Errorf("%d customers at %d a minute: the page says %s, the estimate %s", customers, quota, walk, pace.Walk)
			}
			if late := mark(pace); strings.HasSuffix(unseen, " *") != (late != "") {
				t.Errorf("%d customers at %d a minute: the page says %q, but the mark is %q", customers, quota, unseen, late)
			}
		}
	}
}

// parse reads what short writes.
func parse(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(strings.Replace(strings.ReplaceAll(text, " ", ""), "min", "m", 1))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// mark tells the cells in which a stalled wallet is told late; the next
// threshold is a day.
func mark(pace exporter.Pace) string {
	if strings.Contains(pace.Late(onboarding.DefaultThresholds()), onboarding.SafeDeploying.String()) {
		return " *"
	}
	return ""
}

// short is a duration as people say it, to two digits or so.
func short(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	default:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
}

var write = flag.Bool("write", false, "write docs/scaling.md, large programs included") //nolint:gochecknoglobals // a flag of the test

// page is the table of the page.
func page(t *testing.T) testutil.Section {
	t.Helper()
	table, err := testutil.ReadSection("../../../docs/scaling.md", "table")
	if err != nil {
		t.Fatal(err)
	}
	return table
}
