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

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"yativo-card-exporter/alerts"
)

//go:embed pages.tmpl
var pagesTemplate string

// prepareHandlers makes what the handlers of all listeners share.
func (e *Exporter) prepareHandlers() (err error) {
	e.pages = template.Must(template.New("pages").Funcs(template.FuncMap{
		"since": func(t time.Time) string { return span(time.Since(t)) }, "moment": moment,
	}).Parse(pagesTemplate))
	e.metrics = promhttp.InstrumentMetricHandler(e.registry, bounded(promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{
		Registry: e.registry,
		// It tells of scrapers that hang up, which would fill the log. An error in
		// the metrics themselves fails the scrape and is counted.
		ErrorLog:          slog.NewLogLogger(e.options.Logger.Handler(), slog.LevelDebug),
		EnableOpenMetrics: true,
		CoalesceGather:    true,
	}), maxRendered))
	e.runbook, err = alerts.RunbookHTML(alerts.Links{Stalled: "stalled"})
	return err
}

// handler routes everything that a listener serves, with the list of customers
// for those who have access.
func (e *Exporter) handler(access access) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", bounded(e.servePage(access), maxRendered))
	mux.Handle("GET /metrics", e.metrics)
	mux.HandleFunc("GET /runbook", func(w http.ResponseWriter, _ *http.Request) { writePage(w, e.runbook) })
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		status, text := http.StatusOK, "The process is alive and its refreshes go on.\n"
		if e.isHalted() {
			status, text = http.StatusServiceUnavailable, "The process is alive, but its refreshes have come to a halt; the log may say where. Restart it.\n"
		}
		answer(w, status, text)
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		status, text := http.StatusOK, "There is a snapshot. "
		if !e.refresher.Ready() {
			status, text = http.StatusServiceUnavailable, "There is no first snapshot yet. "
		}
		answer(w, status, text+e.health().Sentence+"\n")
	})
	mux.HandleFunc("GET /stalled", e.serveStalled(access))
	return mux
}

// render writes a page of the templates.
func (e *Exporter) render(w http.ResponseWriter, name string, data any) {
	var page bytes.Buffer
	if err := e.pages.ExecuteTemplate(&page, name, data); err != nil {
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
