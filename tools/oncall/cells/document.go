package cells

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"yativo-card-exporter/tools/oncall/model"
)

const preface = `# What to expect of the alerts

Written by ` + "`make oncall`" + `, which plays card programs for months, drives the exporter's own tracker over
them and judges what it shows by the shipped rules, with Prometheus' own engine. Find the rows of a program like yours.
Nothing here was measured at a real program.

**The model.** Customers sign up by chance, most at 15:00, few at night, at weekends 30 % fewer; with a weekly newsletter
half of a week's come on one day. They leave for good at the OTP (20 %), before KYC (20 %), in KYC (30 %) and at the
questionnaire (25 %); "few" and "many" drop-outs are 10 % and 50 % of each. An OTP takes 2 minutes, opening the KYC link
30 minutes, the documents 10 minutes, the questionnaire an hour, a wallet 2 minutes; all these are medians, some take
many times as long. Review is automatic (10 minutes, at any hour), mixed (70 % automatic, the rest people), by weekday
reviewers (45 minutes of work, weekdays 9 to 18), a daily batch (weekdays at 17:00), or two batches a day (weekdays at
11:00 and 16:00). An active customer uses the card 1.5 times a day, so that a balance differs. What is lost in an outage
comes after the cure. Programs have run for six weeks before something happens, and for four before a healthy quarter of
13 weeks is counted. A list that is too long for the API's quota of 30 requests a minute is walked as slowly as that
demands.

**Shortcuts.** The list is walked every minute in which something moves, from 200 sign-ups a day on every 5 minutes. The
rules are evaluated every 5 minutes, in a healthy quarter every 10, so that a time here may be late by as much. Customers
to whom nothing happens any more leave the list after a while; no rule reads them. Kinds whose programs are the same
until something happens share those weeks, and with them their chance.

**What chance allows.** With 20 sign-ups a day and automatic review, 13 a day enter KYC and 30 % of them drop out there, so
that somebody passes about 815 times a quarter and a silence begins. It takes seven in a row who do not pass before chance
does that less than 0.3 times a quarter (815 × 0.3^7 = 0.2, 815 × 0.3^6 = 0.6). From a Friday at 18:00 on seven have come after some 19
hours, by day after 8: no rule that pages sooner keeps quiet in a healthy quarter. In the two weeks after an event that
breaks nothing, the same chance pages in one of some 35 plays.
`

// Report is the document that says what the cells brought.
func Report(results []Result) string {
	var b strings.Builder
	b.WriteString(preface)
	fewest, most, runs := len(results[0].Outcomes), 0, 0
	for _, r := range results {
		n := len(r.Outcomes)
		fewest, most, runs = min(fewest, n), max(most, n), runs+n
	}
	fmt.Fprintf(&b, "\n**Of this report.** %d of %d kinds of program and event were played: %d plays in all, %d to %d of each, "+
		"each time with other chance. Few plays say little of what is rare.\n", len(results), len(All()), runs, fewest, most)
	for _, table := range tables(results) {
		cells := slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return r.Cell.Table != table })
		fmt.Fprintf(&b, "\n## %s\n\n", table)
		if cells[0].Cell.Cure == 0 {
			quiet(&b, cells)
		} else {
			told(&b, cells)
		}
	}
	untold(&b, results)
	limits(&b, append(slices.Clone(results), Together(results)...))
	return b.String()
}

// tables are the names of the tables in the order of their first cells.
func tables(results []Result) (names []string) {
	for _, r := range results {
		if !slices.Contains(names, r.Cell.Table) {
			names = append(names, r.Cell.Table)
		}
	}
	return names
}

// quiet is a table of pages and tickets where nothing is wrong, with a row for
// an event and a kind of review, and a column for a size.
func quiet(b *strings.Builder, results []Result) {
	var sizes []float64
	type row struct {
		event  string
		review model.Review
	}
	var rows []row
	for _, r := range results {
		if !slices.Contains(sizes, r.Cell.Program.SignUpsPerDay) {
			sizes = append(sizes, r.Cell.Program.SignUpsPerDay)
		}
		if this := (row{r.Cell.Event, r.Cell.Program.Review}); !slices.Contains(rows, this) {
			rows = append(rows, this)
		}
	}
	slices.Sort(sizes)
	b.WriteString("Pages / tickets on average.\n\n| | review")
	for _, size := range sizes {
		fmt.Fprintf(b, " | %v a day", size)
	}
	b.WriteString(" |\n|---|---" + strings.Repeat("|--:", len(sizes)) + "|\n")
	for _, row := range rows {
		fmt.Fprintf(b, "| %s | %s", row.event, row.review)
		for _, size := range sizes {
			value := ""
			for _, r := range results {
				if r.Cell.Event == row.event && r.Cell.Program.Review == row.review && r.Cell.Program.SignUpsPerDay == size {
					value = fmt.Sprintf("%.1f / %.1f", r.Mean(pages), r.Mean(tickets))
				}
			}
			fmt.Fprintf(b, " | %s", value)
		}
		b.WriteString(" |\n")
	}
}

// told is a table of how soon a stall is told, with a row for each cell.
func told(b *strings.Builder, results []Result) {
	b.WriteString(`Hours, median / 90th percentile; – is not before the cure. "Over" is the time from the first who gets
through after the cure to the end of the page, or of the ticket where there is no page.

| | sign-ups a day | review | page | first page or ticket | ticket that names the step | over |
|---|--:|---|--:|--:|--:|--:|
`)
	both := func(r Result, value func(Outcome) time.Duration) string {
		return short(r.Quantile(0.5, value)) + " / " + short(r.Quantile(0.9, value))
	}
	for _, r := range results {
		c := r.Cell
		fmt.Fprintf(b, "| %s | %v | %s | %s | %s | %s | %s |\n", c.Event, c.Program.SignUpsPerDay, c.Program.Review,
			both(r, toPage), both(r, toTold), both(r, toTicket), both(r, toClear))
	}
}

// untold lists what was not told before the cure, and what was called over too early.
func untold(b *strings.Builder, results []Result) {
	b.WriteString("\n## What was not told\n\n")
	none := true
	for _, r := range results {
		if r.Cell.Cure == 0 {
			continue
		}
		if never := r.Share(func(o Outcome) bool { return o.ToTold == Never }); never > 0 {
			none = false
			fmt.Fprintf(b, "- %s: in %.0f %% no alert before the cure.\n", r.Cell.Name(), 100*never)
		}
		if broke := r.Share(func(o Outcome) bool { return o.Broke }); broke > 0 {
			none = false
			fmt.Fprintf(b, "- %s: in %.0f %% the alert ended before the cure.\n", r.Cell.Name(), 100*broke)
		}
	}
	if none {
		b.WriteString("Everything above was told before its cure, and nothing was called over before.\n")
	}
}

// limits lists the limits that were missed.
func limits(b *strings.Builder, results []Result) {
	b.WriteString("\n## Limits\n\n")
	held, missed := 0, 0
	for _, r := range results {
		held += len(r.Cell.Limits)
		for _, limit := range r.Missed() {
			missed++
			fmt.Fprintf(b, "- Missed. %s: %s.\n", r.Cell.Name(), limit)
		}
	}
	if missed == 0 {
		fmt.Fprintf(b, "All %d limits are kept.\n", held)
	} else {
		fmt.Fprintf(b, "\nThe other %d of %d limits are kept.\n", held-missed, held)
	}
}
