package collector

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"yativo-card-exporter/apiclient"
)

// failureLog writes one line when something begins to fail, one for each
// further reason, one now and then while it lasts, and one when it is over. An
// outage whose reasons take turns is no flood.
type failureLog struct {
	logger      *slog.Logger
	what        string
	reminder    time.Duration      // from one line of an outage to the next
	reasons     []apiclient.Reason // of the present failures in a row
	consecutive int                // failures
	since, told time.Time          // when the first of them ended, and the one of the last line
}

// note takes in an attempt that ended at a moment and failed with err, or
// succeeded if that is nil.
func (l *failureLog) note(at time.Time, err error) {
	if err == nil {
		if l.consecutive > 0 {
			l.logger.Info(l.what+" recovered", "after_failures", l.consecutive, "failed_for", at.Sub(l.since), "reasons", l.reasons) //nolint:sloglint // what is a constant
			l.reasons, l.consecutive = nil, 0
		}
		return
	}
	if l.consecutive++; l.consecutive == 1 {
		l.since = at
	}
	reason := apiclient.ReasonOf(err)
	isNew := !slices.Contains(l.reasons, reason)
	if isNew {
		l.reasons = append(l.reasons, reason)
	}
	if isNew || at.Sub(l.told) >= l.reminder {
		l.told = at
		l.logger.Log(context.Background(), level(reason), l.what+" failed", "reason", reason, "consecutive", l.consecutive, "err", err) //nolint:sloglint // likewise
	}
}

// level is an error's where only a person can mend what is wrong.
func level(reason apiclient.Reason) slog.Level {
	if reason == apiclient.ReasonAuth || reason == apiclient.ReasonForbidden {
		return slog.LevelError
	}
	return slog.LevelWarn
}
