package main

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/sandbox"
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
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, nil))
			c := slowConfig(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 1000, Quota: -1}), stalledAfter)
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

func TestExporterIsWiredToWarn(t *testing.T) {
	api := sandbox.New(sandbox.Options{Seed: 1, Customers: 1000, Quota: -1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("page") != "1" {
			cancel()
		}
		next.ServeHTTP(w, r)
	}})
	var log bytes.Buffer
	e, err := newExporter(slowConfig(t, api, "safe_deploying:299s"), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	e.refresher.Refresh(ctx)
	if err := e.tracker.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "thresholds=safe_deploying:4m59s walk=5m0s unseen=10m0s requests=10 requests_a_minute=2") {
		t.Errorf("it does not warn: %s", log.String())
	}
}

// slowConfig lets the sandbox's 10 pages be read in 5 minutes.
func slowConfig(t *testing.T, api *sandbox.Sandbox, stalledAfter string) config {
	t.Helper()
	env := serveSandbox(t, api)
	delete(env, "YATIVO_API_KEY")
	delete(env, "YATIVO_API_SECRET")
	maps.Copy(env, environ{
		"YATIVO_ACCESS_TOKEN":    api.MintToken(), // so that no request is spent on one
		"YATIVO_RATE_LIMIT":      "2",
		"EXPORTER_STALLED_AFTER": stalledAfter,
		"EXPORTER_STATE_FILE":    "none",
	})
	c, err := readConfig(env.lookup)
	if err != nil {
		t.Fatal(err)
	}
	return c
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
