package exporter

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/sandbox"
)

// The exporter warns once, when the first page has told how large the program
// is, and only where a threshold is too short.
func TestExporterWarnsOfSlowWalks(t *testing.T) {
	for stalledAfter, warnings := range map[string]int{"safe_deploying:299s": 1, "safe_deploying:5m": 0} {
		t.Run(stalledAfter, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Seed: 1, Customers: 1999, Quota: -1})
			e, log := slowExporter(t, api, stalledAfter)
			for range 2 {
				refreshFirstPage(t, e, api)
			}
			if got := strings.Count(log.String(), "walk=5m0s"); got != warnings {
				t.Errorf("it warns %d times, want %d: %s", got, warnings, log.String())
			}
			const want = "thresholds=safe_deploying:4m59s walk=5m0s unseen=10m0s requests=20 requests_a_minute=4"
			if warnings > 0 && !strings.Contains(log.String(), want) {
				t.Errorf("it does not warn of %s: %s", want, log.String())
			}
		})
	}
}

// slowExporter lets the sandbox's 20 pages be read in 5 minutes.
func slowExporter(t *testing.T, api *sandbox.Sandbox, stalledAfter string) (*Exporter, *bytes.Buffer) {
	t.Helper()
	env := serve(t, api, environ{
		"YATIVO_API_KEY":         "",
		"YATIVO_API_SECRET":      "",
		"YATIVO_ACCESS_TOKEN":    api.MintToken(), // so that no request is spent on one
		"YATIVO_RATE_LIMIT":      "4",
		"YATIVO_MAX_CONCURRENCY": "1",
		"EXPORTER_STALLED_AFTER": stalledAfter,
	})
	c, err := config.Read(env)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	e, err := New(Options{Config: c, Version: "test", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, &log
}

// refreshFirstPage ends a refresh when it asks for the second page.
func refreshFirstPage(t *testing.T, e *Exporter, api *sandbox.Sandbox) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	repair := api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("page") != "1" {
			cancel()
		}
		next.ServeHTTP(w, r)
	}})
	defer repair()
	e.refresher.Refresh(ctx)
	if ctx.Err() == nil {
		t.Fatal("the refresh did not come to the second page")
	}
}
