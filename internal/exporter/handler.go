package exporter

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
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
	e.runbook, err = alerts.RunbookHTML(alerts.Links{Status: "./", Stalled: "stalled"})
	return err
}

// handler routes everything that a listener serves, with the list of customers
// for those who have access.
func (e *Exporter) handler(access access) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", bounded(e.servePage(access), maxRendered))
	mux.Handle("GET /metrics", e.metrics)
	mux.HandleFunc("GET /runbook", func(w http.ResponseWriter, _ *http.Request) { writePage(w, http.StatusOK, e.runbook) })
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, r *http.Request) {
		status, text := http.StatusOK, "The process is alive and refreshes."
		if e.isHalted() {
			status, text = http.StatusServiceUnavailable, "The process is alive, but its refreshes have stopped; the log may say where. Restart it."
		}
		e.answer(w, r, status, text)
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, r *http.Request) {
		status, text := http.StatusOK, "There is a snapshot. "
		if !e.refresher.Ready() {
			status, text = http.StatusServiceUnavailable, "There is no first snapshot yet. "
		}
		e.answer(w, r, status, text+e.health().Sentence)
	})
	mux.HandleFunc("GET /stalled", e.serveStalled(access))
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { e.answer(w, r, http.StatusNotFound, "No such page.") })
	return mux
}

// render writes a page of the templates.
func (e *Exporter) render(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	if err := e.pages.ExecuteTemplate(&page, name, data); err != nil {
		http.Error(w, "The page cannot be rendered; /metrics has all of its numbers.", http.StatusInternalServerError)
		return
	}
	writePage(w, status, page.Bytes())
}

// answer says a few words: in plain text, or to a browser on a page that leads
// on, from however deep a path.
func (e *Exporter) answer(w http.ResponseWriter, r *http.Request, status int, text string) {
	w.Header().Set("Vary", "Accept")
	if !wantsPage(r) {
		http.Error(w, text, status)
		return
	}
	root := "./" + strings.Repeat("../", max(0, strings.Count(r.URL.EscapedPath(), "/")-1))
	e.render(w, status, "answer", map[string]any{"Root": root, "Lines": strings.Split(text, "\n")})
}

// wantsPage reports whether a person asks, with a browser.
func wantsPage(r *http.Request) bool {
	return r.URL.Query().Get("format") == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// writePage writes a page that loads and runs nothing: its own style, which
// comes before anything that varies, is all that a browser may heed.
func writePage(w http.ResponseWriter, status int, page []byte) {
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
	w.WriteHeader(status)
	_, _ = w.Write(page)
}
