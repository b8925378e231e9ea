package exporter

import (
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/exporter-toolkit/web"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/config"
)

// newHandler routes everything that the exporter serves.
func newHandler(c config.Config, version string, registry *prometheus.Registry, client *apiclient.Client, refresher *collector.Refresher, logger *slog.Logger) (http.Handler, error) {
	landing, err := web.NewLandingPage(web.LandingConfig{
		Name:        "Yativo card exporter",
		Description: "Prometheus exporter for the customers of a Yativo card program",
		Version:     version,
		Profiling:   "false",
		Links: []web.LandingLinks{
			{Address: "/metrics", Text: "Metrics"},
			{Address: "/stalled", Text: "Stalled customers", Description: "JSON; wants a web configuration with credentials, or loopback"},
			{Address: "/runbook", Text: "Runbook", Description: "what each alert means and what to do"},
			{Address: "/-/ready", Text: "Ready", Description: "whether there is a first snapshot"},
			{Address: "/-/healthy", Text: "Healthy", Description: "whether the process is alive and its refreshes go on"},
		},
	})
	if err != nil {
		return nil, err
	}
	runbook, err := alerts.RunbookHTML()
	if err != nil {
		return nil, err
	}
	metrics := promhttp.InstrumentMetricHandler(registry, bounded(promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		Registry: registry,
		// It tells of scrapers that hang up, which would fill the log. An error in
		// the metrics themselves fails the scrape and is counted.
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		EnableOpenMetrics: true,
		CoalesceGather:    true,
	}), maxRendered))
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", landing)
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /runbook", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(runbook)
	})
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		// Where quota is short a request may be held back for minutes, and a
		// restart would only ask for more.
		if !refresher.IsTurning() && !client.WaitsForQuota() {
			answer(w, http.StatusServiceUnavailable, "The process is alive, but its refreshes have come to a halt; the log may say where. Restart it.\n")
			return
		}
		answer(w, http.StatusOK, "The process is alive and its refreshes go on.\n")
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !refresher.Ready() {
			answer(w, http.StatusServiceUnavailable, "There is no first snapshot yet; /metrics says why.\n")
			return
		}
		answer(w, http.StatusOK, "There is a snapshot.\n")
	})
	mux.Handle("GET /stalled", &stalledHandler{
		listenAddress: c.ListenAddress, webConfigFile: c.WebConfigFile, report: refresher.Stalled,
	})
	return mux, nil
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
