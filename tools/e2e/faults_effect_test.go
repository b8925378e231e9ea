//go:build e2e

package e2e_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// effect is what a fault does that can be told in a few words.
type effect struct {
	reason   string        // of failed refreshes, beside breaker_open; "" if none fails
	says     string        // the log's words, after the operation
	breaker  bool          // it opens
	requests int           // to the API, in one refresh, at the most
	wait     time.Duration // that the API asked for
}

// effect is what an exporter shows of its fault, its log from an offset on.
func (s *scene) effect(t *testing.T, before, during series, quiet int) (e effect) {
	t.Helper()
	var reasons []string
	for name, value := range refreshFailures(during) {
		if value == before[name] {
			continue
		}
		reason := strings.TrimSuffix(strings.TrimPrefix(name, `yativo_exporter_refresh_failures_total{reason="`), `"}`)
		if reason != "breaker_open" {
			reasons = append(reasons, reason)
		}
	}
	slices.Sort(reasons)
	e.reason = strings.Join(reasons, ", ")
	opened := `yativo_api_circuit_breaker_transitions_total{to="open"}`
	e.breaker = during[opened] > before[opened]
	if e.reason == "" {
		return e
	}
	// The metrics may be read before the line that was written earlier.
	eventually(t, faultSlack, "the log tells the reason", func() error {
		for _, line := range logLines(t, s.Stderr.String()[quiet:]) {
			if strings.HasSuffix(line.Msg, " failed") {
				_, e.says, _ = strings.Cut(line.Err, ": ")
				return nil
			}
		}
		return errors.New("no refresh is said to have failed")
	})
	return e
}

// judge compares what was seen with what is wanted.
func (r row) judge(t *testing.T, seen *effect, requests, refreshes float64) {
	t.Helper()
	if requests > float64(r.want.requests)*refreshes {
		t.Errorf("%v requests in %v refreshes, want at most %d in each", requests, refreshes, r.want.requests)
	}
	seen.requests = r.want.requests
	if *seen != r.want {
		t.Errorf("the fault shows\n  %+v, want\n  %+v", *seen, r.want)
	}
}

// requests are those since the fault began, as the exporter counts them or, if
// it counts too few, as they arrived.
func (s *scene) requests(before, now series) (sent float64) {
	for name, value := range now {
		if strings.HasPrefix(name, "yativo_api_requests_total{") {
			sent += value - before[name]
		}
	}
	arrived := 0
	for _, n := range s.api.Counters().Arrived {
		arrived += n
	}
	return max(sent, float64(arrived))
}
