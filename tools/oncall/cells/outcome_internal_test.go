package cells

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"yativo-card-exporter/tools/oncall/judge"
	"yativo-card-exporter/tools/oncall/model"
)

func at(hours float64) time.Time { return moment(tuesday10 + time.Duration(hours*float64(time.Hour))) }

// firing is an alert from and to so many hours after the event's start; to is 0
// for one that fires to the end.
func firing(name, severity, status string, from, to float64) judge.Firing {
	f := judge.Firing{
		Alert: name, Labels: labels.FromStrings("alertname", name, "severity", severity, "flow_status", status), Start: at(from),
	}
	if to != 0 {
		f.End = at(to)
	}
	return f
}

func TestOutcome(t *testing.T) {
	page := func(from, to float64) judge.Firing { return firing("Page", "critical", kycStatus, from, to) }
	ticket := func(from, to float64) judge.Firing { return firing("Ticket", "warning", kycStatus, from, to) }
	other := firing("Other", "warning", "otp_requested", 1, 2)
	through := []int64{at(-1).Unix(), at(73).Unix(), at(74).Unix()}
	for _, test := range []struct {
		name    string
		firings []judge.Firing
		want    Outcome
	}{
		{"nothing", nil, Outcome{ToPage: Never, WorkToPage: Never, ToTold: Never, ToTicket: Never}},
		{"a page that stands", []judge.Firing{page(20, 73.5)}, Outcome{
			Pages: 1, KYCPages: 1, ToPage: 20 * time.Hour, WorkToPage: 8 * time.Hour, ToTold: 20 * time.Hour, ToTicket: 20 * time.Hour,
			ToClear: 30 * time.Minute,
		}},
		{"a ticket first, for longer", []judge.Firing{ticket(2, 90), page(5, 73.5)}, Outcome{
			Pages: 1, KYCPages: 1, Tickets: 1, ToPage: 5 * time.Hour, WorkToPage: 5 * time.Hour,
			ToTold: 2 * time.Hour, ToTicket: 2 * time.Hour, ToClear: 30 * time.Minute,
		}},
		{"a page that ends too early", []judge.Firing{page(5, 40)}, Outcome{
			Pages: 1, KYCPages: 1, ToPage: 5 * time.Hour, WorkToPage: 5 * time.Hour,
			ToTold: 5 * time.Hour, ToTicket: 5 * time.Hour, Broke: true,
		}},
		{"one that ends, and another", []judge.Firing{page(5, 40), page(50, 73.5)}, Outcome{
			Pages: 2, KYCPages: 2, ToPage: 5 * time.Hour, WorkToPage: 5 * time.Hour,
			ToTold: 5 * time.Hour, ToTicket: 5 * time.Hour, Broke: true, ToClear: 30 * time.Minute,
		}},
		{"one that fires already and never ends", []judge.Firing{page(-5, 0)}, Outcome{ToClear: Never}},
		{"one that was over before", []judge.Firing{page(-5, -1)}, Outcome{ToPage: Never, WorkToPage: Never, ToTold: Never, ToTicket: Never}},
		{"another step's ticket", []judge.Firing{other}, Outcome{
			Tickets: 1, ToPage: Never, WorkToPage: Never, ToTold: time.Hour, ToTicket: Never,
		}},
		{"after the cure", []judge.Firing{page(80, 81)}, Outcome{
			Pages: 1, KYCPages: 1, ToPage: Never, WorkToPage: Never, ToTold: Never, ToTicket: Never,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := outage(200, model.Automatic, tuesday10, 72*time.Hour)
			got, err := c.outcome(c.Program, through, test.firings)
			if err != nil {
				t.Fatal(err)
			}
			got.Fired, got.TicketName = nil, ""
			if got.fields() != test.want.fields() {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// fields are what can be compared of an outcome.
func (o Outcome) fields() any {
	return struct {
		pages, tickets, kycPages                      int
		toPage, workToPage, toTold, toTicket, toClear time.Duration
		broke                                         bool
	}{o.Pages, o.Tickets, o.KYCPages, o.ToPage, o.WorkToPage, o.ToTold, o.ToTicket, o.ToClear, o.Broke}
}

func TestQuantilesAndLimits(t *testing.T) {
	r := Result{Cell: Cell{Limits: []Limit{
		median("page", 2*time.Hour, toPage), always("page", 2*time.Hour, toPage), atMost("pages", 0.5, pages),
		share("paged", 0.75, func(o Outcome) bool { return o.ToPage != Never }),
	}}}
	r.Outcomes = []Outcome{{ToPage: time.Hour, Pages: 1}, {ToPage: 2 * time.Hour}, {ToPage: Never}}
	if m, p90 := r.Quantile(0.5, toPage), r.Quantile(0.9, toPage); m != 2*time.Hour || p90 != Never {
		t.Errorf("median %v, 90th percentile %v", m, p90)
	}
	missed := r.Missed()
	want := []string{"page within 2 h, always", "paged in 75 %"}
	if len(missed) != 2 || missed[0] != want[0] || missed[1] != want[1] {
		t.Errorf("missed %q, want %q", missed, want)
	}
}

func TestTogether(t *testing.T) {
	result := func(signUps float64, hours ...float64) (r Result) {
		r.Cell = together(outage(signUps, "automatic", tuesday10, day), median("page", 4*time.Hour, toPage))
		for _, h := range hours {
			r.Outcomes = append(r.Outcomes, Outcome{ToPage: time.Duration(h * float64(time.Hour))})
		}
		return r
	}
	alone := result(20, 100)
	alone.Cell.Together = nil
	all := Together([]Result{result(20, 1, 2), result(5, 9, 9), alone, result(20, 8, 3)})
	if len(all) != 2 || len(all[0].Outcomes) != 4 || len(all[1].Outcomes) != 2 {
		t.Fatalf("%d results of %v", len(all), all)
	}
	if missed := all[0].Missed(); len(missed) != 0 {
		t.Errorf("1, 2, 3 and 8 hours miss %v", missed)
	}
	if missed := all[1].Missed(); len(missed) != 1 {
		t.Errorf("9 hours miss %v", missed)
	}
}
