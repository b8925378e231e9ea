package drive

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"yativo-card-exporter/internal/onboarding"
)

// Shown is what a scrape of the exporter shows.
type Shown struct {
	Up              bool
	RefreshInterval time.Duration
	Report          *onboarding.Report // nil before the first walk

	families  *families
	customers [onboarding.NumStatuses]int
	total     int
	took      time.Duration
}

// Emit takes a sample: the labels are name and value in turn.
type Emit func(name string, value float64, labels ...string)

func (s *Shown) walked(report *onboarding.Report, customers [onboarding.NumStatuses]int, total int, took time.Duration) {
	s.Report, s.customers, s.total, s.took = report, customers, total, took
}

// Samples emits the metrics that wanted names. Those of the tracker are its
// own; those that the collector package makes of a report are made here.
func (s *Shown) Samples(wanted func(name string) bool, emit Emit) {
	if !s.Up {
		return
	}
	s.families.samples(wanted, emit)
	one := func(name string, value float64, labels ...string) {
		if wanted(name) {
			emit(name, value, labels...)
		}
	}
	one("yativo_exporter_build_info", 1)
	one("yativo_exporter_refresh_interval_seconds", s.RefreshInterval.Seconds())
	one("yativo_exporter_staleness_limit_seconds",
		max(15*time.Minute, 3*s.RefreshInterval, 3*s.took).Seconds(), "part", "customers")
	if s.Report == nil {
		return
	}
	one("yativo_up", 1)
	one("yativo_exporter_snapshot_timestamp_seconds", float64(s.Report.At.Unix()))
	one("yativo_exporter_last_refresh_timestamp_seconds", float64(s.Report.At.Unix()))
	one("yativo_exporter_refresh_duration_seconds", s.took.Seconds())
	one("yativo_exporter_upstream_customers", float64(s.total))
	one("yativo_exporter_missing_customers", 0)
	for _, status := range onboarding.Statuses() {
		one("yativo_card_customers", float64(s.customers[status]), "flow_status", status.String())
		one("yativo_card_undeployed_safes", 0, "flow_status", status.String())
	}
	for _, status := range onboarding.WaitingStatuses() {
		s.waiting(status, one)
	}
}

// waiting emits what the collector package shows of a status that waits.
func (s *Shown) waiting(status onboarding.Status, one Emit) {
	label := status.String()
	one("yativo_card_stalled_customers", float64(s.Report.Stalled[status]), "flow_status", label)
	one("yativo_card_abandoned_customers", float64(s.Report.Abandoned[status]), "flow_status", label)
	if oldest := s.Report.OldestEntry[status]; !oldest.IsZero() {
		one("yativo_card_oldest_entry_timestamp_seconds", float64(oldest.Unix()), "flow_status", label)
	}
}

// families holds what the tracker registers, so that a few metrics can be read
// without the rest.
type families struct {
	collectors []named
	collected  chan prometheus.Metric // reused; holds what one collector shows
}

type named struct {
	names     []string
	collector prometheus.Collector
}

func newFamilies() *families {
	return &families{collected: make(chan prometheus.Metric, 1000)}
}

// Register implements prometheus.Registerer.
func (f *families) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc, 100)
	c.Describe(descs)
	close(descs)
	var names []string
	for d := range descs {
		_, name, _ := strings.Cut(d.String(), `fqName: "`)
		name, _, _ = strings.Cut(name, `"`)
		names = append(names, name)
	}
	f.collectors = append(f.collectors, named{names, c})
	return nil
}

// MustRegister implements prometheus.Registerer.
func (f *families) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = f.Register(c) // It never fails.
	}
}

// Unregister implements prometheus.Registerer.
func (f *families) Unregister(prometheus.Collector) bool { return false }

func (f *families) samples(wanted func(name string) bool, emit Emit) {
	for _, n := range f.collectors {
		if slices.ContainsFunc(n.names, wanted) {
			n.collector.Collect(f.collected)
			n.samples(f.collected, wanted, emit)
		}
	}
}

// samples emits gauges and counters; no rule reads the tracker's histogram.
func (n named) samples(collected <-chan prometheus.Metric, wanted func(name string) bool, emit Emit) {
	var m dto.Metric
	for len(collected) > 0 {
		metric := <-collected
		name := n.names[0]
		if len(n.names) > 1 {
			_, name, _ = strings.Cut(metric.Desc().String(), `fqName: "`)
			name, _, _ = strings.Cut(name, `"`)
		}
		m.Reset()
		if !wanted(name) || metric.Write(&m) != nil {
			continue
		}
		labels := make([]string, 0, 4)
		for _, pair := range m.GetLabel() {
			labels = append(labels, pair.GetName(), pair.GetValue())
		}
		switch {
		case m.Gauge != nil:
			emit(name, m.GetGauge().GetValue(), labels...)
		case m.Counter != nil:
			emit(name, m.GetCounter().GetValue(), labels...)
		}
	}
}
