// Command bare serves what promhttp serves by itself: the process's own metrics,
// and beside them series that are simply there. Their exposition comes in at
// standard input; the address goes out at standard output.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func main() {
	if err := run(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(exposition io.Reader) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(exposition)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	handler := promhttp.InstrumentMetricHandler(registry, promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	for name, family := range families {
		if !itsOwn(name) {
			registry.MustRegister(static(family))
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it listens for as long as the process lives
	if err != nil {
		return err
	}
	if _, err := fmt.Printf("http://%s\n", listener.Addr()); err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	return server.Serve(listener)
}

// itsOwn reports whether a bare handler has the metric already.
func itsOwn(name string) bool {
	for _, prefix := range []string{"go_", "process_", "promhttp_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// static makes series of a family's name, kind and labels.
func static(f *dto.MetricFamily) prometheus.Collector {
	first := f.GetMetric()[0]
	var names []string
	for _, l := range first.GetLabel() {
		names = append(names, l.GetName())
	}
	switch f.GetType() {
	case dto.MetricType_HISTOGRAM:
		var bounds []float64
		for _, b := range first.GetHistogram().GetBucket() {
			bounds = append(bounds, b.GetUpperBound())
		}
		vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.GetName(), Help: f.GetHelp(), Buckets: bounds}, names)
		for _, m := range f.GetMetric() {
			vec.With(labels(m)).Observe(m.GetHistogram().GetSampleSum())
		}
		return vec
	case dto.MetricType_COUNTER:
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.GetName(), Help: f.GetHelp()}, names)
		for _, m := range f.GetMetric() {
			vec.With(labels(m)).Add(m.GetCounter().GetValue())
		}
		return vec
	default:
		vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.GetName(), Help: f.GetHelp()}, names)
		for _, m := range f.GetMetric() {
			vec.With(labels(m)).Set(m.GetGauge().GetValue())
		}
		return vec
	}
}

func labels(m *dto.Metric) prometheus.Labels {
	all := prometheus.Labels{}
	for _, l := range m.GetLabel() {
		all[l.GetName()] = l.GetValue()
	}
	return all
}
