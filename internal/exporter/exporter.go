// Package exporter wires the machine together: the API client, the tracker of
// time in status, the refresher and the HTTP server.
package exporter

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"sync"
	"time"

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
// customer; the handlers show the registry to whoever scrapes, and to people.
type Exporter struct {
	options   Options
	started   time.Time
	registry  *prometheus.Registry
	tracker   *onboarding.Tracker
	client    *apiclient.Client
	refresher *collector.Refresher

	pages   *template.Template
	runbook []byte
	metrics http.Handler
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
func New(o Options) (e *Exporter, err error) {
	c := o.Config
	e = &Exporter{options: o, started: time.Now(), registry: newRegistry(o.Version, o.LogQueue)}
	if err := e.prepareHandlers(); err != nil {
		return nil, err
	}
	if c.StateFile == "" {
		o.Logger.Warn("EXPORTER_STATE_FILE is none: each restart forgets since when customers wait, and the rhythm that the page on KYC needs")
	}
	e.tracker, err = onboarding.Open(onboarding.Options{
		Thresholds:      c.Thresholds,
		RefreshInterval: c.RefreshInterval,
		Path:            c.StateFile,
		Logger:          o.Logger,
		Registerer:      e.registry,
	})
	if err != nil {
		return nil, fmt.Errorf("open the state file (EXPORTER_STATE_FILE): %w", err)
	}
	// Its file stands beside the state file, whose lock it needs.
	e.client = NewClient(c, o.Version, o.Logger, e.registry)
	e.refresher = collector.NewRefresher(collector.Options{
		Client:          e.client,
		Tracker:         e.tracker,
		RefreshInterval: c.RefreshInterval,
		BalanceInterval: c.BalanceInterval,
		MaxStaleness:    c.MaxStaleness,
		Logger:          o.Logger,
		FirstPage:       func(page *apiclient.Page) { NewPace(c, e.client, page).warn(c.Thresholds, o.Logger) },
	})
	e.registry.MustRegister(e.refresher)
	return e, nil
}

// Handler serves everything that the exporter shows on its public address.
func (e *Exporter) Handler() http.Handler { return e.handler(accesses(e.options.Config)[0]) }

// Run refreshes and serves on what Listen returned until ctx ends, and returns
// nil if all that was in flight has ended in order.
func (e *Exporter) Run(ctx context.Context, listeners []net.Listener) error {
	c, logger := e.options.Config, e.options.Logger
	logger.Info("starting", "version", e.options.Version, "api", c.BaseURL.Redacted(),
		"refresh_interval", c.RefreshInterval, "balance_interval", c.BalanceInterval)
	for _, warning := range c.Warnings {
		logger.Warn("check the environment", "warning", warning)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var refreshing sync.WaitGroup
	refreshing.Go(func() { e.refresher.Run(ctx) })
	served := make(chan error)
	for i, a := range accesses(c) {
		go func() { served <- serveHTTP(ctx, listeners[i], e.handler(a), a.webConfigFile, logger) }()
	}
	var err error
	for range listeners {
		err = errors.Join(err, <-served)
		stop() // where one ends, all do
	}
	refreshing.Wait()
	logger.Info("clean shutdown")
	return err
}

// Close lets the state file go.
func (e *Exporter) Close() error { return e.tracker.Close() }

// newRegistry returns a registry with the metrics of the process itself.
func newRegistry(version string, logQueue *LogQueue) *prometheus.Registry {
	promversion.Version = version
	// The memstats are left out: among them a gauge and a counter share a name in
	// the OpenMetrics format, for which a strict reader refuses the whole page. The
	// heap is read from the runtime's own metrics instead.
	heapObjects := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/memory/classes/heap/objects:bytes$`)}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(
			collectors.WithGoCollectorMemStatsMetricsDisabled(),
			collectors.WithGoCollectorRuntimeMetrics(heapObjects),
		),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("yativo_exporter"),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "yativo_exporter_dropped_log_lines_total",
			Help: "Log lines that were not written because nobody read them.",
		}, func() float64 { return float64(logQueue.Dropped()) }),
	)
	return registry
}

// NewClient returns the API client that the configuration means.
func NewClient(c config.Config, version string, logger *slog.Logger, registerer prometheus.Registerer) *apiclient.Client {
	o := c.Options
	o.UserAgent = "yativo-card-exporter/" + version
	o.Random = rand.Float64
	o.Transport = apiclient.NewTransport(o.MaxConcurrency, o.Timeout)
	o.Logger = logger
	o.Registerer = registerer
	o.Advice = advice()
	if c.StateFile != "" {
		o.SendFile = c.StateFile + ".sent"
	}
	return apiclient.New(o)
}
