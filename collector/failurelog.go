package collector

import (
	"log/slog"
	"slices"

	"yativo-card-exporter/apiclient"
)

// reminderInterval is how many failures in a row make another line.
const reminderInterval = 60

// failureLog writes one line when something begins to fail, one for each
// further reason, now and then one while it lasts, and one when it is over. An
// outage whose reasons take turns is no flood.
type failureLog struct {
	logger   *slog.Logger
	what     string
	reasons  []apiclient.Reason // of the present failures in a row
	failures int                // in a row
}

// note takes in an attempt that failed with err, or succeeded if that is nil.
func (l *failureLog) note(err error) {
	if err == nil {
		if l.failures > 0 {
			l.logger.Info("succeeds again", "what", l.what, "after_failures", l.failures, "reasons", l.reasons)
			l.reasons, l.failures = nil, 0
		}
		return
	}
	l.failures++
	reason := apiclient.ReasonOf(err)
	isNew := !slices.Contains(l.reasons, reason)
	if isNew {
		l.reasons = append(l.reasons, reason)
	}
	if isNew || l.failures%reminderInterval == 0 {
		l.logger.Warn("failed", "what", l.what, "reason", reason, "in_a_row", l.failures, "err", err)
	}
}
