package sandbox_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

func TestParseScenario(t *testing.T) {
	for _, name := range sandbox.Scenarios() {
		if s, err := sandbox.ParseScenario(name); err != nil || s.String() != name {
			t.Errorf("%s is parsed as %s, %v", name, s, err)
		}
	}
	const want = `scenario "x" does not exist, use one of healthy, kyc-stall, safe-stall, outage, rate-limit`
	if _, err := sandbox.ParseScenario("x"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// While the stall is on nobody passes, those who wait pile up and others go on
// signing up; once it ends the queue drains; and then it begins again.
func TestStalls(t *testing.T) {
	for scenario, status := range map[sandbox.Scenario]onboarding.Status{
		sandbox.KYCStall: onboarding.KYCInitiated, sandbox.SafeStall: onboarding.SafeDeploying,
	} {
		s, c := lively(250, scenario)
		c.add(sandbox.StallDelay)
		for cycle := range 2 {
			waiting := map[string]bool{}
			for _, customer := range s.Customers() {
				waiting[customer.ID] = customer.Status <= status
			}
			before := s.Truth().ByStatus[status]
			newest := s.Customers()[0].ID

			c.add(sandbox.StallFor - time.Second)
			for _, customer := range s.Customers() {
				if waiting[customer.ID] && customer.Status > status {
					t.Fatalf("%s, cycle %d: somebody passed during the stall", scenario, cycle)
				}
			}
			during := s.Truth().ByStatus[status]
			if during < before+10 || s.Customers()[0].ID == newest {
				t.Errorf("%s, cycle %d: %d wait at the end of the stall, %d did before it", scenario, cycle, during, before)
			}
			c.add(time.Second + sandbox.StallDrain)
			if after := s.Truth().ByStatus[status]; after > during/2+before/2 {
				t.Errorf("%s, cycle %d: %d wait after the cure, %d did during the stall", scenario, cycle, after, during)
			}
			c.add(sandbox.StallCure - sandbox.StallDrain)
		}
	}
}

// An outage answers 503, nothing, or never; before and after it all is well.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Options{Scenario: sandbox.Outage, Customers: 10, Quota: -1})
		token := s.MintToken()
		client := s.Client()
		client.Timeout = time.Second
		kinds := map[string]int{}
		begin := time.Now()
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for now := range tick.C {
			elapsed := now.Sub(begin)
			if elapsed > 2*(sandbox.OutageDelay+sandbox.OutageFor) {
				break
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.test"+customersPath, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := client.Do(req)
			kind := "other"
			var timeout interface{ Timeout() bool }
			switch {
			case errors.As(err, &timeout) && timeout.Timeout():
				kind = "hang"
			case errors.Is(err, io.EOF):
				kind = "refused"
			case err == nil && resp.StatusCode == http.StatusServiceUnavailable:
				kind = "503"
			case err == nil && resp.StatusCode == http.StatusOK:
				kind = "ok"
			}
			if err == nil {
				resp.Body.Close()
			}
			kinds[kind]++
			down := elapsed >= sandbox.OutageDelay && (elapsed-sandbox.OutageDelay)%(sandbox.OutageFor+sandbox.OutageCure) < sandbox.OutageFor
			if down == (kind == "ok") {
				t.Errorf("%s after New: %s, down should be %v", elapsed, kind, down)
			}
		}
		if kinds["hang"] == 0 || kinds["refused"] == 0 || kinds["503"] == 0 || kinds["other"] > 0 {
			t.Errorf("answers by kind: %v", kinds)
		}
	})
}
