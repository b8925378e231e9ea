//go:build unix

// Command stack shows a page arrive and clear, without containers: the sandbox
// with a scenario, the exporter, a real Prometheus with the shipped rules, a
// real Alertmanager with the shipped example configuration, and a receiver that
// prints each message. The rules and Alertmanager's waits run faster than in
// production, so that it all happens within minutes; the customers' clock does
// not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

func main() {
	scenario := flag.String("scenario", "kyc-stall", "`name` of the demo's scenario")
	speed := flag.Float64("speed", 1, "how often customers move, as in the demo")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *scenario, *speed, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(1)
	}
}

// run runs the stack in a temporary folder until ctx ends, which is no error,
// or a part of it does.
func run(ctx context.Context, scenario string, speed float64, out io.Writer) (err error) {
	if _, err := sandbox.ParseScenario(scenario); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "yativo-card-stack-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	s := stack{folder: folder, out: out, ended: make(chan error, 1)}
	defer s.stop()
	if err := s.start(ctx, scenario, speed); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.ended:
		return err
	}
}

// stack is the running programs.
type stack struct {
	folder  string
	out     io.Writer
	running []*exec.Cmd
	waits   sync.WaitGroup
	ended   chan error // what the first program to end ended with
}

// start builds what has to be built, configures it and starts it.
func (s *stack) start(ctx context.Context, scenario string, speed float64) error {
	programs := map[string]string{}
	for _, name := range []string{"prometheus", "alertmanager"} {
		path, err := testutil.Tool(".", name)
		if err != nil {
			return err
		}
		programs[name] = path
	}
	fmt.Fprintln(s.out, "Building the exporter and the receiver.")
	for name, source := range map[string]string{"exporter": ".", "receiver": "./deploy/receiver"} {
		programs[name] = filepath.Join(s.folder, name)
		build := exec.CommandContext(ctx, "go", "build", "-o", programs[name], source)
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build the %s: %w\n%s", name, err, text)
		}
	}
	a, err := pickAddresses(ctx)
	if err != nil {
		return err
	}
	if err := configure(s.folder, a); err != nil {
		return err
	}
	fmt.Fprintf(s.out, `
Scenario %s. The rules run %d times as fast as in production.
  exporter       http://%s/
  who is stalled http://%s/stalled
  Prometheus     http://%s/api/v1/rules (JSON: this Prometheus is built without its pages; "Source" in Alertmanager leads to the exporter's)
  Alertmanager   http://%s/
There is no Grafana here; deploy/compose.yaml has it, and Prometheus' pages.
What they log is in %s. Pages and tickets are printed here; stop with Ctrl-C.
`, scenario, timeScale, a.exporter, a.private, a.prometheus, a.alertmanager, s.folder)

	if err := s.run("receiver", s.out, nil, programs["receiver"], "-listen", a.receiver); err != nil {
		return err
	}
	if err := s.run("exporter", nil, []string{"EXPORTER_LISTEN_ADDRESS=" + a.exporter, "EXPORTER_PRIVATE_ADDRESS=" + a.private}, programs["exporter"],
		"demo", "-scenario", scenario, "-speed", strconv.FormatFloat(speed, 'g', -1, 64)); err != nil {
		return err
	}
	if err := s.run("alertmanager", nil, nil, programs["alertmanager"],
		"--config.file="+filepath.Join(s.folder, "alertmanager.yml"), "--storage.path="+filepath.Join(s.folder, "alertmanager-data"),
		"--web.listen-address="+a.alertmanager, "--cluster.listen-address="); err != nil {
		return err
	}
	return s.run("prometheus", nil, nil, programs["prometheus"],
		"--config.file="+filepath.Join(s.folder, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(s.folder, "prometheus-data"),
		// What Prometheus adds to the address of its pages becomes a parameter.
		"--web.listen-address="+a.prometheus, "--web.external-url=http://"+a.exporter+"/?source=")
}

// run starts a program. What it prints goes to stdout, or, if that is nil, to
// its log.
func (s *stack) run(name string, stdout io.Writer, environment []string, program string, args ...string) error {
	log, err := os.Create(filepath.Join(s.folder, name+".log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // The program has its own.
	if stdout == nil {
		stdout = log
	}
	cmd := exec.Command(program, args...) //nolint:noctx // stop ends it gently
	cmd.Stdout, cmd.Stderr = stdout, log
	cmd.Env = append(os.Environ(), environment...)
	// A Ctrl-C is for this process, which ends the others in turn.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the %s: %w", name, err)
	}
	s.running = append(s.running, cmd)
	s.waits.Go(func() {
		_ = cmd.Wait() // The state says how it ended.
		text, _ := os.ReadFile(log.Name())
		select {
		case s.ended <- fmt.Errorf("the %s ended, %s:\n%s", name, cmd.ProcessState, tail(string(text))):
		default:
		}
	})
	return nil
}

// stop ends all programs, gently at first, and waits for them.
func (s *stack) stop() {
	for _, cmd := range s.running {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	impatient := time.AfterFunc(10*time.Second, func() {
		for _, cmd := range s.running {
			_ = cmd.Process.Kill()
		}
	})
	defer impatient.Stop()
	s.waits.Wait()
}

// addresses are where the programs listen, on loopback.
type addresses struct{ exporter, private, prometheus, alertmanager, receiver string }

// pickAddresses takes the well-known ports, and others where those are taken.
func pickAddresses(ctx context.Context) (addresses, error) {
	var picked [5]string
	for i, port := range []string{"10101", "10102", "9090", "9093", "9095"} {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		}
		if err != nil {
			return addresses{}, fmt.Errorf("find a free port: %w", err)
		}
		picked[i] = listener.Addr().String()
		if err := listener.Close(); err != nil {
			return addresses{}, err
		}
	}
	return addresses{picked[0], picked[1], picked[2], picked[3], picked[4]}, nil
}

// tail is the end of a log.
func tail(text string) string {
	lines := strings.SplitAfter(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "")
}
