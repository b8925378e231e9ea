package exporter

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"yativo-card-exporter/internal/sandbox"
)

// Every request is answered with the documented status: before the first
// snapshot, on loopback, on a public address, and where a password is wanted.
func TestStatuses(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("the right one"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	api := sandbox.New(sandbox.Options{Seed: 1, Customers: 10})
	early := serveHandler(t, newTestExporter(t, api, environ{"EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0"}), "")
	with := func(listen, webConfig string) (base string) {
		e := newTestExporter(t, api, environ{"EXPORTER_LISTEN_ADDRESS": listen, "EXPORTER_WEB_CONFIG_FILE": webConfig})
		e.refresher.Refresh(context.Background())
		return serveHandler(t, e, webConfig)
	}
	local, public := with("127.0.0.1:0", ""), with(":0", "")
	guarded := with(":0", webConfig(t, "basic_auth_users: {ops: '"+string(hash)+"'}\n"))

	for _, c := range []struct {
		request              string
		early, local, public int
	}{
		{"GET /", 200, 200, 200},
		{"GET /metrics", 200, 200, 200},
		{"HEAD /metrics", 200, 200, 200},
		{"GET /runbook", 200, 200, 200},
		{"GET /-/healthy", 200, 200, 200},
		{"GET /-/ready", 503, 200, 200},
		{"GET /stalled", 503, 200, 403},
		{"GET /stalled?flow_status=kyc_initiated", 503, 200, 403},
		{"GET /stalled?flow_status=active", 400, 400, 403},
		{"GET /stalled?format=csv", 503, 200, 403},
		{"GET /stalled?format=xml", 503, 400, 403},
		{"GET /nowhere", 404, 404, 404},
		{"GET /metrics/", 404, 404, 404},
		{"GET /-/reload", 404, 404, 404},
		{"POST /", 405, 405, 405},
		{"POST /metrics", 405, 405, 405},
		{"DELETE /stalled", 405, 405, 405},
		{"PUT /nowhere", 405, 405, 405},
		{"OPTIONS /-/ready", 405, 405, 405},
	} {
		for base, want := range map[string]int{early: c.early, local: c.local, public: c.public, guarded: 401} {
			if got := statusOf(t, base, c.request, ""); got != want {
				t.Errorf("%s at %s answers %d, want %d", c.request, base, got, want)
			}
		}
		if got := statusOf(t, guarded, c.request, "a wrong one"); got != 401 {
			t.Errorf("%s with a wrong password answers %d", c.request, got)
		}
		if got := statusOf(t, guarded, c.request, "the right one"); got != c.local {
			t.Errorf("%s with the password answers %d, want %d", c.request, got, c.local)
		}
	}
}

// serveHandler serves what the exporter's public address shows, on loopback,
// until the test ends.
func serveHandler(t *testing.T, e *Exporter, webConfigFile string) (base string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- serveHTTP(ctx, listener, e.Handler(), webConfigFile, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// statusOf sends a request, such as "GET /metrics", and returns its status.
func statusOf(t *testing.T, base, request, password string) int {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		r.SetBasicAuth("ops", password)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	return response.StatusCode
}
