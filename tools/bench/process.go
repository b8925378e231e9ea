//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that was started to be measured.
type process struct {
	cmd    *exec.Cmd
	begun  time.Time
	stderr lockedBuffer
}

// start runs a program with just the environment given.
func start(ctx context.Context, env []string, stdin io.Reader, stdout io.Writer, path string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, path, args...)}
	p.cmd.Env = append([]string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, stdout, &p.stderr
	p.begun = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return p, nil
}

// startServer runs a program that prints a line of words once it serves.
func startServer(ctx context.Context, stdin io.Reader, path string, args ...string) (*process, []string, error) {
	read, write := io.Pipe()
	p, err := start(ctx, nil, stdin, write, path, args...)
	if err != nil {
		return nil, nil, err
	}
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		return nil, nil, errors.Join(err, p.stop())
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	return p, strings.Fields(line), nil
}

// stop ends the process, if it has not ended by itself.
func (p *process) stop() error {
	err := p.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	_ = p.cmd.Wait() // a server that was told to end may say so
	return err
}

// finish waits until the process has ended by itself.
func (p *process) finish() error {
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", p.cmd.Path, err, p.stderr.String())
	}
	return nil
}

// cpu is the processor time of the process, once it has ended.
func (p *process) cpu() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// peakMiB is the most resident memory that the running process has had, mapped
// files included. What the kernel says when it has ended (ru_maxrss) would do
// for no more than an upper bound: it counts the parent's own at the time of
// the start.
func (p *process) peakMiB() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == "VmHWM:" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("the kernel does not say VmHWM")
}

// lockedBuffer keeps what a process writes, safe to read meanwhile.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
