package exporter

import (
	"bytes"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/sandbox"
)

// environ is an environment for tests.
type environ map[string]string

// serve serves a sandbox and returns an environment that points at it, with the
// other variables.
func serve(t *testing.T, api *sandbox.Sandbox, others environ) environ {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	env := environ{
		"YATIVO_BASE_URL":     server.URL + sandbox.BasePath,
		"YATIVO_API_KEY":      sandbox.DefaultAPIKey,
		"YATIVO_API_SECRET":   sandbox.DefaultAPISecret,
		"EXPORTER_STATE_FILE": "none",
	}
	maps.Copy(env, others)
	return env
}

// newTestExporter returns an exporter of a sandbox, with the environment's
// variables over the defaults, that has not refreshed yet.
func newTestExporter(t *testing.T, api *sandbox.Sandbox, env environ) *Exporter {
	t.Helper()
	c, err := config.Read(serve(t, api, env))
	if err != nil {
		t.Fatal(err)
	}
	queue := NewLogQueue(io.Discard)
	t.Cleanup(queue.Close)
	e, err := New(Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler), LogQueue: queue})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// get asks the exporter's handler, as a client on host.
func (e *Exporter) get(t *testing.T, target, host string) (status int, body string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Host = host
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(text)
}

// Without a state file each restart forgets what the page on KYC needs.
func TestSaysWhatNoStateFileCosts(t *testing.T) {
	for file, want := range map[string]bool{"none": true, filepath.Join(t.TempDir(), "state.db"): false} {
		var log bytes.Buffer
		c, err := config.Read(serve(t, sandbox.New(sandbox.Options{}), environ{"EXPORTER_STATE_FILE": file}))
		if err != nil {
			t.Fatal(err)
		}
		e, err := New(Options{Config: c, Version: "test", Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if said := strings.Contains(log.String(), "EXPORTER_STATE_FILE is none: each restart forgets"); said != want {
			t.Errorf("with %s: said %t, want %t: %s", file, said, want, log.String())
		}
	}
}
