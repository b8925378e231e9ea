// Command yativo-card-exporter shows Prometheus where the customers of a Yativo
// card program are on their way from "OTP requested" to "active card", and what
// their wallets hold.
//
// This file picks the command and wires the machine together, from the
// configuration (config.go) through the API client, the tracker of time in
// status and the refresher to the HTTP server (http.go).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	promversion "github.com/prometheus/common/version"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/dashboards"
	"yativo-card-exporter/internal/onboarding"
)

// version is set by the linker; see the Makefile.
var version = "" //nolint:gochecknoglobals // only a variable can be set by the linker

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or the configuration is wrong
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, process{args: os.Args[1:], lookup: os.LookupEnv, stdout: os.Stdout, stderr: os.Stderr})
	stop()
	os.Exit(code)
}

// process is what a command has of the process that it runs in.
type process struct {
	args   []string
	lookup func(name string) (string, bool) // of the environment
	stdout io.Writer
	stderr io.Writer
}

// run runs the command that the arguments name until it ends or ctx does, and
// returns the process's exit code.
func run(ctx context.Context, p process) int {
	command := "serve"
	if len(p.args) > 0 {
		command, p.args = p.args[0], p.args[1:]
	}
	var err error
	switch command {
	case "serve":
		err = withoutArguments(p, func() error { return serveCommand(ctx, p) })
	case "demo":
		err = demoCommand(ctx, p)
	case "check":
		err = withoutArguments(p, func() error { return checkCommand(ctx, p) })
	case "alerts":
		return alerts.Command(p.args, p.stdout, p.stderr)
	case "dashboards":
		return dashboards.Command(p.args, p.stdout, p.stderr)
	case "healthcheck":
		err = withoutArguments(p, func() error { return healthcheckCommand(ctx, p) })
	case "version", "--version", "-version":
		_, err = fmt.Fprintf(p.stdout, "yativo-card-exporter %s\n", buildVersion())
	case "help", "--help", "-help", "-h":
		err = printHelp(p.stdout)
	default:
		err = usageError(fmt.Sprintf("there is no command %q; --help lists them", command))
	}
	return exitCode(err, p.stderr)
}

func serveCommand(ctx context.Context, p process) error {
	c, err := readConfig(p.lookup)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, c)
	if err != nil {
		return err
	}
	return serve(ctx, c, listener, p.logger(c.log))
}

// exporter is the whole machine. Pages come in through the client; the
// refresher folds them into a snapshot, with what the tracker remembers of each
// customer; the handler shows the registry to whoever scrapes.
type exporter struct {
	tracker   *onboarding.Tracker
	refresher *collector.Refresher
	handler   http.Handler
}

// newExporter wires the machine together. Nothing runs yet; the tracker holds
// the state file open until it is closed.
func newExporter(c config, logger *slog.Logger) (*exporter, error) {
	registry, err := newRegistry()
	if err != nil {
		return nil, err
	}
	client, err := newClient(c, logger, registry)
	if err != nil {
		return nil, err
	}
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds:      c.thresholds,
		RefreshInterval: c.refreshInterval,
		Path:            c.stateFile,
		Logger:          logger,
		Registerer:      registry,
	})
	if err != nil {
		return nil, fmt.Errorf("open the state file (EXPORTER_STATE_FILE): %w", err)
	}
	refresher := collector.NewRefresher(collector.Options{
		Client:          &pacedLister{client: client, config: c, logger: logger},
		Tracker:         tracker,
		RefreshInterval: c.refreshInterval,
		BalanceInterval: c.balanceInterval,
		MaxStaleness:    c.maxStaleness,
		Logger:          logger,
	})
	if err := registry.Register(refresher); err != nil {
		return nil, errors.Join(err, tracker.Close())
	}
	handler, err := newHandler(c, registry, refresher, logger)
	if err != nil {
		return nil, errors.Join(err, tracker.Close())
	}
	return &exporter{tracker, refresher, handler}, nil
}

// serve runs the exporter until ctx ends, and returns nil if everything has
// been closed in order.
func serve(ctx context.Context, c config, listener net.Listener, logger *slog.Logger) (err error) {
	e, err := newExporter(c, logger)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, e.tracker.Close()) }()
	logger.Info("starting", "version", buildVersion(), "api", c.baseURL.Redacted(),
		"refresh_interval", c.refreshInterval, "balance_interval", c.balanceInterval)

	ctx, stop := context.WithCancel(ctx)
	var refreshing sync.WaitGroup
	refreshing.Go(func() { e.refresher.Run(ctx) })
	err = serveHTTP(ctx, listener, newServer(e.handler, logger), c.webConfigFile, logger)
	stop()
	refreshing.Wait()
	logger.Info("stopped")
	return err
}

// newRegistry returns a registry with the metrics of the process itself.
func newRegistry() (*prometheus.Registry, error) {
	promversion.Version = buildVersion()
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("yativo_exporter"),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return registry, nil
}

func newClient(c config, logger *slog.Logger, registerer prometheus.Registerer) (*apiclient.Client, error) {
	return apiclient.New(apiclient.Options{
		BaseURL:         c.baseURL,
		TokenPath:       c.tokenPath,
		UserAgent:       "yativo-card-exporter/" + buildVersion(),
		APIKey:          c.apiKey,
		APISecret:       c.apiSecret,
		AccessToken:     c.accessToken,
		PageSize:        c.pageSize,
		Timeout:         c.timeout,
		MaxConcurrency:  c.maxConcurrency,
		RateLimit:       c.rateLimit,
		RateReserve:     c.rateReserve,
		RefreshInterval: c.refreshInterval,
		BreakerFailures: c.breakerFailures,
		BreakerCooldown: c.breakerCooldown,
		Random:          rand.Float64,
		Transport:       apiclient.NewTransport(c.maxConcurrency),
		Logger:          logger,
		Registerer:      registerer,
	})
}

// usageError is a mistake on the command line or in the configuration.
type usageError string

func (e usageError) Error() string { return string(e) }

// withoutArguments runs a command that has no flags but those for help.
func withoutArguments(p process, command func() error) error {
	switch {
	case len(p.args) == 0:
		return command()
	case slices.Contains([]string{"-h", "-help", "--help"}, p.args[0]):
		return printHelp(p.stdout)
	default:
		return usageError(fmt.Sprintf("this command takes no arguments, but there is %q", p.args[0]))
	}
}

// exitCode reports err, if there is one, and returns the exit code it means.
func exitCode(err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "yativo-card-exporter: %s\n", usage)
		return exitUsage
	default:
		_, _ = fmt.Fprintf(stderr, "yativo-card-exporter: %s\n", err)
		return exitFailed
	}
}

// logger returns the logger that the configuration asks for.
func (p process) logger(c logConfig) *slog.Logger {
	noColor, _ := p.lookup("NO_COLOR")
	return newLogger(c, p.stderr, noColor != "")
}

// buildVersion is the linked version, else what the toolchain noted.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
