package cells

import (
	"testing"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/tools/oncall/model"
)

// A small part of the catalogue, which make oncall runs as a whole.
func TestShippedRulesOnAFewPrograms(t *testing.T) {
	content, err := alerts.Render(alerts.DefaultParams())
	if err != nil {
		t.Fatal(err)
	}
	stands := share("never cleared before the cure", 1, func(o Outcome) bool { return !o.Broke })
	month := Cell{
		Table: "Four healthy weeks", Event: "nothing", Program: program(20, model.Weekdays, learned+4*week), Seeds: 1, From: learned,
		Limits: []Limit{atMost("pages", 0, pages), atMost("tickets", 2, tickets)},
	}
	stall := outage(20, model.Automatic, tuesday10, 2*day, share("paged", 1, func(o Outcome) bool { return o.ToPage != Never }), stands)
	stall.Seeds = 1
	results, err := RunAll(t.Context(), content, []Cell{month, stall}, func(r Result) { t.Log(r.Line()) })
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		for _, limit := range r.Missed() {
			t.Errorf("%s: %s", r.Cell.Name(), limit)
		}
	}
}
