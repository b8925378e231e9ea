package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	promversion "github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/onboarding"
)

// shutdownTimeout is how long scrapes in flight have to end.
const shutdownTimeout = 5 * time.Second

func serveCommand(ctx context.Context, p process) error {
	c, err := readConfig(p.lookup)
	if err != nil {
		return err
	}
	return serve(ctx, c, p.logger(c.log))
}

// logger returns the logger that the configuration asks for.
func (p process) logger(c logConfig) *slog.Logger {
	noColor, _ := p.lookup("NO_COLOR")
	return newLogger(c, p.stderr, noColor != "")
}

// serve is the whole machine: pages come in through the client, the refresher
// folds them into a snapshot with what the tracker remembers, and the server
// shows that to whoever scrapes. It returns nil when ctx ended and everything
// is closed.
func serve(ctx context.Context, c config, logger *slog.Logger) (err error) {
	registry := newRegistry()
	client, err := newClient(c, logger, registry)
	if err != nil {
		return err
	}
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds:      c.thresholds,
		RefreshInterval: c.refreshInterval,
		Path:            c.stateFile,
		Logger:          logger,
		Registerer:      registry,
	})
	if err != nil {
		return fmt.Errorf("open the state file (EXPORTER_STATE_FILE): %w", err)
	}
	defer func() { err = errors.Join(err, tracker.Close()) }()
	refresher := collector.NewRefresher(collector.Options{
		Client:          client,
		Tracker:         tracker,
		RefreshInterval: c.refreshInterval,
		BalanceInterval: c.balanceInterval,
		MaxStaleness:    c.maxStaleness,
		Logger:          logger,
	})
	if err := registry.Register(refresher); err != nil {
		return err
	}
	handler, err := newHandler(c, registry, refresher, logger)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.listenAddress)
	if err != nil {
		return fmt.Errorf("listen on EXPORTER_LISTEN_ADDRESS: %w", err)
	}
	logger.Info("starting", "version", buildVersion(), "api", c.baseURL.Redacted(),
		"refresh_interval", c.refreshInterval, "balance_interval", c.balanceInterval)

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	refreshing := make(chan struct{})
	go func() {
		defer close(refreshing)
		refresher.Run(ctx)
	}()
	err = serveHTTP(ctx, listener, newServer(handler, logger), c.webConfigFile, logger)
	stop()
	<-refreshing
	logger.Info("stopped")
	return err
}

// newRegistry returns a registry with the metrics of the process itself.
func newRegistry() *prometheus.Registry {
	promversion.Version = buildVersion()
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("yativo_exporter"),
	)
	return registry
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
		Transport:       apiclient.NewTransport(c.maxConcurrency),
		Logger:          logger,
		Registerer:      registerer,
	})
}

// newServer returns a server that slow or greedy clients cannot tie up.
func newServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// serveHTTP serves until ctx ends, then lets requests in flight finish.
func serveHTTP(ctx context.Context, listener net.Listener, server *http.Server, webConfigFile string, logger *slog.Logger) error {
	served := make(chan error, 1)
	go func() {
		served <- web.Serve(listener, server, &web.FlagConfig{WebConfigFile: &webConfigFile}, logger)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	// The context that ended cannot bound the shutdown.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close()
	}
	<-served
	return nil
}
