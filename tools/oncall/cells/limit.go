package cells

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Limit is what the alerts must keep to in a cell.
type Limit struct {
	Says string
	Kept func(Result) bool
}

// Missed are the limits that a result does not keep, in words.
func (r Result) Missed() (missed []string) {
	for _, l := range r.Cell.Limits {
		if !l.Kept(r) {
			missed = append(missed, l.Says)
		}
	}
	return missed
}

// Together are the results of cells that differ in nothing but the event or its moment,
// taken as one.
func Together(results []Result) (all []Result) {
	places := map[string]int{}
	for _, r := range results {
		if len(r.Cell.Together) == 0 {
			continue
		}
		key := fmt.Sprint(r.Cell.Table, r.Cell.Program.SignUpsPerDay, r.Cell.Program.Review)
		place, known := places[key]
		if !known {
			place = len(all)
			places[key] = place
			c := r.Cell
			c.Event, c.Limits = "all of these", c.Together
			all = append(all, Result{Cell: c})
		}
		all[place].Outcomes = append(all[place].Outcomes, r.Outcomes...)
	}
	return all
}

// Mean is the average over the seeds.
func (r Result) Mean(value func(Outcome) int) float64 {
	sum := 0
	for _, o := range r.Outcomes {
		sum += value(o)
	}
	return float64(sum) / float64(len(r.Outcomes))
}

// Share is the share of the seeds for which something holds.
func (r Result) Share(holds func(Outcome) bool) float64 {
	return r.Mean(func(o Outcome) int {
		if holds(o) {
			return 1
		}
		return 0
	})
}

// Quantile is a quantile over the seeds, 0.5 being the median.
func (r Result) Quantile(q float64, value func(Outcome) time.Duration) time.Duration {
	values := make([]time.Duration, len(r.Outcomes))
	for i, o := range r.Outcomes {
		values[i] = value(o)
	}
	slices.SortFunc(values, cmp.Compare)
	return values[max(0, int(math.Ceil(q*float64(len(values))))-1)]
}

func pages(o Outcome) int                { return o.Pages }
func tickets(o Outcome) int              { return o.Tickets }
func kycPages(o Outcome) int             { return o.KYCPages }
func toPage(o Outcome) time.Duration     { return o.ToPage }
func workToPage(o Outcome) time.Duration { return o.WorkToPage }
func toTold(o Outcome) time.Duration     { return o.ToTold }
func toTicket(o Outcome) time.Duration   { return o.ToTicket }
func toClear(o Outcome) time.Duration    { return o.ToClear }
func atMost(what string, most float64, value func(Outcome) int) Limit {
	return Limit{fmt.Sprintf("at most %v %s", most, what), func(r Result) bool { return r.Mean(value) <= most }}
}

func median(what string, most time.Duration, value func(Outcome) time.Duration) Limit {
	return Limit{fmt.Sprintf("%s within %v h (median)", what, most.Hours()), func(r Result) bool { return r.Quantile(0.5, value) <= most }}
}

func always(what string, most time.Duration, value func(Outcome) time.Duration) Limit {
	return Limit{fmt.Sprintf("%s within %v h, always", what, most.Hours()), func(r Result) bool {
		return !slices.ContainsFunc(r.Outcomes, func(o Outcome) bool { return value(o) > most })
	}}
}

func share(what string, least float64, holds func(Outcome) bool) Limit {
	return Limit{fmt.Sprintf("%s in %v %%", what, 100*least), func(r Result) bool { return r.Share(holds) >= least }}
}
