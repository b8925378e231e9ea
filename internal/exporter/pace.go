package exporter

import (
	"log/slog"
	"strings"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/onboarding"
)

// Pace is how fast the limits let the list be read, one walk after the other.
type Pace struct {
	Requests          int           // page requests of a walk
	RequestsPerMinute float64       // that the limits grant
	Walk              time.Duration // what a walk takes; 0 if a minute's requests suffice
	Unseen            time.Duration // the oldest change that may not be shown yet
}

// NewPace judges by the first page, which tells the program's size and, in its
// headers, the API's quota.
func NewPace(c config.Config, client *apiclient.Client, first *apiclient.Page) Pace {
	p := Pace{Requests: client.WalkRequests(first), RequestsPerMinute: float64(c.RateLimit)}
	if limit, _, _, known := client.Quota(); known {
		p.RequestsPerMinute = min(p.RequestsPerMinute, max(float64(limit)*(1-c.RateReserve), 1/c.RefreshInterval.Minutes()))
	}
	if minutes := float64(p.Requests) / p.RequestsPerMinute; minutes > 1 {
		p.Walk = time.Duration(minutes * float64(time.Minute)).Round(time.Second)
	}
	// What changes just after its page was read is read by the next walk, and
	// shown when that one ends.
	p.Unseen = max(p.Walk, c.RefreshInterval) + p.Walk
	return p
}

// Late lists the statuses, with their thresholds, in which a customer can be
// stalled for longer than the threshold before a walk ends that could tell.
func (p Pace) Late(t onboarding.Thresholds) string {
	var late []string
	for _, s := range onboarding.WaitingStatuses() {
		if t.Stalled[s] < p.Walk {
			late = append(late, s.String()+":"+t.Stalled[s].String())
		}
	}
	return strings.Join(late, ",")
}

// warn says which thresholds walks are too slow for.
func (p Pace) warn(t onboarding.Thresholds, logger *slog.Logger) {
	if late := p.Late(t); late != "" {
		logger.Warn("a walk takes longer than thresholds of EXPORTER_STALLED_AFTER, so stalls there are reported late; raise YATIVO_RATE_LIMIT or lower YATIVO_RATE_RESERVE if the key's quota allows it",
			"thresholds", late, "walk", p.Walk, "unseen", p.Unseen, "requests", p.Requests, "requests_a_minute", p.RequestsPerMinute)
	}
}
