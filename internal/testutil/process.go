//go:build unix

package testutil

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"time"
)

// Process is a program that was started, and what it has printed.
type Process struct {
	Cmd            *exec.Cmd
	Started        time.Time
	Stdout, Stderr Buffer

	ended chan struct{}
}

// Start runs a program in a process group of its own, so that a signal reaches
// what it started in turn and a Ctrl-C on the terminal does not. Output for
// which the command has no writer is kept. Whoever starts it must Stop it.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Cmd: cmd, ended: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.Stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.Stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.Started = time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() {
		_ = cmd.Wait() // The state says how it ended.
		close(p.ended)
	}()
	return p, nil
}

// Ended is closed when the process has ended; Cmd.ProcessState is set by then.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Signal sends a signal to the process group. To one that has ended it does
// nothing.
func (p *Process) Signal(sig syscall.Signal) error {
	err := syscall.Kill(-p.Cmd.Process.Pid, sig)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %v to %v: %w", sig, p.Cmd.Args, err)
	}
	return nil
}

// Stop asks the process to end, kills it if it has not done so within the grace
// period, and waits until it has ended.
func (p *Process) Stop(grace time.Duration) error {
	err := p.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		err = errors.Join(err, p.Signal(syscall.SIGKILL))
		<-p.ended
	}
	return err
}

// CPU is the processor time that the process has taken, once it has ended.
func (p *Process) CPU() time.Duration {
	return p.Cmd.ProcessState.UserTime() + p.Cmd.ProcessState.SystemTime()
}

// FreeAddress returns an address on loopback where nothing listens, as yet.
func FreeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}
