//go:build e2e

package e2e_test

import (
	"context"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"yativo-card-exporter/internal/testutil"
)

// process is a program that a test started.
type process struct {
	*testutil.Process
	t *testing.T
}

// start runs a program. It is killed when the test ends, and what it printed is
// shown if the test failed.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	running, err := testutil.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{running, t}
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.Ended()
		if t.Failed() {
			t.Logf("%v ended with %v and printed:\n%s%s", cmd.Args, cmd.ProcessState, tail(p.Stdout.String()), tail(p.Stderr.String()))
		}
	})
	return p
}

// signal sends a signal to the process group.
func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.Signal(sig); err != nil {
		p.t.Error(err)
	}
}

// exit waits until the process has ended and returns its exit code, -1 if a
// signal ended it.
func (p *process) exit(within time.Duration) int {
	p.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.Ended():
		return p.Cmd.ProcessState.ExitCode()
	case <-timer.C:
		p.t.Fatalf("%v is still running after %v", p.Cmd.Args, within)
		return 0
	}
}

// endCleanly sends a signal, after which the process must exit with 0.
func (p *process) endCleanly(sig syscall.Signal, within time.Duration) {
	p.t.Helper()
	p.signal(sig)
	if code := p.exit(within); code != 0 {
		p.t.Errorf("it exits %d, want 0", code)
	}
}

// tail is the end of a text that is too long to show.
func tail(s string) string {
	const most = 4000
	if len(s) <= most {
		return s
	}
	return "…" + s[len(s)-most:]
}

// eventually polls until check has nothing to object, and fails the test with
// its last objection if that takes too long.
func eventually(t *testing.T, within time.Duration, what string, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := testutil.Poll(ctx, 50*time.Millisecond, check); err != nil {
		t.Fatalf("%s: not within %v: %v", what, within, err)
	}
}
