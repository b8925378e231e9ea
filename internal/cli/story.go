package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
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
	told     map[string]string // what has begun and not ended, with the words for its end
}

// trouble says how the scenario's trouble begins and ends.
func (s *story) trouble() (begins, ends string) {
	switch s.scenario {
	case sandbox.KYCStall:
		return "KYC stops", "KYC works again"
	case sandbox.SafeStall:
		return "wallets no longer deploy", "wallets deploy again"
	case sandbox.Outage:
		return "the API fails", "the API works again"
	default:
		return "other traffic uses up the API's quota", "other traffic leaves some of the quota"
	}
}

// plot says what will happen when.
func (s *story) plot() string {
	delay, lasts, cure := s.scenario.Timing()
	if lasts == 0 {
		return ""
	}
	at := func(d time.Duration) string { return s.start.Add(d).Format(time.TimeOnly) }
	begins, ends := s.trouble()
	return fmt.Sprintf("%s %s; %s %s; %s it begins again.\n", at(delay), begins, at(delay+lasts), ends, at(delay+lasts+cure))
}

// follow tells what happens until ctx ends.
func (s *story) follow(ctx context.Context, e *exporter.Exporter) {
	seconds := time.NewTicker(time.Second)
	defer seconds.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-seconds.C:
			s.tell(now, e.Warnings())
		}
	}
}

// tell prints what has begun and what has ended since it was last called.
func (s *story) tell(now time.Time, warnings map[string]string) {
	told, say := map[string]string{}, func(words string) { _, _ = fmt.Fprintln(s.out, now.Format(time.TimeOnly), words) }
	happens := func(what, begins, ends string) {
		if _, known := s.told[what]; !known {
			say(begins)
		}
		told[what] = ends
	}
	if _, on := s.scenario.Trouble(now.Sub(s.start)); on {
		begins, ends := s.trouble()
		happens("trouble", begins, ends)
	}
	for _, what := range slices.Sorted(maps.Keys(warnings)) {
		happens(what, "the status page warns: "+what+": "+warnings[what], "the warning is over: "+what)
	}
	for _, what := range slices.Sorted(maps.Keys(s.told)) {
		if _, lasts := told[what]; !lasts {
			say(s.told[what])
		}
	}
	s.told = told
}
