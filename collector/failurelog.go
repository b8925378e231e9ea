package collector

import (
	"log/slog"

	"yativo-card-exporter/apiclient"
)

// remindEvery is how many failures for one reason make another line.
const remindEvery = 60

// failureLog writes one line when something begins to fail, when the reason
// changes, now and then while that lasts, and one when it is over.
type failureLog struct {
	logger *slog.Logger
	what   string
	reason apiclient.Reason
	row    int // failures in a row for this reason
}

func (l *failureLog) failed(err error) {
	if reason := apiclient.ReasonOf(err); reason != l.reason {
		l.reason, l.row = reason, 0
	}
	if l.row++; l.row%remindEvery == 1 {
		l.logger.Warn("failed", "what", l.what, "reason", l.reason, "in_a_row", l.row, "err", err)
	}
}

func (l *failureLog) recovered() {
	if l.row > 0 {
		l.logger.Info("succeeds again", "what", l.what, "after_failures", l.row, "reason", l.reason)
		l.reason, l.row = "", 0
	}
}
