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
// err, or succeeded if that is nil. It returns what writes the line, if one is
// due, for a log may block: what it tells of is to be shown by then.
func (l *failureLog) note(start time.Time, err error) (tell func()) {
	now, past := time.Now(), *l
	if err == nil {
		l.inARow, l.since, l.reasons = 0, time.Time{}, nil
		if past.inARow == 0 {
			return func() {}
		}
		return func() {
			l.logger.Info(l.what+" recovered", "after_failures", past.inARow, "failed_for", now.Sub(past.since).Round(time.Second), "reasons", past.reasons) //nolint:sloglint // what is a constant
		}
	}
	if l.inARow++; l.inARow == 1 {
		l.since = start
	}
	reason := apiclient.ReasonOf(err)
	isNew := !slices.Contains(l.reasons, reason)
	if isNew {
		l.reasons = append(l.reasons, reason)
	}
	if !isNew && now.Sub(l.told) < l.reminder {
		return func() {}
	}
	l.told = now
	return func() {
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
