// Package cells holds what programs and events the alerts are tried on, runs
// them, and says what the alerts must keep to.
package cells

import (
	"time"

	"yativo-card-exporter/tools/oncall/drive"
	"yativo-card-exporter/tools/oncall/model"
)

const (
	day  = 24 * time.Hour
	week = 7 * day

	// settled is how long a program runs before an event; learned is how long it
	// runs before a healthy quarter is judged.
	settled = 6 * week
	learned = 4 * week
	quarter = 13 * week
)

// Cell is one kind of program and what happens to it, tried with several seeds.
type Cell struct {
	Table   string // of the report
	Event   string // what happens, in words
	Program model.Program
	Seeds   int

	// From is when the event begins, since model.Epoch, or judging where there is
	// none. Cure is when what broke works again; 0 if nothing breaks.
	From, Cure time.Duration
	// Through is a status that is reached again after the cure, which is what
	// clears a page; "" if none is.
	Through string
	// Ticket is the ticket that names what broke: the status that the alert is
	// about, or a part of the alert's name; "" if there is no such ticket.
	Ticket string

	Frozen, ExporterAway, PrometheusAway []Stretch
	RestartEvery                         time.Duration

	Limits []Limit
	// Together are limits of the plays of all cells that differ in nothing but the
	// event or its moment.
	Together []Limit
}

// Stretch is a stretch of time since model.Epoch.
type Stretch struct{ Start, End time.Duration }

func spans(stretches []Stretch) (spans []drive.Span) {
	for _, s := range stretches {
		spans = append(spans, drive.Span{Start: model.At(s.Start), End: model.At(s.End)})
	}
	return spans
}
