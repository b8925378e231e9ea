//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"yativo-card-exporter/internal/testutil"
)

// process is a program that was started to be measured.
type process struct{ *testutil.Process }

// start runs a program with just the environment given.
func start(ctx context.Context, env []string, stdin io.Reader, stdout io.Writer, path string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append([]string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stdin, cmd.Stdout = stdin, stdout
	p, err := testutil.Start(cmd)
	return &process{p}, err
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
func (p *process) stop() error { return p.Stop(time.Minute) }

// finish waits until the process has ended by itself.
func (p *process) finish() error {
	<-p.Ended()
	if !p.Cmd.ProcessState.Success() {
		return fmt.Errorf("%s: %s: %s", p.Cmd.Path, p.Cmd.ProcessState, p.Stderr.String())
	}
	return nil
}

// peakMiB is the most resident memory that the running process has had.
func (p *process) peakMiB() (float64, error) {
	size, err := testutil.PeakMemory(p.Cmd.Process.Pid)
	return float64(size) / (1 << 20), err
}
