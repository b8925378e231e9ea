package main

import (
	"bytes"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/collector"
	"yativo-card-exporter/sandbox"
)

// A program whose walk takes longer than the shortest threshold is told so by
// the check, in numbers.
func TestCheckSaysWhatTheLimitsMean(t *testing.T) {
	tests := map[string]struct {
		customers, quota int
		env              environ
		want             []string
	}{
		"a small program": {250, 120, nil, []string{
			"a walk takes as long as the API takes to answer, at 60 requests a minute; a change is shown after at most some 1m0s",
			"alerts         no threshold",
		}},
		"a walk of minutes": {25_000, 120, nil, []string{
			"about 4m10s, at 60 requests a minute; a change is shown after at most some 8m20s", "alerts         no threshold",
		}},
		"longer than wallets may take": {100_000, 120, nil, []string{
			"about 16m40s, at 60", "attention      stalls are told late in safe_deploying:15m0s: a walk",
		}},
		"the reserve decides": {25_000, 60, nil, []string{"about 8m20s, at 30 requests a minute"}},
		"the own limit decides": {25_000, 600, environ{"YATIVO_RATE_LIMIT": "10", "EXPORTER_STALLED_AFTER": "otp_requested:24m"}, []string{
			"about 25m0s, at 10", "told late in otp_requested:24m0s,safe_deploying:15m0s: a walk",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Seed: 1, Customers: test.customers, Quota: test.quota})
			env := serveSandbox(t, api)
			maps.Copy(env, test.env)
			code, out, errs := command(t, env, "check")
			if code != exitOK {
				t.Fatalf("exit code %d: %s", code, errs)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
		})
	}
}

// The exporter warns once, when the first page has told how large the program
// is, and only where a threshold is too short.
func TestExporterWarnsOfSlowWalks(t *testing.T) {
	for stalledAfter, warnings := range map[string]int{"safe_deploying:299s": 1, "safe_deploying:5m": 0} {
		t.Run(stalledAfter, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Seed: 1, Customers: 1000, Quota: -1})
			env := serveSandbox(t, api)
			delete(env, "YATIVO_API_KEY")
			delete(env, "YATIVO_API_SECRET")
			env["YATIVO_ACCESS_TOKEN"] = api.MintToken()
			env["YATIVO_RATE_LIMIT"] = "2" // 10 pages take 5 minutes
			env["EXPORTER_STALLED_AFTER"] = stalledAfter
			c, err := readConfig(env.lookup)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, nil))
			client, err := newClient(c, logger, prometheus.NewRegistry())
			if err != nil {
				t.Fatal(err)
			}
			lister := pacedLister{client: client, config: c, logger: logger}
			for range 2 {
				firstPage(t, &lister)
			}
			if got := strings.Count(log.String(), "walk=5m0s"); got != warnings {
				t.Errorf("it warns %d times, want %d: %s", got, warnings, log.String())
			}
		})
	}
}

// firstPage walks no further than the first page.
func firstPage(t *testing.T, l collector.Lister) {
	t.Helper()
	for _, err := range l.Walk(t.Context(), true) {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
}
