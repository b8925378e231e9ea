//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// logFaults are what can happen to whoever reads the log.
func logFaults() []ownFault {
	return []ownFault{
		{
			"a log that nobody reads", "refreshes, serves and is healthy; drops log lines and counts them, and exits 0 at a SIGTERM",
			func(t *testing.T) { unreadLog(t, os.O_RDWR, false) },
		},
		{"the log's reader dies", "the same", func(t *testing.T) { unreadLog(t, os.O_RDONLY|syscall.O_NONBLOCK, true) }},
	}
}

// unreadLog opens the log's pipe in a mode, and lets it fill or its reader die.
func unreadLog(t *testing.T, mode int, dies bool) {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "log")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(pipe, mode, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()

	api := sandbox.New(sandbox.Options{Customers: 87, Quota: -1})
	env := settingsFor(t, serveSandbox(t, api)).with(settings{"EXPORTER_LISTEN_ADDRESS": freeAddress(t)})
	if !dies {
		// Each makes a warning at the start: more than the pipe and the queue hold.
		for i := range 3000 {
			env[fmt.Sprint("EXPORTER_UNKNOWN_", i)] = "x"
		}
	}
	p := startProcess(t, []string{"sh", "-c", `exec "$0" 2>"$1"`}, env, pipe)
	e := &exporter{process: p, address: env["EXPORTER_LISTEN_ADDRESS"]}
	e.awaitListening()
	e.awaitReady()
	if dies {
		_ = reader.Close()
	}
	before := e.metrics()["yativo_exporter_refreshes_total"]
	e.await(30*time.Second, "refreshes go on and dropped lines are counted", func(now series) error {
		if err := now.above("yativo_exporter_dropped_log_lines_total", 0); err != nil {
			return err
		}
		return now.above("yativo_exporter_refreshes_total", before+1)
	})
	if code, body := e.get("/-/healthy"); code != http.StatusOK {
		t.Errorf("/-/healthy answers %d: %s", code, body)
	}
	e.endCleanly(syscall.SIGTERM, 20*time.Second)
}

// freeAddress is a loopback address that nobody listens on. Its port is below
// those that systems give to whoever asks for any, as all other tests do: they
// could take it before the exporter does.
func freeAddress(t *testing.T) string {
	t.Helper()
	const first, ports = 12000, 16000
	for {
		address := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(ports))
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err == nil {
			_ = listener.Close()
			return address
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
}

// awaitListening waits until the exporter answers at all.
func (e *exporter) awaitListening() {
	e.t.Helper()
	eventually(e.t, 30*time.Second, "the exporter listens", func() error {
		conn, err := (&net.Dialer{}).DialContext(e.t.Context(), "tcp", e.address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}
