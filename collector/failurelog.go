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
	logger   *slog.Logger
	what     string
	reminder time.Duration // from one line of an outage to the next

	inARow  int                // the present failures in a row
	since   time.Time          // the start of the first of them
	reasons []apiclient.Reason // of them
	told    time.Time          // when the last line was due
}

// note takes in an attempt that began at start, has ended now, and failed with
// err, or succeeded if that is nil.
func (l *failureLog) note(start time.Time, err error) {
	now := time.Now()
	if err == nil {
		if l.inARow > 0 {
			l.logger.Info(l.what+" recovered", "after_failures", l.inARow, "failed_for", now.Sub(l.since), "reasons", l.reasons) //nolint:sloglint // what is a constant
			l.inARow, l.since, l.reasons = 0, time.Time{}, nil
		}
		return
	}
	if l.inARow++; l.inARow == 1 {
		l.since = start
	}
	reason := apiclient.ReasonOf(err)
	isNew := !slices.Contains(l.reasons, reason)
	if isNew {
		l.reasons = append(l.reasons, reason)
	}
	if isNew || now.Sub(l.told) >= l.reminder {
		l.told = now
		l.logger.Log(context.Background(), level(reason), l.what+" failed", "reason", reason, "consecutive", l.inARow, "err", err) //nolint:sloglint // likewise
	}
}

// level is an error's where only a person can mend what is wrong.
func level(reason apiclient.Reason) slog.Level {
	if reason == apiclient.ReasonAuth || reason == apiclient.ReasonForbidden {
		return slog.LevelError
	}
	return slog.LevelWarn
}
