package onboarding

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are those of the tracker's metrics that never vanish. Gauges whose
// value is not known before the first walk are vectors even without a label,
// since a vector exports nothing until it is set.
type metrics struct {
	transitions   [numPositions][numPositions]prometheus.Counter
	stays         [NumStatuses]prometheus.Observer
	lastAdvance   *prometheus.GaugeVec
	trackingSince *prometheus.GaugeVec
	tracked       *prometheus.GaugeVec
	stateErrors   prometheus.Counter
	rhythm        rhythmMetrics
}

// newMetrics registers the metrics, with every label value that can occur.
func newMetrics(registerer prometheus.Registerer, thresholds Thresholds) *metrics {
	auto := promauto.With(registerer)
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return auto.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	stalledAfter := gauge("yativo_card_stalled_after_seconds",
		"Time in a status after which a customer counts as stalled, as configured.", "flow_status")
	abandonedAfter := gauge("yativo_card_abandoned_after_seconds",
		"Time in a status after which a customer counts as abandoned and no longer as stalled, as configured.", "flow_status")
	transitions := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "yativo_card_status_transitions_total",
		Help: `Changes of flow_status from one walk to the next, backward ones included. from="new" is a sign-up, ` +
			`to="gone" an absence from two complete walks, from="gone" a return within a day. ` +
			`The first walk counts none.`,
	}, []string{"from", "to"})
	stays := auto.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "yativo_card_status_duration_seconds",
		Help:    "Length of completed stays in a status that were seen from beginning to end, as exact as the time between walks.",
		Buckets: AgeBuckets(),
	}, []string{"flow_status"})
	m := &metrics{
		lastAdvance: gauge("yativo_card_last_advance_timestamp_seconds",
			"Unix time of the walk that last saw a customer move from this status, or an earlier one, to a later one; "+
				"the start of tracking until there is one."+few+" Kept across restarts.", "flow_status"),
		trackingSince: gauge("yativo_card_tracking_since_timestamp_seconds",
			"Unix time at which the tracking of customers began. Kept across restarts."),
		tracked: gauge("yativo_exporter_tracked_customers",
			"Customers whose time in status is remembered and who are not gone."),
		stateErrors: auto.NewCounter(prometheus.CounterOpts{
			Name: "yativo_exporter_state_errors_total",
			Help: "Walks whose result could not be written to the state file.",
		}),
	}
	m.rhythm = newRhythmMetrics(gauge)
	for from := range numPositions {
		for to := range positionNew {
			if from != to && (from != positionNew || to != positionGone) {
				m.transitions[from][to] = transitions.WithLabelValues(from.String(), to.String())
			}
		}
	}
	for _, s := range WaitingStatuses() {
		stalledAfter.WithLabelValues(s.String()).Set(thresholds.Stalled[s].Seconds())
		abandonedAfter.WithLabelValues(s.String()).Set(thresholds.Abandoned[s].Seconds())
		m.stays[s] = stays.WithLabelValues(s.String())
	}
	return m
}

// stay counts a stay that was seen from beginning to end. Nobody waits in the
// last step, so that the time spent there is not counted.
func (m *metrics) stay(s Status, d time.Duration) {
	if s.Waits() {
		m.stays[s].Observe(d.Seconds())
	}
}

// publish shows what the last walk left.
func (m *metrics) publish(h history, tracked int) {
	for _, s := range WaitingStatuses() {
		m.lastAdvance.WithLabelValues(s.String()).Set(float64(h.advanced[s]))
	}
	m.trackingSince.WithLabelValues().Set(float64(h.since))
	m.tracked.WithLabelValues().Set(float64(tracked))
}
