//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// weeksKnown is for how long the program was watched whose rhythm is known, and
// stalledHours for how many whole hours nobody has passed KYC in it.
const (
	weeksKnown   = 3
	stalledHours = 8
)

// statusAfter is where a customer is so many hours after the sign-up. Each hour
// everybody moves on, but for one in ten, who drops out at one of the first three
// steps, and for those who come to KYC when it stalls.
func statusAfter(number, hours, hoursOfStall int) onboarding.Status {
	const untilKYC = int(onboarding.KYCInitiated - onboarding.OTPRequested)
	steps := min(hours, int(onboarding.Active-onboarding.OTPRequested))
	if dropsOutAt := number / 2 % 15; number%2 == 0 && dropsOutAt <= untilKYC {
		steps = min(steps, dropsOutAt)
	}
	if hours-hoursOfStall <= untilKYC {
		steps = min(steps, untilKYC)
	}
	return onboarding.OTPRequested + onboarding.Status(steps)
}

// stateOfAStall writes the state file of a program that was watched for weeks
// until now, and returns who is in it: the tracker's own code walks through them,
// an hour a walk.
func stateOfAStall(t *testing.T, path string) []sandbox.Customer {
	t.Helper()
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds: onboarding.DefaultThresholds(), RefreshInterval: time.Hour, Path: path,
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	begin := now.Truncate(time.Hour).Add(-weeksKnown * 7 * 24 * time.Hour)
	stall := now.Truncate(time.Hour).Add(-stalledHours * time.Hour)
	var customers []sandbox.Customer
	walk := func(at time.Time) {
		customers = customers[:0]
		w := tracker.Begin(at)
		for number := range 2 * (int(at.Sub(begin)/time.Hour) + 1) {
			signedUp := begin.Add(time.Duration(number/2) * time.Hour)
			c := plain(fmt.Sprintf("program-%04d", number))
			c.CreatedAt = signedUp
			c.Status = statusAfter(number, int(at.Sub(signedUp)/time.Hour), max(0, int(at.Sub(stall)/time.Hour)))
			if c.Status >= onboarding.CardCreated {
				c.SafeDeployed, c.Cards, c.Ledger, c.Available, c.Pending, c.Freshness = true, 1, "1234567.50", "1234547.25", "20.25", "realtime"
			}
			w.Observe(onboarding.Observation{ID: c.ID, Status: c.Status, CreatedAt: c.CreatedAt})
			customers = append(customers, c)
		}
		w.Commit(at, true)
	}
	for at := begin; at.Before(now); at = at.Add(time.Hour) {
		walk(at)
	}
	walk(now)
	if err := tracker.Close(); err != nil {
		t.Fatal(err)
	}
	return customers
}

// startStalledProgram starts an exporter that goes on with that state.
func startStalledProgram(t *testing.T, more settings) (*sandbox.Sandbox, *exporter) {
	t.Helper()
	stateFile := filepath.Join(t.TempDir(), "state.db")
	api := sandbox.New(sandbox.Options{Quota: -1})
	for _, c := range stateOfAStall(t, stateFile) {
		api.Add(c)
	}
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, api)).with(settings{"EXPORTER_STATE_FILE": stateFile}).with(more))
	exporter.awaitReady()
	return api, exporter
}

// A program whose rhythm is known is shown with it, and KYC is paged by it: on the
// status page, on the onboarding dashboard and by the rules. An hour may end while
// the test runs.
func TestTheRhythmIsShownAndPages(t *testing.T) {
	t.Parallel()
	_, exporter := startStalledProgram(t, nil)
	_, page := exporter.get("/")
	for _, want := range []string{
		`<strong>Stuck</strong>`,
		`kyc_initiated: 1[4-6] entered and wait, and nobody has passed for [89]h[^.]*\.`,
		`<tr class="needs"><td>kyc_initiated</td>(?s:.*?)<td data-l="New since">1[4-6]<small>of [5-9]</small></td>\n<td data-l="Hours missed">[89]\.\d<small>of 5\.0</small>`,
		`Sign-ups: [01]\.\d of 5\.0 hours missed\.`,
	} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("the status page lacks %s: %s", want, page)
		}
	}

	rules := writeFile(t, t.TempDir(), alerts.RulesFile, renderRehearsal(t, 600))
	prometheus := startPrometheus(t, fmt.Sprintf("  - {job_name: %s, static_configs: [{targets: [%q]}]}\nrule_files: [%q]\n", dashboardJob, exporter.address, rules))
	eventually(t, time.Minute, "KYC is paged", func() error {
		fires, err := prometheus.query(`ALERTS{alertname="YativoCardKYCStalled", alertstate="firing"}`)
		if err == nil && len(fires) == 0 {
			err = errors.New("it does not fire")
		}
		return err
	})
	onboardingPage := readDashboard(t, "onboarding")
	const table = "Who is stuck, where, since when"
	for query, within := range map[int][2]float64{1: {1, 1}, 8: {8, 9.5}, 9: {4.8, 5}, 10: {14, 16}} {
		found, err := prometheus.values(fillVariables(onboardingPage.query(t, table, query)))
		if err != nil {
			t.Fatal(err)
		}
		if got, known := found[label("kyc_initiated")]; !known || got < within[0] || got > within[1] {
			t.Errorf("query %d of the dashboard's table has %v for KYC, want %v", query, got, within)
		}
	}
}

// Nothing is cut off of a page that is full of numbers, nor of one whose data are
// too old.
func TestFullPagesFit(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	api, exporter := startStalledProgram(t, settings{"EXPORTER_MAX_STALENESS": "15s"})
	root := "http://" + exporter.address
	b.checkFit(root + "/")
	b.checkFit(root + "/stalled")
	api.InjectFault(sandbox.Status(http.StatusUnauthorized))
	eventually(t, time.Minute, "the data are too old", func() error {
		_, page := exporter.get("/")
		if !regexp.MustCompile(`<strong>Blind</strong> Yativo refuses the credentials (?s:.*) ago, past the limit of 15s<`).MatchString(page) {
			return errors.New(page)
		}
		return nil
	})
	b.checkFit(root + "/")
}
