package main

import (
	"context"
	"iter"
	"log/slog"
	"strings"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/onboarding"
)

// pace is how fast the limits let the list be read, one walk after the other.
type pace struct {
	requests  int           // page requests of a walk
	perMinute float64       // requests that the limits grant
	walk      time.Duration // what a walk takes, to a minute; 0 if a minute's requests suffice
	unseen    time.Duration // the oldest change that may not be shown yet
}

// newPace judges by the first page, which tells the program's size and, in its
// headers, the API's quota.
func newPace(c config, client *apiclient.Client, first *apiclient.Page) pace {
	p := pace{requests: client.WalkRequests(first), perMinute: float64(c.rateLimit)}
	if limit, _, known := client.Quota(); known {
		p.perMinute = min(p.perMinute, max(float64(limit)*(1-c.rateReserve), 1/c.refreshInterval.Minutes()))
	}
	if minutes := float64(p.requests) / p.perMinute; minutes > 1 {
		p.walk = time.Duration(minutes * float64(time.Minute)).Round(time.Second)
	}
	// What changes just after its page was read is read by the next walk, and
	// shown when that one ends.
	p.unseen = max(p.walk, c.refreshInterval) + p.walk
	return p
}

// late lists the statuses, with their thresholds, in which a customer can be
// stalled for longer than the threshold before a walk ends that could tell.
func (p pace) late(t onboarding.Thresholds) string {
	var late []string
	for _, s := range onboarding.WaitingStatuses() {
		if t.Stalled[s] < p.walk {
			late = append(late, s.String()+":"+t.Stalled[s].String())
		}
	}
	return strings.Join(late, ",")
}

// pacedLister walks as its client does and warns, once the first page has come,
// if the limits make walks too slow for a threshold.
type pacedLister struct {
	client *apiclient.Client
	config config
	logger *slog.Logger
	judged bool
}

var _ collector.Lister = (*pacedLister)(nil)

func (l *pacedLister) Walk(ctx context.Context, balances bool) iter.Seq2[*apiclient.Page, error] {
	return func(yield func(*apiclient.Page, error) bool) {
		for page, err := range l.client.Walk(ctx, balances) {
			if err == nil && !l.judged {
				l.judged = true
				l.judge(newPace(l.config, l.client, page))
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

func (l *pacedLister) judge(p pace) {
	if late := p.late(l.config.thresholds); late != "" {
		l.logger.Warn("a walk takes longer than thresholds of EXPORTER_STALLED_AFTER, so stalls there are told late; raise YATIVO_RATE_LIMIT or lower YATIVO_RATE_RESERVE if the key's quota allows it",
			"thresholds", late, "walk", p.walk, "unseen", p.unseen, "requests", p.requests, "requests_a_minute", p.perMinute)
	}
}
