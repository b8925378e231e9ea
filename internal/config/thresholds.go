package config

import (
	"strings"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

func (p *problems) thresholds(stalledAfter, abandonedAfter string) onboarding.Thresholds {
	t := onboarding.DefaultThresholds()
	p.perStatus("EXPORTER_STALLED_AFTER", stalledAfter, &t.Stalled)
	p.perStatus("EXPORTER_ABANDONED_AFTER", abandonedAfter, &t.Abandoned)
	for _, s := range onboarding.WaitingStatuses() {
		if t.Stalled[s] >= t.Abandoned[s] {
			p.add("EXPORTER_ABANDONED_AFTER", "%s must be longer than it is in EXPORTER_STALLED_AFTER", s)
		}
	}
	return t
}

// perStatus reads status:duration pairs, separated by commas, over the defaults.
func (p *problems) perStatus(variable, value string, to *[onboarding.NumStatuses]time.Duration) {
	if value == "" {
		return
	}
	for i, entry := range strings.Split(value, ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(entry), ":")
		status, _ := onboarding.ParseStatus(strings.TrimSpace(name))
		d, err := time.ParseDuration(strings.TrimSpace(text))
		switch {
		case !status.Waits():
			p.add(variable, "entry %d must be status:duration, with a status of %s", i+1, onboarding.WaitingStatuses())
		case err != nil || d < time.Second || d > maxDuration:
			p.add(variable, "%s must be a duration such as 15m or 72h, at least 1s and at most a year", status)
		default:
			to[status] = d
		}
	}
}

// formatPerStatus writes durations as perStatus reads them.
func formatPerStatus(durations [onboarding.NumStatuses]time.Duration) string {
	var pairs []string
	for _, s := range onboarding.WaitingStatuses() {
		text := durations[s].String()
		for _, zero := range []string{"m0s", "h0m"} { // 24h0m0s is written as 24h
			if strings.HasSuffix(text, zero) {
				text = text[:len(text)-2]
			}
		}
		pairs = append(pairs, s.String()+":"+text)
	}
	return strings.Join(pairs, ",")
}
