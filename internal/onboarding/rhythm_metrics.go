package onboarding

import (
	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/internal/rhythm"
)

// few is said of each metric that a stall goes on in while a few slip through.
const few = " A few who pass during a stall are not an advance; a third of the usual number is."

// rhythmMetrics show what was learned of the program's usual hours. A value that
// is not known well enough is not shown.
type rhythmMetrics struct {
	missedAdvances, missedAdvancesLimit   *prometheus.GaugeVec
	enteredSince, enteredSinceLimit       *prometheus.GaugeVec
	missedSignUps, missedSignUpsLimit     *prometheus.GaugeVec
	missedChanges, missedChangesLimit     *prometheus.GaugeVec
	cohort, cohortWaiting, cohortExpected *prometheus.GaugeVec
	lost, lostLimit                       *prometheus.GaugeVec
}

func newRhythmMetrics(gauge func(name, help string, labels ...string) *prometheus.GaugeVec) rhythmMetrics {
	const (
		missed = " Counted in usual hours: each hour since then adds the share of past weeks that had one in that hour of the week. Absent until the program's rhythm is known."
		limit  = " is no longer explained by chance, from the program's own rhythm. Absent until the rhythm is known."
		cohort = " Absent until the program's rhythm is known."
	)
	return rhythmMetrics{
		missedAdvances: gauge("yativo_card_missed_advances",
			"How long nobody has advanced past this status."+few+missed, "flow_status"),
		missedAdvancesLimit: gauge("yativo_card_missed_advances_limit",
			"Value at which yativo_card_missed_advances"+limit, "flow_status"),
		enteredSince: gauge("yativo_card_entered_since_advance_customers",
			"Customers who entered this status after the last advance past it and are still there, however long."+few, "flow_status"),
		enteredSinceLimit: gauge("yativo_card_entered_since_advance_limit",
			"Value at which yativo_card_entered_since_advance_customers is no longer explained by chance, from the share that usually drops out and the time that each customer had. +Inf while none has had any time.", "flow_status"),
		missedSignUps: gauge("yativo_card_missed_signups",
			"How long nobody has signed up."+missed),
		missedSignUpsLimit: gauge("yativo_card_missed_signups_limit",
			"Value at which yativo_card_missed_signups"+limit),
		missedChanges: gauge("yativo_card_missed_changes",
			"How long the list of customers has not changed: no sign-up, no move, no other balance."+missed),
		missedChangesLimit: gauge("yativo_card_missed_changes_limit",
			"Value at which yativo_card_missed_changes"+limit),
		cohort: gauge("yativo_card_cohort_customers",
			"Customers who entered this status 4 to 24 hours ago."+cohort, "flow_status"),
		cohortWaiting: gauge("yativo_card_cohort_waiting_customers",
			"Customers who entered this status 4 to 24 hours ago and are still there."+cohort, "flow_status"),
		cohortExpected: gauge("yativo_card_cohort_usual_waiting_customers",
			"How many of the customers who entered this status 4 to 24 hours ago would still be there at this hour of past weeks."+cohort, "flow_status"),
		lost: gauge("yativo_card_lost_customers",
			"How many customers more than usual still waited three hours after they entered this status: in the last hours, as many as show it best. While a loss is told, at least the limit. Hours in which nobody passed do not count. Absent until the program's rhythm is known.", "flow_status"),
		lostLimit: gauge("yativo_card_lost_customers_limit",
			"Value at which yativo_card_lost_customers"+limit, "flow_status"),
	}
}

// publishRhythms shows what is known once the rhythms were learned or loaded, and
// who has entered since the last advances.
func (m *metrics) publishRhythms(r *rhythms, f *findings) {
	show := &m.rhythm
	for _, s := range WaitingStatuses() {
		advances, label := &r.Advances[index(s)], s.String()
		showSilence(advances, evidencePastStep(), show.missedAdvances, show.missedAdvancesLimit, label)
		show.enteredSince.WithLabelValues(label).Set(float64(f.enteredSince[index(s)]))
		show.enteredSinceLimit.WithLabelValues(label).Set(advances.EnteredLimit(f.enteredSince[index(s)], f.surprise[index(s)]))
		cohort := &r.Cohorts[index(s)]
		usual, known := cohort.Usual()
		setKnown(show.cohort, known, float64(cohort.Customers()), label)
		setKnown(show.cohortWaiting, known, float64(cohort.Waiting), label)
		setKnown(show.cohortExpected, known, usual, label)
		lost, limit, known := cohort.Lost()
		setKnown(show.lost, known, lost, label)
		setKnown(show.lostLimit, known, limit, label)
	}
	showSilence(&r.SignUps, evidenceSignUps(), show.missedSignUps, show.missedSignUpsLimit)
	showSilence(&r.Changes, evidenceChanges(), show.missedChanges, show.missedChangesLimit)
}

func showSilence(s *rhythm.Silence, e rhythm.Evidence, missed, limit *prometheus.GaugeVec, labels ...string) {
	known := s.Known()
	setKnown(missed, known, float64(s.Missed), labels...)
	setKnown(limit, known, s.Limit(e), labels...)
}

func setKnown(gauge *prometheus.GaugeVec, known bool, value float64, labels ...string) {
	if known {
		gauge.WithLabelValues(labels...).Set(value)
	} else {
		gauge.DeleteLabelValues(labels...)
	}
}
