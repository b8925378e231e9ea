package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"yativo-card-exporter/internal/exporter"
	"yativo-card-exporter/internal/sandbox"
)

// story tells what happens in the demo: the trouble that a scenario makes, and
// what the status page then warns of.
type story struct {
	out      io.Writer
	scenario sandbox.Scenario
	start    time.Time
	told     map[string][2]string // what has begun and not ended: the words for both
}

// plot says what will happen when.
func (s *story) plot() string {
	delay, lasts, cure := s.scenario.Timing()
	if lasts == 0 {
		return ""
	}
	at := func(d time.Duration) string { return s.start.Add(d).Format(time.TimeOnly) }
	begins, ends := s.scenario.Words()
	return fmt.Sprintf("%s %s; %s %s; %s it begins again.\n", at(delay), begins, at(delay+lasts), ends, at(delay+lasts+cure))
}

// follow tells what happens until ctx ends.
func (s *story) follow(ctx context.Context, e *exporter.Exporter) {
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-time.After(time.Second):
			s.tell(now, e.Warnings())
		}
	}
}

// tell prints what has begun and what has ended since it was last called.
func (s *story) tell(now time.Time, warnings map[string]string) {
	lasts := map[string][2]string{}
	if _, on := s.scenario.Trouble(now.Sub(s.start)); on {
		begins, ends := s.scenario.Words()
		lasts[begins] = [2]string{begins, ends}
	}
	for what, words := range warnings {
		lasts[what] = [2]string{"the status page warns: " + what + ": " + words, "the warning is over: " + what}
	}
	s.say(now, 0, lasts, s.told)
	s.say(now, 1, s.told, lasts)
	s.told = lasts
}

// say prints the words of what is in the one and not in the other.
func (s *story) say(now time.Time, words int, these, others map[string][2]string) {
	for what, both := range these {
		if _, known := others[what]; !known {
			_, _ = fmt.Fprintln(s.out, now.Format(time.TimeOnly), both[words])
		}
	}
}
