//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that a test started, and what it has printed.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout output
	stderr output
	ended  chan struct{} // closed when it has ended
}

// start runs a program in a process group of its own, so that a signal reaches
// what it started in turn. It is killed when the test ends, and what it
// printed is shown if the test failed.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	go func() {
		_ = cmd.Wait() // the exit code is read from the state
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
		if t.Failed() {
			t.Logf("%v printed:\n%s%s", cmd.Args, tail(p.stdout.String()), tail(p.stderr.String()))
		}
	})
	return p
}

// signal sends a signal to the process group; to one that has ended it does
// nothing.
func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	err := syscall.Kill(-p.cmd.Process.Pid, sig)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("send %v to %v: %v", sig, p.cmd.Args, err)
	}
}

// exit waits until the process has ended and returns its exit code, -1 if a
// signal ended it.
func (p *process) exit(within time.Duration) int {
	p.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-timer.C:
		p.t.Fatalf("%v is still running after %v", p.cmd.Args, within)
		return 0
	}
}

// output keeps what a process writes, safe to read meanwhile.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
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
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, within, err)
		}
	}
}
