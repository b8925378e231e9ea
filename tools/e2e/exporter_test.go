//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

// settings are environment variables.
type settings map[string]string

// with returns a copy in which others overrule; an empty one is unset.
func (s settings) with(others settings) settings {
	all := maps.Clone(s)
	maps.Copy(all, others)
	return all
}

func (s settings) environ() []string {
	env := []string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
	for name, value := range s {
		env = append(env, name+"="+value)
	}
	return env
}

// serveSandbox serves a sandbox, through a handler that may look at what
// passes, and returns its base URL.
func serveSandbox(t *testing.T, handler http.Handler) (baseURL string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL + sandbox.BasePath
}

// settingsFor are the least that an exporter needs to watch an API: its
// address, credentials, a port of its own, and the shortest refresh interval.
func settingsFor(t *testing.T, baseURL string) settings {
	t.Helper()
	return settings{
		"YATIVO_BASE_URL":           baseURL,
		"YATIVO_API_KEY":            sandbox.DefaultAPIKey,
		"YATIVO_API_SECRET":         sandbox.DefaultAPISecret,
		"YATIVO_RATE_LIMIT":         "10000",
		"YATIVO_RATE_RESERVE":       "0",
		"EXPORTER_LISTEN_ADDRESS":   "127.0.0.1:0",
		"EXPORTER_REFRESH_INTERVAL": "5s",
		"EXPORTER_BALANCE_INTERVAL": "5s",
		"EXPORTER_STATE_FILE":       filepath.Join(t.TempDir(), "state.db"),
		"EXPORTER_LOG_LEVEL":        "debug",
	}
}

// exporter is a running exporter.
type exporter struct {
	*process
	address string // host and port
}

func startExporter(t *testing.T, env settings) *exporter {
	t.Helper()
	return startExporterBy(t, nil, env)
}

// startExporterBy has a program, given with its arguments, start the exporter.
func startExporterBy(t *testing.T, wrapper []string, env settings) *exporter {
	t.Helper()
	e := &exporter{process: startProcess(t, wrapper, env)}
	e.address = listenAddress(t, e.process)
	return e
}

// startProcess starts the exporter without waiting for it to listen. A wrapper
// is given the exporter's path and what follows.
func startProcess(t *testing.T, wrapper []string, env settings, following ...string) *process {
	t.Helper()
	args := append(append(slices.Clone(wrapper), exporterBinary), following...)
	cmd := exec.CommandContext(context.Background(), args[0], args[1:]...)
	cmd.Env = env.environ()
	return start(t, cmd)
}

// listenAddress waits until a process logs the address that it listens on.
func listenAddress(t *testing.T, p *process) string {
	t.Helper()
	return awaitLogged(t, p, regexp.MustCompile(`"address":"(127\.0\.0\.1:[1-9]\d*)"`))
}

// awaitLogged returns the address of 127.0.0.1 that a process logs.
func awaitLogged(t *testing.T, p *process, logged *regexp.Regexp) (address string) {
	t.Helper()
	eventually(t, 30*time.Second, "the log tells the listen address", func() error {
		select {
		case <-p.Ended():
			t.Fatalf("%v ended with %v", p.Cmd.Args, p.Cmd.ProcessState)
		default:
		}
		found := logged.FindStringSubmatch(p.Stderr.String())
		if found == nil {
			return errors.New("no such line yet")
		}
		address = found[1]
		return nil
	})
	return address
}

// awaitReady waits for the first snapshot.
func (e *exporter) awaitReady() {
	e.t.Helper()
	eventually(e.t, 30*time.Second, "the exporter is ready", func() error {
		if code, body := e.get("/-/ready"); code != http.StatusOK {
			return fmt.Errorf("/-/ready answers %d: %s", code, body)
		}
		return nil
	})
}

func (e *exporter) get(path string) (code int, body string) {
	e.t.Helper()
	code, body, _ = testutil.Get(e.t, "http://"+e.address+path)
	return code, body
}

// metrics returns the values of all series by their text form.
func (e *exporter) metrics() series {
	e.t.Helper()
	code, body := e.get("/metrics")
	if code != http.StatusOK {
		e.t.Fatalf("/metrics answers %d: %s", code, body)
	}
	return parseSeries(e.t, body)
}

// await waits until check has nothing to object to the series.
func (e *exporter) await(within time.Duration, what string, check func(series) error) {
	e.t.Helper()
	eventually(e.t, within, what, func() error { return check(e.metrics()) })
}

// series are values by name and sorted labels, as in `up{job="x"}`.
type series testutil.Series

// is objects unless a series has a value.
func (s series) is(name string, want float64) error {
	got, ok := s[name]
	if !ok {
		return fmt.Errorf("%s is absent, want %v", name, want)
	}
	if got != want {
		return fmt.Errorf("%s is %v, want %v", name, got, want)
	}
	return nil
}

// above objects unless a series is greater than a bound.
func (s series) above(name string, bound float64) error {
	if got, ok := s[name]; !ok || got <= bound {
		return fmt.Errorf("%s is %v (present: %t), want more than %v", name, got, ok, bound)
	}
	return nil
}

// parseSeries reads the samples of the text exposition.
func parseSeries(t *testing.T, text string) series {
	t.Helper()
	all, err := testutil.ParseSeries(text)
	if err != nil {
		t.Fatal(err)
	}
	return series(all)
}
