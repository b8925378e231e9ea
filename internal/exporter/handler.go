package exporter

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/config"
)

//go:embed pages.tmpl
var pagesTemplate string

// site is what the listeners serve.
type site struct {
	config    config.Config
	version   string
	started   time.Time
	registry  *prometheus.Registry
	client    *apiclient.Client
	refresher *collector.Refresher
	pages     *template.Template
	runbook   []byte
	metrics   http.Handler
}

func newSite(c config.Config, version string, registry *prometheus.Registry, client *apiclient.Client, refresher *collector.Refresher, logger *slog.Logger) (*site, error) {
	pages, err := template.New("pages").Funcs(template.FuncMap{"since": func(t time.Time) string { return span(time.Since(t)) }, "moment": moment}).Parse(pagesTemplate)
	if err != nil {
		return nil, err
	}
	runbook, err := alerts.RunbookHTML(alerts.Links{Stalled: "stalled"})
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
	return &site{c, version, time.Now(), registry, client, refresher, pages, runbook, metrics}, nil
}

// handler routes everything that a listener serves, with the list of customers
// for those who have access.
func (s *site) handler(access access) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", bounded(s.servePage(access), maxRendered))
	mux.Handle("GET /metrics", s.metrics)
	mux.HandleFunc("GET /runbook", func(w http.ResponseWriter, _ *http.Request) { writePage(w, s.runbook) })
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		if s.isHalted() {
			answer(w, http.StatusServiceUnavailable, "The process is alive, but its refreshes have come to a halt; the log may say where. Restart it.\n")
			return
		}
		answer(w, http.StatusOK, "The process is alive and its refreshes go on.\n")
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if h := s.health(); s.refresher.Ready() {
			answer(w, http.StatusOK, "There is a snapshot. "+h.Sentence+"\n")
		} else {
			answer(w, http.StatusServiceUnavailable, "There is no first snapshot yet. "+h.Sentence+"\n")
		}
	})
	mux.HandleFunc("GET /stalled", s.serveStalled(access))
	return mux
}

// render writes a page of the templates.
func (s *site) render(w http.ResponseWriter, name string, data any) {
	var page bytes.Buffer
	if err := s.pages.ExecuteTemplate(&page, name, data); err != nil {
		answer(w, http.StatusInternalServerError, "The page cannot be made; /metrics has all of its numbers.\n")
		return
	}
	writePage(w, page.Bytes())
}

// writePage writes a page that loads and runs nothing: its own style, which
// comes before anything that varies, is all that a browser may heed.
func writePage(w http.ResponseWriter, page []byte) {
	_, style, _ := bytes.Cut(page, []byte("<style>"))
	style, _, _ = bytes.Cut(style, []byte("</style>"))
	hash := sha256.Sum256(style)
	w.Header().Set("Content-Security-Policy", fmt.Sprintf(
		"default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		base64.StdEncoding.EncodeToString(hash[:])))
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page)
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
