package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/exporter"
	"yativo-card-exporter/internal/sandbox"
)

// demoAddress is where the demo's exporter listens.
const demoAddress = "127.0.0.1:10101"

// demo plays the API on loopback and runs the exporter against it.
func demo(ctx context.Context, p Process) (err error) {
	options, err := parseDemo(p)
	if err != nil || options == nil {
		return err
	}
	folder, err := os.MkdirTemp("", "yativo-card-exporter-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary folder for the demo's state: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	api, stop, err := playAPI(ctx, *options)
	if err != nil {
		return err
	}
	defer stop()
	c, err := config.Read(demoEnvironment(p, api, filepath.Join(folder, "state.db")))
	if err != nil {
		return err
	}
	listeners, err := exporter.Listen(ctx, c)
	if err != nil {
		return err
	}
	address, err := reachable(listeners[0].Addr().String())
	if err != nil {
		return err
	}
	story := story{out: p.Stdout, scenario: options.Scenario, start: time.Now()}
	_, _ = fmt.Fprintf(p.Stdout, `The sandbox plays the API with %d customers, scenario %s:
  %s
The exporter reads it every %s:
  http://%s/
  http://%s/metrics
  http://%s/stalled
Customers count as stalled soon here: %s.
%sStop with Ctrl-C.

`, options.Customers, options.Scenario, api, c.RefreshInterval, address, address, address, demoStalledAfter,
		story.plot())
	return export(ctx, p, c, listeners, story.follow)
}

// playAPI serves a sandbox on loopback until it is stopped, and returns its
// base address.
func playAPI(ctx context.Context, o sandbox.Options) (base string, stop func(), err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for the sandbox: %w", err)
	}
	server := &http.Server{Handler: sandbox.New(o), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String() + sandbox.BasePath, func() { _ = server.Close() }, nil
}

// parseDemo reads the flags. It returns nil if they only asked for help.
func parseDemo(p Process) (*sandbox.Options, error) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	customers := flags.Int("customers", 250, "customers at the start, 0 to 1000000")
	scenario := flags.String("scenario", "healthy", strings.Join(sandbox.Scenarios(), ", "))
	speed := flags.Float64("speed", 1, "how often customers move; 0 holds them still")
	if err := flags.Parse(p.Args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(p.Stdout)
			flags.Usage()
			return nil, nil //nolint:nilnil // documented
		}
		return nil, usageError("demo: " + err.Error())
	}
	plays, err := sandbox.ParseScenario(*scenario)
	switch {
	case flags.NArg() > 0:
		return nil, usageError(fmt.Sprintf("demo: takes no arguments, but got %q", flags.Arg(0)))
	case err != nil:
		return nil, usageError("demo: -scenario: " + err.Error())
	case *customers < 0 || *customers > 1_000_000:
		return nil, usageError("demo: -customers must be from 0 to 1000000")
	case !(*speed >= 0 && *speed <= 1000):
		return nil, usageError("demo: -speed must be from 0 to 1000")
	}
	return &sandbox.Options{Seed: 1, Customers: *customers, Speed: *speed, Scenario: plays}, nil
}

// The demo's thresholds are short, so that a stall can be seen to come and go.
const (
	demoStalledAfter   = "otp_requested:2m,otp_verified:2m,kyc_initiated:30s,kyc_completed:2m,safe_deploying:30s"
	demoAbandonedAfter = "otp_requested:10m,otp_verified:10m,kyc_initiated:10m,kyc_completed:10m,safe_deploying:10m"
)

// demoEnvironment is the configuration of the demo: nothing of the real
// environment but the address and how to log.
func demoEnvironment(p Process, api, stateFile string) map[string]string {
	env := map[string]string{
		"YATIVO_BASE_URL":           api,
		"YATIVO_API_KEY":            sandbox.DefaultAPIKey,
		"YATIVO_API_SECRET":         sandbox.DefaultAPISecret,
		"YATIVO_RATE_LIMIT":         "600",
		"EXPORTER_LISTEN_ADDRESS":   demoAddress,
		"EXPORTER_REFRESH_INTERVAL": "5s",
		"EXPORTER_BALANCE_INTERVAL": "15s",
		"EXPORTER_MAX_STALENESS":    "30s", // Well within the outage that the sandbox plays.
		"EXPORTER_STATE_FILE":       stateFile,
		"EXPORTER_STALLED_AFTER":    demoStalledAfter,
		"EXPORTER_ABANDONED_AFTER":  demoAbandonedAfter,
	}
	for _, name := range []string{"EXPORTER_LISTEN_ADDRESS", "EXPORTER_PRIVATE_ADDRESS", "EXPORTER_LOG_LEVEL", "EXPORTER_LOG_FORMAT"} {
		if value := p.Environment[name]; value != "" {
			env[name] = value
		}
	}
	return env
}
