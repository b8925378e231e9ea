package collector_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/sandbox"
)

// BenchmarkScrape scrapes the exporter and, by turns, a bare handler with as
// many series of the same names, kinds and labels that are simply there.
func BenchmarkScrape(b *testing.B) {
	r := newRig(b, sandbox.New(sandbox.Options{Seed: 1, Customers: 1000, Quota: -1}), nil)
	r.refresh()
	only := prometheus.NewRegistry()
	only.MustRegister(r.Refresher)
	ours := promhttp.HandlerFor(only, promhttp.HandlerOpts{})
	bare := promhttp.HandlerFor(static(b, only), promhttp.HandlerOpts{})

	var tookOurs, tookBare time.Duration
	b.ReportAllocs()
	for b.Loop() {
		tookOurs += scrape(b, ours)
		tookBare += scrape(b, bare)
	}
	b.ReportMetric(float64(tookOurs.Microseconds())/float64(b.N), "µs/scrape")
	b.ReportMetric(float64(tookBare.Microseconds())/float64(b.N), "bare-µs/scrape")
	b.ReportMetric(float64(tookOurs)/float64(tookBare), "ratio")
}

var _ prometheus.Collector = (*collector.Refresher)(nil)

func scrape(b *testing.B, h http.Handler) time.Duration {
	b.Helper()
	w := &discard{header: http.Header{}}
	start := time.Now()
	h.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", nil))
	if w.written == 0 {
		b.Fatal("an empty scrape")
	}
	return time.Since(start)
}

type discard struct {
	header  http.Header
	written int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(p []byte) (int, error) {
	d.written += len(p)
	return io.Discard.Write(p)
}

// static copies what a registry gathers into series of the client library.
func static(b *testing.B, from *prometheus.Registry) *prometheus.Registry {
	b.Helper()
	families, err := from.Gather()
	if err != nil {
		b.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	for _, f := range families {
		labelled := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.GetName(), Help: f.GetHelp()}, names(f))
		histogram := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.GetName(), Help: f.GetHelp(), Buckets: bounds(f)}, names(f))
		for _, m := range f.GetMetric() {
			labels := prometheus.Labels{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetType() == dto.MetricType_HISTOGRAM {
				histogram.With(labels).Observe(m.GetHistogram().GetSampleSum())
			} else {
				labelled.With(labels).Set(m.GetGauge().GetValue() + m.GetCounter().GetValue())
			}
		}
		if f.GetType() == dto.MetricType_HISTOGRAM {
			reg.MustRegister(histogram)
		} else {
			reg.MustRegister(labelled)
		}
	}
	return reg
}

func names(f *dto.MetricFamily) (all []string) {
	for _, l := range f.GetMetric()[0].GetLabel() {
		all = append(all, l.GetName())
	}
	return all
}

func bounds(f *dto.MetricFamily) (all []float64) {
	for _, bucket := range f.GetMetric()[0].GetHistogram().GetBucket() {
		all = append(all, bucket.GetUpperBound())
	}
	return all
}
