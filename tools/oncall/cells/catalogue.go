package cells

import (
	"fmt"
	"time"

	"yativo-card-exporter/tools/oncall/model"
)

// Starts of events, in Berlin's summer time.
const (
	tuesday10  = settled + 1*day + 8*time.Hour
	friday18   = settled + 4*day + 16*time.Hour
	saturday03 = settled + 5*day + 1*time.Hour
)

func startName(start time.Duration) string {
	return map[time.Duration]string{tuesday10: "Tuesday 10:00", friday18: "Friday 18:00", saturday03: "Saturday 03:00"}[start]
}

func program(signUps float64, review model.Review, length time.Duration, events ...model.Event) model.Program {
	return model.Program{
		SignUpsPerDay: signUps, Review: review, DropOut: model.MidDropOut(), Length: length,
		HolidaysFrom: learned, Events: events,
	}
}

// seeds is how many seeds a program of a size gets: large ones vary less and
// take longer.
func seeds(signUps float64) int {
	switch {
	case signUps > 200:
		return 3
	case signUps > 20:
		return 6
	default:
		return 12
	}
}

// All are the cells of the report.
func All() []Cell {
	var all []Cell
	for _, table := range [][]Cell{healthy(), holidays(), outages(), losses(), brokenSteps(), growthAndSuch(), uncured(), frozen()} {
		all = append(all, table...)
	}
	return all
}

func healthy() (all []Cell) {
	// A few pages in dozens of quarters is what the limits of small programs are about.
	quarters := func(signUps float64) int {
		if signUps > 20 {
			return seeds(signUps)
		}
		return 2 * seeds(signUps)
	}
	add := func(event string, p model.Program) {
		all = append(all, Cell{
			Table: "A healthy quarter", Event: event, Program: p, Seeds: quarters(p.SignUpsPerDay), From: learned,
			Limits: []Limit{atMost("pages a quarter", 0.3, pages), atMost("tickets a quarter", 2, tickets)},
		})
	}
	for _, review := range model.Reviews() {
		for _, signUps := range []float64{1, 2, 5, 20, 200, 2000} {
			add("usual drop-outs", program(signUps, review, learned+quarter))
		}
		for event, shares := range map[string]model.DropOut{"few drop-outs": model.LowDropOut(), "many drop-outs": model.HighDropOut()} {
			p := program(20, review, learned+quarter)
			p.DropOut = shares
			add(event, p)
		}
	}
	for _, signUps := range []float64{2, 20, 200} {
		add("usual drop-outs", program(signUps, model.TwoBatches, learned+quarter))
		for _, review := range []model.Review{model.Automatic, model.Weekdays} {
			p := program(signUps, review, learned+quarter)
			p.Newsletter = true
			add("a weekly newsletter", p)
		}
	}
	return all
}

func holidays() (all []Cell) {
	for _, signUps := range []float64{2, 20, 200} {
		for _, review := range []model.Review{model.Mixed, model.Weekdays, model.DailyBatch} {
			c := Cell{
				Table: "A healthy quarter with five holidays", Event: "five holidays", Program: program(signUps, review, learned+quarter),
				Seeds: seeds(signUps), From: learned,
				Limits: []Limit{atMost("pages a quarter", 1.5, pages)},
			}
			c.Program.Holidays = 5
			all = append(all, c)
		}
	}
	return all
}

// outage is a stall of KYC for everybody.
func outage(signUps float64, review model.Review, start, lasts time.Duration, limits ...Limit) Cell {
	return Cell{
		Table: "Nobody gets through KYC", Event: fmt.Sprintf("%v h from %s", lasts.Hours(), startName(start)),
		Program: program(signUps, review, start+lasts+5*day, model.Event{Kind: model.ReviewOutage, Start: start, End: start + lasts, Share: 1}),
		Seeds:   max(4, seeds(signUps)), From: start, Cure: start + lasts, Through: "kyc_completed", Ticket: "kyc_initiated",
		Limits: limits,
	}
}

func outages() (all []Cell) {
	stands := share("never cleared before the cure", 1, func(o Outcome) bool { return !o.Broke })
	clears := always("cleared after the first who gets through", time.Hour, toClear)
	for _, review := range []model.Review{model.Automatic, model.Mixed} {
		for _, start := range []time.Duration{tuesday10, friday18} {
			all = append(all, outage(200, review, start, 3*day, median("page", 8*time.Hour, toPage), stands, clears))
		}
		short := outage(200, review, tuesday10, 8*time.Hour, share("paged", 0.875, func(o Outcome) bool { return o.ToPage != Never }), clears)
		short.Seeds = 8
		all = append(all, short, outage(200, review, saturday03, 3*day, stands, clears), outage(200, review, tuesday10, 2*time.Hour))
		for _, start := range []time.Duration{tuesday10, friday18} {
			all = append(all,
				together(outage(5, review, start, 14*day, stands, clears), median("page", 60*time.Hour, toPage)),
				together(outage(2, review, start, 14*day, stands, clears), median("page", 96*time.Hour, toPage)))
		}
	}
	for _, start := range []time.Duration{tuesday10, friday18, saturday03} {
		all = append(all, together(outage(20, model.Automatic, start, 3*day, stands, clears), median("page", 16*time.Hour, toPage)))
		for _, signUps := range []float64{20, 200} {
			all = append(all, outage(signUps, model.Weekdays, start, 5*day,
				median("page in working hours", 12*time.Hour, workToPage), stands, clears))
		}
		all = append(all, outage(20, model.DailyBatch, start, 7*day, stands, clears))
	}
	return all
}

// together limits a cell with those that differ from it in the moment alone. What a
// small program can tell at night and at weekends is bounded by how few come then.
func together(c Cell, limits ...Limit) Cell {
	c.Together = limits
	return c
}

func losses() (all []Cell) {
	add := func(signUps, share float64, review model.Review, start time.Duration, limits ...Limit) {
		c := outage(signUps, review, start, 3*day, limits...)
		c.Table, c.Event = "KYC loses a share", fmt.Sprintf("%v %% lost from %s", 100*share, startName(start))
		c.Program.Events[0].Share = share
		all = append(all, c)
	}
	for _, start := range []time.Duration{tuesday10, friday18} {
		for _, review := range []model.Review{model.Automatic, model.Mixed} {
			add(200, 0.95, review, start, median("told", 14*time.Hour, toTold))
			add(200, 0.5, review, start, median("told", 20*time.Hour, toTold))
			add(2000, 0.2, review, start, median("told", 24*time.Hour, toTold))
		}
		add(200, 0.5, model.Weekdays, start)
	}
	return all
}

func brokenSteps() (all []Cell) {
	for _, broken := range []struct {
		kind            model.Kind
		ticket, through string
	}{
		{model.OTPBroken, "otp_requested", "otp_verified"},
		{model.LinkBroken, "otp_verified", "kyc_initiated"},
		{model.QuestionnaireBroken, "kyc_completed", "safe_deploying"},
		{model.WalletsStuck, "safe_deploying", "card_created"},
		{model.SignUpsStop, "SignUps", "otp_requested"},
	} {
		for _, review := range []model.Review{model.Automatic, model.Mixed} {
			for signUps, within := range map[float64]time.Duration{20: 24 * time.Hour, 200: 8 * time.Hour} {
				all = append(all, Cell{
					Table: "Another step breaks", Event: string(broken.kind) + " from Tuesday 10:00, for 3 days",
					Program: program(signUps, review, tuesday10+5*day, model.Event{Kind: broken.kind, Start: tuesday10, End: tuesday10 + 3*day}),
					Seeds:   seeds(signUps), From: tuesday10, Cure: tuesday10 + 3*day, Through: broken.through, Ticket: broken.ticket,
					Limits: []Limit{median("the right ticket", within, toTicket), atMost("pages of KYC", 0, kycPages)},
				})
			}
		}
	}
	return all
}

func growthAndSuch() (all []Cell) {
	for _, e := range []model.Event{
		{Kind: model.WindDown},
		{Kind: model.CampaignPaused, End: 7 * day},
		{Kind: model.Import, Customers: 5000},
		{Kind: model.ReKYC, Share: 0.3},
		{Kind: model.Spike, End: day},
		{Kind: model.Growth},
		{Kind: model.Launch},
	} {
		e.Start, e.End = e.Start+tuesday10, e.End+tuesday10
		for _, signUps := range []float64{20, 200} {
			for _, review := range []model.Review{model.Automatic, model.Mixed, model.Weekdays} {
				all = append(all, pagesByChanceAlone(Cell{
					Table: "Nothing is broken", Event: string(e.Kind), Program: program(signUps, review, tuesday10+14*day, e),
					Seeds: max(4, seeds(signUps)/2), From: tuesday10,
				}))
			}
		}
	}
	for _, review := range model.Reviews() { // Summer time begins within.
		all = append(all, Cell{
			Table: "Nothing is broken", Event: "summer time begins", Program: program(20, review, 5*week), Seeds: 8,
			From: 26 * day, Limits: []Limit{atMost("pages", 0, pages)},
		})
	}
	return all
}

// pagesByChanceAlone limits the pages of a cell in which nothing is broken. A program of
// 20 sign-ups a day pages by chance now and then, whatever else happens; an event that
// pages by itself would in more than one of six plays.
func pagesByChanceAlone(c Cell) Cell {
	if c.Program.SignUpsPerDay > 20 {
		c.Limits = []Limit{atMost("pages", 0, pages)}
		return c
	}
	c.Limits = []Limit{atMost("pages, in six plays one", 1.0/6, pages)}
	lasts := c.Program.Length - c.From
	return together(c, Limit{"at most 0.3 pages a quarter", func(r Result) bool {
		return r.Mean(pages)*float64(quarter)/float64(lasts) <= 0.3
	}})
}

// uncured are stalls of two weeks beside which something else happens.
func uncured() (all []Cell) {
	add := func(event string, review model.Review, change func(c *Cell)) {
		c := outage(200, review, tuesday10, 14*day,
			median("page", 12*time.Hour, toPage),
			share("never cleared before the cure", 1, func(o Outcome) bool { return !o.Broke }))
		c.Table, c.Event, c.Seeds = "A stall of two weeks beside which something else happens", event, 4
		change(&c)
		all = append(all, c)
	}
	fiveHours := func(from time.Duration) Stretch { return Stretch{tuesday10 + from, tuesday10 + from + 5*time.Hour} }
	beside := func(e model.Event) func(c *Cell) {
		return func(c *Cell) { c.Program.Events = append(c.Program.Events, e) }
	}
	for _, review := range []model.Review{model.Automatic, model.Mixed} {
		add("nothing else", review, func(*Cell) {})
		add("sign-ups stop after two days", review, beside(model.Event{Kind: model.SignUpsStop, Start: tuesday10 + 2*day, End: tuesday10 + 30*day}))
		add("the back office adds 1 a day", review, beside(model.Event{Kind: model.BackOffice, Start: tuesday10, End: tuesday10 + 30*day, PerDay: 1}))
		add("the back office adds 3 a day", review, beside(model.Event{Kind: model.BackOffice, Start: 0, End: tuesday10 + 30*day, PerDay: 3}))
		add("the exporter restarts every 6 h", review, func(c *Cell) { c.RestartEvery = 6 * time.Hour })
		add("the exporter is away for 5 h before, during and after", review, func(c *Cell) {
			c.ExporterAway = []Stretch{fiveHours(-6 * time.Hour), fiveHours(30 * time.Hour), fiveHours(14*day + 2*time.Hour)}
		})
		add("Prometheus is away for 5 h before and during", review, func(c *Cell) {
			c.PrometheusAway = []Stretch{fiveHours(-6 * time.Hour), fiveHours(30 * time.Hour)}
		})
	}
	add("wallets do not deploy instead", model.Automatic, func(c *Cell) {
		c.Program.Events[0].Kind, c.Through, c.Ticket = model.WalletsStuck, "card_created", "safe_deploying"
	})
	return all
}

func frozen() (all []Cell) {
	for _, lasts := range []time.Duration{8 * time.Hour, 30 * time.Hour} {
		for _, signUps := range []float64{20, 200} {
			for _, review := range []model.Review{model.Automatic, model.Weekdays} {
				all = append(all, Cell{
					Table: "The API serves a frozen list", Event: fmt.Sprintf("frozen for %v h from Tuesday 10:00", lasts.Hours()),
					Program: program(signUps, review, tuesday10+5*day), Seeds: seeds(signUps) / 2, From: tuesday10, Cure: tuesday10 + lasts,
					Through: "otp_verified", Ticket: "Frozen", Frozen: []Stretch{{tuesday10, tuesday10 + lasts}},
					Limits: []Limit{atMost("pages", 0, pages)},
				})
			}
		}
	}
	return all
}
