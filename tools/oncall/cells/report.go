package cells

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Name names a cell in a line.
func (c Cell) Name() string {
	return fmt.Sprintf("%s: %s, %v a day, %s", c.Table, c.Event, c.Program.SignUpsPerDay, c.Program.Review)
}

// Line says in one line what a cell brought.
func (r Result) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", r.Cell.Name())
	if r.Cell.Cure > 0 {
		for _, part := range []struct {
			name  string
			value func(Outcome) time.Duration
		}{{"page", toPage}, {"work to page", workToPage}, {"right ticket", toTicket}, {"told", toTold}, {"clear", toClear}} {
			fmt.Fprintf(&b, " %s %s/%s", part.name, short(r.Quantile(0.5, part.value)), short(r.Quantile(0.9, part.value)))
		}
		if broke := r.Share(func(o Outcome) bool { return o.Broke }); broke > 0 {
			fmt.Fprintf(&b, " CLEARED EARLY %.0f %%", 100*broke)
		}
	}
	fmt.Fprintf(&b, " pages %.2f tickets %.2f", r.Mean(pages), r.Mean(tickets))
	sum := map[string]int{}
	for _, o := range r.Outcomes {
		for name, n := range o.Fired {
			sum[name] += n
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sum)) {
		fmt.Fprintf(&b, " [%s %.2f]", strings.TrimPrefix(name, "YativoCard"), float64(sum[name])/float64(len(r.Outcomes)))
	}
	if missed := r.Missed(); len(missed) > 0 {
		fmt.Fprintf(&b, " MISSED: %s", strings.Join(missed, "; "))
	}
	return b.String()
}

// short is a time in hours, or a dash if it did not come.
func short(d time.Duration) string {
	if d == Never {
		return "–"
	}
	return fmt.Sprintf("%.1f", d.Hours())
}
