package exporter

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"yativo-card-exporter/internal/sandbox"
)

func TestReadyOnlyAfterTheFirstSnapshot(t *testing.T) {
	api := sandbox.New(sandbox.Options{Seed: 1, Customers: 10})
	e := newTestExporter(t, api, nil)
	repair := api.InjectFault(sandbox.Status(http.StatusForbidden))
	e.refresher.Refresh(context.Background())
	if status, _ := e.get(t, "/-/ready", "localhost"); status != http.StatusServiceUnavailable {
		t.Errorf("ready answers %d without a snapshot", status)
	}
	if status, _ := e.get(t, "/-/healthy", "localhost"); status != http.StatusOK {
		t.Errorf("healthy answers %d", status)
	}
	_, text := e.get(t, "/metrics", "localhost")
	for _, want := range []string{"\nyativo_up 0\n", `yativo_exporter_refresh_failures_total{reason="forbidden"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the metrics", want)
		}
	}
	if strings.Contains(text, "\nyativo_card_customers") {
		t.Error("customers are exported without a snapshot")
	}

	repair()
	e.refresher.Refresh(context.Background())
	if status, _ := e.get(t, "/-/ready", "localhost"); status != http.StatusOK {
		t.Errorf("ready answers %d with a snapshot", status)
	}
}

// A strict reader of OpenMetrics refuses a page on which two families share a
// name.
func TestOpenMetricsNamesEachFamilyOnce(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 10}), nil)
	e.refresher.Refresh(context.Background())
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "application/openmetrics-text;") {
		t.Fatalf("answers %q", w.Header().Get("Content-Type"))
	}
	families := make(map[string]bool)
	for line := range strings.Lines(w.Body.String()) {
		declaration, ok := strings.CutPrefix(line, "# TYPE ")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(declaration, " ")
		if families[name] {
			t.Errorf("%s is declared twice", name)
		}
		families[name] = true
	}
	for _, name := range []string{"yativo_card_customers", "yativo_exporter_refreshes", "go_memory_classes_heap_objects_bytes", "process_start_time_seconds"} {
		if !families[name] {
			t.Errorf("%s is not there", name)
		}
	}
}
