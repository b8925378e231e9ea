package collector

import (
	"log/slog"
	"slices"

	"yativo-card-exporter/apiclient"
)

// remindEvery is how many failures in a row make another line.
const remindEvery = 60

// failureLog writes one line when something begins to fail, one for each
// further reason, now and then one while it lasts, and one when it is over. An
// outage whose reasons take turns is no flood.
type failureLog struct {
	logger  *slog.Logger
	what    string
	reasons []apiclient.Reason // of the present row of failures
	row     int                // failures in a row
}

func (l *failureLog) failed(err error) {
	l.row++
	reason := apiclient.ReasonOf(err)
	isNew := !slices.Contains(l.reasons, reason)
	if isNew {
		l.reasons = append(l.reasons, reason)
	}
	if isNew || l.row%remindEvery == 0 {
		l.logger.Warn("failed", "what", l.what, "reason", reason, "in_a_row", l.row, "err", err)
	}
}

func (l *failureLog) recovered() {
	if l.row > 0 {
		l.logger.Info("succeeds again", "what", l.what, "after_failures", l.row, "reasons", l.reasons)
		l.reasons, l.row = nil, 0
	}
}
