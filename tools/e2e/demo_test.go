//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

// The first command of the README, run by somebody who has just cloned the
// repository, shows customers and ends as cleanly as it began.
func TestNewcomerRunsTheDemo(t *testing.T) {
	t.Parallel()
	temporary := t.TempDir()
	cmd := exec.CommandContext(context.Background(), "go", "run", ".", "demo")
	cmd.Dir = clone(t)
	cmd.Env = append(inherited(), "EXPORTER_LISTEN_ADDRESS=127.0.0.1:0", "TMPDIR="+temporary)
	demo := start(t, cmd)

	eventually(t, 3*time.Minute, "the demo is compiled and says what to open", func() error {
		if !strings.Contains(demo.Stdout.String(), "/metrics\n") {
			return errors.New("no address of /metrics is printed yet")
		}
		return nil
	})
	url := "http://" + listenAddress(t, demo) + "/metrics"
	eventually(t, 30*time.Second, "the demo shows customers", func() error {
		code, body, _ := testutil.Get(t, url)
		if code != http.StatusOK {
			return fmt.Errorf("%s answers %d", url, code)
		}
		now := parseSeries(t, body)
		return errors.Join(
			now.above("yativo_card_customers"+label("active"), 0),
			now.above(`yativo_card_ledger_balance{currency="USD"}`, 0),
			now.above("yativo_card_undeployed_safes"+label("kyc_initiated"), 0),
			now.is("yativo_up", 1))
	})

	// As Ctrl-C does, to go run and to the demo. The exit code is that of go
	// run, which is 1 after a signal whatever the demo did; it would say so if
	// the demo had failed.
	demo.signal(syscall.SIGINT)
	demo.exit(15 * time.Second)
	if strings.Contains(demo.Stderr.String(), "exit status") {
		t.Error("the demo fails on Ctrl-C")
	}
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) > 0 {
		t.Errorf("it leaves %v in the temporary folder, %v", left, err)
	}
}

// Whoever starts the demo by its binary gets exit 0 after either signal, in any
// scenario.
func TestDemoEndsCleanly(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		for _, scenario := range sandbox.Scenarios() {
			t.Run(fmt.Sprintf("%s, %v", scenario, sig), func(t *testing.T) {
				t.Parallel()
				cmd := exec.CommandContext(context.Background(), exporterBinary, "demo", "-scenario", scenario, "-customers", "50", "-speed", "3")
				cmd.Env = append(inherited(), "EXPORTER_LISTEN_ADDRESS=127.0.0.1:0", "TMPDIR="+t.TempDir())
				demo := &exporter{process: start(t, cmd)}
				demo.address = listenAddress(t, demo.process)
				demo.awaitReady()
				demo.endCleanly(sig, 15*time.Second)
			})
		}
	}
}

// The stall that the demo promises can be watched: it shows within a minute or
// so, and /stalled names those whom the gauge counts.
func TestDemoShowsAStall(t *testing.T) {
	t.Parallel()
	for status, scenario := range map[string]string{"kyc_initiated": "kyc-stall", "safe_deploying": "safe-stall"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(context.Background(), exporterBinary, "demo", "-scenario", scenario)
			cmd.Env = append(inherited(), "EXPORTER_LISTEN_ADDRESS=127.0.0.1:0", "TMPDIR="+t.TempDir())
			demo := &exporter{process: start(t, cmd)}
			demo.address = listenAddress(t, demo.process)
			demo.await(2*time.Minute, "customers are stalled in "+status, func(now series) error {
				return now.above("yativo_card_stalled_customers"+label(status), 2)
			})
			code, list := demo.get("/stalled?flow_status=" + status)
			if code != http.StatusOK || strings.Count(list, `"customer_id"`) < 3 {
				t.Errorf("/stalled answers %d: %s", code, list)
			}
		})
	}
}

// The demo says what is wrong with its flags, and which scenarios there are.
func TestDemoRefusesWrongFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-scenario", "doom"}, {"-customers", "-1"}, {"-speed", "x"}, {"-tempo", "1"}, {"now"}} {
		got := runExporter(t, nil, append([]string{"demo"}, args...)...)
		if got.code != 64 || !strings.Contains(got.stderr, strings.TrimPrefix(args[0], "-")) {
			t.Errorf("demo %q exits %d and says %q; want 64 and the flag", args, got.code, got.stderr)
		}
	}
	if got := runExporter(t, nil, "demo", "-scenario", "doom"); !strings.Contains(got.stderr, "kyc-stall") {
		t.Errorf("it does not list the scenarios: %q", got.stderr)
	}
}

// clone copies what a clone of the repository would hold if everything were
// committed: the files that git knows or does not ignore.
func clone(t *testing.T) (dir string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list the files of the repository: %v", err)
	}
	dir = t.TempDir()
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // Deleted, and the deletion is not committed yet.
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// inherited is this process' environment without what configures the exporter.
func inherited() []string {
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "YATIVO_") && !strings.HasPrefix(variable, "EXPORTER_") {
			env = append(env, variable)
		}
	}
	return env
}
