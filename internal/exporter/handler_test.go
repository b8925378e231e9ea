package exporter

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// webConfig writes a web configuration and returns its path.
func webConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStalledIsGuarded(t *testing.T) {
	users := webConfig(t, "basic_auth_users:\n  ops: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n")
	headersOnly := webConfig(t, "http_server_config:\n  headers:\n    X-Frame-Options: deny\n")
	tests := map[string]struct {
		listen, webConfig, host string
		want                    int
	}{
		"loopback by name":                  {"127.0.0.1:10101", "", "localhost:10101", 200},
		"loopback by address":               {"localhost:10101", "", "127.0.0.1:10101", 200},
		"loopback without a port":           {"127.0.0.1:10101", "", "LOCALHOST", 200},
		"loopback of version 6":             {"[::1]:10101", "", "[::1]:10101", 200},
		"loopback of version 6, no port":    {"[::1]:10101", "", "[::1]", 200},
		"a name that resolves to loopback":  {"127.0.0.1:10101", "", "evil.example:10101", 403},
		"a lookalike":                       {"127.0.0.1:10101", "", "localhost.evil.example", 403},
		"no host":                           {"127.0.0.1:10101", "", "", 403},
		"every address":                     {":10101", "", "localhost:10101", 403},
		"every address of version 4":        {"0.0.0.0:10101", "", "127.0.0.1:10101", 403},
		"a web configuration without users": {":10101", headersOnly, "localhost", 403},
		"users":                             {":10101", users, "exporter.example", 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 10}), environ{
				"EXPORTER_LISTEN_ADDRESS": test.listen, "EXPORTER_WEB_CONFIG_FILE": test.webConfig,
			})
			e.refresher.Refresh(context.Background())
			status, body := e.get(t, "/stalled", test.host)
			if status != test.want {
				t.Errorf("status %d, want %d: %s", status, test.want, body)
			}
			if status == http.StatusForbidden && !strings.Contains(body, "EXPORTER_WEB_CONFIG_FILE") {
				t.Errorf("the refusal does not say what to do: %s", body)
			}
		})
	}
}

// A reverse proxy on the same machine comes from loopback and may name it, for
// whoever asks the proxy.
func TestStalledIsNotForTheClientsOfAProxy(t *testing.T) {
	users := webConfig(t, "basic_auth_users:\n  ops: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n")
	for webConfig, want := range map[string]int{"": http.StatusForbidden, users: http.StatusOK} {
		e := newTestExporter(t, sandbox.New(sandbox.Options{}), environ{"EXPORTER_LISTEN_ADDRESS": "127.0.0.1:10101", "EXPORTER_WEB_CONFIG_FILE": webConfig})
		e.refresher.Refresh(context.Background())
		for _, header := range []string{"X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1", "Via: 1.1 proxy", "X-Forwarded-Host: cards.example", "X-Forwarded-Proto: https"} {
			name, value, _ := strings.Cut(header, ": ")
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/stalled", nil)
			r.Host = "127.0.0.1:10101"
			r.Header.Set(name, value)
			w := httptest.NewRecorder()
			e.handler.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("with %s and the web configuration %q: status %d, want %d", header, webConfig, w.Code, want)
			}
		}
	}
}

func TestStalledStopsWhenTheUsersAreRemoved(t *testing.T) {
	path := webConfig(t, "basic_auth_users:\n  ops: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n")
	e := newTestExporter(t, sandbox.New(sandbox.Options{}), environ{"EXPORTER_WEB_CONFIG_FILE": path})
	e.refresher.Refresh(context.Background())
	if status, _ := e.get(t, "/stalled", "any"); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	for _, text := range []string{"", "not: [valid", "unknown_key: 1\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, _ := e.get(t, "/stalled", "any"); status != http.StatusForbidden {
			t.Errorf("with %q: status %d", text, status)
		}
	}
}

func TestStalledAnswers(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 10}), environ{"EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0"})
	if status, _ := e.get(t, "/stalled", "localhost"); status != http.StatusServiceUnavailable {
		t.Errorf("status %d without a snapshot", status)
	}
	e.refresher.Refresh(context.Background())
	for _, unknown := range []string{"active", "unknown", "x"} {
		if status, _ := e.get(t, "/stalled?flow_status="+unknown, "localhost"); status != http.StatusBadRequest {
			t.Errorf("flow_status=%s answers %d", unknown, status)
		}
	}
	_, body := e.get(t, "/stalled?flow_status=kyc_initiated", "localhost")
	var list map[string]any
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	if customers, ok := list["customers"].([]any); !ok || len(customers) != 0 || list["total"] != 0.0 || list["generated_at"] == nil {
		t.Errorf("nobody is stalled, but the list says: %s", body)
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
	e.handler.ServeHTTP(w, r)
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
