package cells

import (
	"testing"
	"time"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/tools/oncall/model"
)

// Stories and how a good team wants them to end: a small part of the catalogue,
// which make oncall runs as a whole.
func TestTimelines(t *testing.T) {
	content, err := alerts.Render(alerts.DefaultParams())
	if err != nil {
		t.Fatal(err)
	}
	const start = learned + day + 8*time.Hour // Tuesday 10:00
	tell := func(story string, signUps float64, review model.Review, until time.Duration, limit Limit, events ...model.Event) Cell {
		for i := range events {
			events[i].Start, events[i].End = start, until
		}
		return Cell{
			Table: "Timeline", Event: story, Program: program(signUps, review, until, events...), Seeds: 1,
			From: start, Cure: until, Limits: []Limit{limit},
		}
	}
	noPage := atMost("pages of KYC", 0, kycPages)
	outage := model.Event{Kind: model.ReviewOutage, Share: 1}
	healthy := tell("healthy", 20, model.Weekdays, 5*week, noPage)
	healthy.From, healthy.Cure = week, 0
	link := tell("KYC link broken", 200, model.Automatic, start+8*day, noPage, model.Event{Kind: model.LinkBroken})
	link.Ticket, link.Limits = "otp_verified", append(link.Limits, median("the ticket of the step", 2*day, toTicket))
	total := tell("no review for three days", 200, model.Automatic, start+3*day, median("page", 12*time.Hour, toPage), outage)
	total.Ticket = kycStatus
	total.Limits = append(total.Limits, share("never cleared before the cure", 1, func(o Outcome) bool { return !o.Broke }))
	half := tell("half of the reviews lost", 200, model.Automatic, start+3*day, median("ticket", 2*day, toTicket),
		model.Event{Kind: model.ReviewOutage, Share: 0.5})
	half.Ticket = "StepLosing"
	results, err := RunAll(t.Context(), content, []Cell{
		healthy, link, half, total,
		tell("campaign paused", 20, model.Automatic, start+7*day, noPage, model.Event{Kind: model.CampaignPaused}),
		tell("wind-down", 200, model.Automatic, 6*week, noPage, model.Event{Kind: model.WindDown}),
		tell("no review, and three a day are added", 200, model.Automatic, start+3*day, median("page", 2*day, toPage),
			outage, model.Event{Kind: model.BackOffice, PerDay: 3}),
	}, func(r Result) { t.Log(r.Line()) })
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		for _, limit := range r.Missed() {
			t.Errorf("%s: %s", r.Cell.Name(), limit)
		}
	}
}
