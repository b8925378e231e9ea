package cells

import (
	"math"
	"slices"
	"strings"
	"time"

	"yativo-card-exporter/tools/oncall/judge"
	"yativo-card-exporter/tools/oncall/model"
)

// Never is a time that did not come.
const Never = time.Duration(math.MaxInt64)

// kycStatus is the step that pages.
const kycStatus = "kyc_initiated"

// Outcome is what one seed of a cell brought. Times are since the start of the
// event, 0 if the alert fired already, and Never if it did not before the cure,
// or before the end where there is none.
type Outcome struct {
	Seed     uint64
	Fired    map[string]int // alerts that began to fire since From, by name and status
	Pages    int            // of them, pages
	Tickets  int            // of them, tickets
	KYCPages int            // of the pages, those that say that KYC stands still

	ToPage     time.Duration // the first page
	WorkToPage time.Duration // the same, in the reviewers' working hours
	ToTold     time.Duration // the first page or ticket
	ToTicket   time.Duration // the first that names what broke
	TicketName string        // what it is called

	// Broke is whether what told of the stall ended before the cure.
	Broke bool
	// ToClear is from the first who gets through after the cure to the end of the
	// page, or of the ticket if there is no page. Never if it did not end, 0 if
	// nothing fired.
	ToClear time.Duration
}

// outcome reads an outcome from what fired.
func (c Cell) outcome(p model.Program, through []int64, firings []judge.Firing) (Outcome, error) {
	o := Outcome{Seed: p.Seed, Fired: map[string]int{}, ToPage: Never, WorkToPage: Never, ToTold: Never, ToTicket: Never}
	from, until := moment(c.From), moment(p.Length)
	if c.Cure > 0 {
		until = moment(c.Cure)
	}
	var standing []judge.Firing
	for _, f := range firings {
		if !f.End.IsZero() && !f.End.After(from) {
			continue
		}
		if !f.Start.Before(from) {
			o.count(f)
		}
		if !f.Start.Before(until) {
			continue
		}
		after := max(0, f.Start.Sub(from))
		o.ToTold = min(o.ToTold, after)
		if f.Page() {
			o.ToPage = min(o.ToPage, after)
		}
		if c.names(f) {
			if after < o.ToTicket {
				o.ToTicket, o.TicketName = after, f.Alert
			}
			standing = append(standing, f)
		}
	}
	if o.ToPage != Never {
		work, err := p.WorkingTime(from.Unix(), from.Add(o.ToPage).Unix())
		if err != nil {
			return o, err
		}
		o.WorkToPage = work
	}
	if c.Cure > 0 {
		o.Broke = broke(standing, until)
		if pages := slices.DeleteFunc(slices.Clone(standing), func(f judge.Firing) bool { return !f.Page() }); len(pages) > 0 {
			standing = pages
		}
		o.clear(standing, through, until)
	}
	return o, nil
}

func moment(since time.Duration) time.Time { return model.Epoch().Add(since) }

// names reports whether an alert is about what broke.
func (c Cell) names(f judge.Firing) bool {
	return c.Ticket != "" && (f.Status() == c.Ticket || strings.Contains(f.Alert, c.Ticket))
}

func (o *Outcome) count(f judge.Firing) {
	name := f.Alert
	if s := f.Status(); s != "" {
		name += " " + s
	}
	o.Fired[name]++
	switch {
	case !f.Page():
		o.Tickets++
	default:
		o.Pages++
		if f.Status() == kycStatus {
			o.KYCPages++
		}
	}
}

// broke reports whether there was a time between the first alert and the cure in
// which none fired.
func broke(standing []judge.Firing, cure time.Time) bool {
	if len(standing) == 0 {
		return false
	}
	covered := standing[0].Start
	for _, f := range standing {
		switch {
		case f.Start.After(covered) && !f.Start.Equal(standing[0].Start):
			return true
		case f.End.IsZero():
			return false
		case f.End.After(covered):
			covered = f.End
		}
	}
	return covered.Before(cure)
}

// clear tells how long the last of the alerts stands after the cure.
func (o *Outcome) clear(standing []judge.Firing, through []int64, cure time.Time) {
	i := 0
	for i < len(through) && through[i] < cure.Unix() {
		i++
	}
	var last time.Time
	for _, f := range standing {
		if f.End.IsZero() {
			o.ToClear = Never
			return
		}
		if f.End.After(last) {
			last = f.End
		}
	}
	if i < len(through) && last.After(cure) {
		o.ToClear = last.Sub(time.Unix(through[i], 0))
	}
}
