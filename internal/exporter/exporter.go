// Package exporter wires the machine together: the API client, the tracker of
// time in status, the refresher and the HTTP server.
package exporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	promversion "github.com/prometheus/common/version"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/onboarding"
)

// Exporter is the whole machine. Pages come in through the client; the
// refresher folds them into a snapshot, with what the tracker remembers of each
// customer; the handler shows the registry to whoever scrapes.
type Exporter struct {
	config    config.Config
	version   string
	logger    *slog.Logger
	logQueue  *LogQueue
	tracker   *onboarding.Tracker
	refresher *collector.Refresher
	site      *site
}

// Options configure an Exporter.
type Options struct {
	Config   config.Config
	Version  string
	Logger   *slog.Logger
	LogQueue *LogQueue // that Logger writes to, or nil if it drops no lines
}

// New wires the machine together. Nothing runs yet; the tracker holds the state
// file open until Close.
func New(o Options) (*Exporter, error) {
	c, version, logger := o.Config, o.Version, o.Logger
	registry, err := newRegistry(version, o.LogQueue)
	if err != nil {
		return nil, err
	}
	if c.StateFile == "" {
		logger.Warn("EXPORTER_STATE_FILE is none: each restart forgets since when customers wait, and the rhythm by which KYC is paged.")
	}
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds:      c.Thresholds,
		RefreshInterval: c.RefreshInterval,
		Path:            c.StateFile,
		Logger:          logger,
		Registerer:      registry,
	})
	if err != nil {
		return nil, fmt.Errorf("open the state file (EXPORTER_STATE_FILE): %w", err)
	}
	// Its file stands beside the state file, whose lock it needs.
	client := NewClient(c, version, logger, registry)
	refresher := collector.NewRefresher(collector.Options{
		Client:          client,
		Tracker:         tracker,
		RefreshInterval: c.RefreshInterval,
		BalanceInterval: c.BalanceInterval,
		MaxStaleness:    c.MaxStaleness,
		Logger:          logger,
		FirstPage:       func(page *apiclient.Page) { NewPace(c, client, page).warn(c.Thresholds, logger) },
	})
	if err := registry.Register(refresher); err != nil {
		return nil, errors.Join(err, tracker.Close())
	}
	site, err := newSite(c, version, registry, client, refresher, logger)
	if err != nil {
		return nil, errors.Join(err, tracker.Close())
	}
	return &Exporter{c, version, logger, o.LogQueue, tracker, refresher, site}, nil
}

// Handler serves everything that the exporter shows on its public address.
func (e *Exporter) Handler() http.Handler { return e.site.handler(accesses(e.config)[0]) }

// Run refreshes and serves on what Listen returned until ctx ends, and returns
// nil if all that was in flight has ended in order.
func (e *Exporter) Run(ctx context.Context, listeners []net.Listener) error {
	e.logger.Info("starting", "version", e.version, "api", e.config.BaseURL.Redacted(),
		"refresh_interval", e.config.RefreshInterval, "balance_interval", e.config.BalanceInterval)
	for _, warning := range e.config.Warnings {
		e.logger.Warn("the environment may not do what is meant", "warning", warning)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var refreshing sync.WaitGroup
	refreshing.Go(func() { e.refresher.Run(ctx) })
	served := make(chan error)
	for i, a := range accesses(e.config) {
		go func() {
			served <- serveHTTP(ctx, listeners[i], newServer(e.site.handler(a), e.logger), a.webConfigFile, e.logger)
		}()
	}
	var err error
	for range listeners {
		err = errors.Join(err, <-served)
		stop() // where one ends, all do
	}
	refreshing.Wait()
	e.logger.Info("clean shutdown")
	return err
}

// Close lets the state file go.
func (e *Exporter) Close() error { return e.tracker.Close() }

// newRegistry returns a registry with the metrics of the process itself.
func newRegistry(version string, logQueue *LogQueue) (*prometheus.Registry, error) {
	promversion.Version = version
	// The memstats are left out: among them a gauge and a counter share a name in
	// the OpenMetrics format, for which a strict reader refuses the whole page. The
	// heap is read from the runtime's own metrics instead.
	heapObjects := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/memory/classes/heap/objects:bytes$`)}
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(
			collectors.WithGoCollectorMemStatsMetricsDisabled(),
			collectors.WithGoCollectorRuntimeMetrics(heapObjects),
		),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("yativo_exporter"),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "yativo_exporter_dropped_log_lines_total",
			Help: "Log lines that were not written, since nobody read them.",
		}, func() float64 { return float64(logQueue.Dropped()) }),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return registry, nil
}

// NewClient returns the API client that the configuration means.
func NewClient(c config.Config, version string, logger *slog.Logger, registerer prometheus.Registerer) *apiclient.Client {
	sendFile := ""
	if c.StateFile != "" {
		sendFile = c.StateFile + ".sent"
	}
	return apiclient.New(apiclient.Options{
		BaseURL:         c.BaseURL,
		TokenPath:       c.TokenPath,
		UserAgent:       "yativo-card-exporter/" + version,
		APIKey:          c.APIKey,
		APISecret:       c.APISecret,
		AccessToken:     c.AccessToken,
		PageSize:        c.PageSize,
		Timeout:         c.Timeout,
		MaxConcurrency:  c.MaxConcurrency,
		RateLimit:       c.RateLimit,
		RateReserve:     c.RateReserve,
		RefreshInterval: c.RefreshInterval,
		BreakerFailures: c.BreakerFailures,
		BreakerCooldown: c.BreakerCooldown,
		Random:          rand.Float64,
		Transport:       apiclient.NewTransport(c.MaxConcurrency, c.Timeout),
		Logger:          logger,
		Registerer:      registerer,
		SendFile:        sendFile,
		Advice:          advice(),
	})
}
