package onboarding_test

import (
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

// A day shows who came and who left in it, and the next one forgets them.
func TestReportTellsTheFlowOfADay(t *testing.T) {
	tracker, err := onboarding.Open(onboarding.Options{Thresholds: onboarding.DefaultThresholds(), RefreshInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		hour    int
		status  onboarding.Status
		entered map[onboarding.Status]int
		left    map[onboarding.Status]int
	}{
		{0, onboarding.OTPRequested, nil, nil}, // there at the start: nobody saw it come
		{1, onboarding.KYCInitiated, map[onboarding.Status]int{onboarding.KYCInitiated: 1}, map[onboarding.Status]int{onboarding.OTPRequested: 1}},
		{2, onboarding.KYCCompleted, map[onboarding.Status]int{onboarding.KYCInitiated: 1, onboarding.KYCCompleted: 1}, map[onboarding.Status]int{onboarding.OTPRequested: 1, onboarding.KYCInitiated: 1}},
		{25, onboarding.KYCCompleted, map[onboarding.Status]int{onboarding.KYCCompleted: 1}, map[onboarding.Status]int{onboarding.KYCInitiated: 1}},
		{26, onboarding.KYCCompleted, nil, nil},
		{80, onboarding.Active, map[onboarding.Status]int{onboarding.Active: 1}, map[onboarding.Status]int{onboarding.KYCCompleted: 1}},
	} {
		now := start.Add(time.Duration(c.hour) * time.Hour)
		walk := tracker.Begin(now)
		walk.Observe(onboarding.Observation{ID: "a", Status: c.status})
		report := walk.Commit(now, true)
		for _, s := range onboarding.Statuses() {
			if report.Entered[s] != c.entered[s] || report.Left[s] != c.left[s] {
				t.Errorf("after %d hours %d have entered %s and %d left, want %d and %d", c.hour, report.Entered[s], s, report.Left[s], c.entered[s], c.left[s])
			}
		}
	}
}
