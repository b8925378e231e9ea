package collector_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// A customer in a status that is not documented is where its step says: it has
// advanced, waits, and stalls there, and a change to the documented status of
// that step is no move.
func TestUndocumentedStatusStandsAtItsStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Quota: -1})
		for _, id := range []string{"a", "b"} {
			api.Add(customer(id, onboarding.KYCInitiated))
		}
		r := newRig(t, api, everyRefresh)
		r.refresh()
		approve := func(id, step string) {
			api.Update(id, func(c *sandbox.Customer) {
				c.Raw = map[string]string{"flow_status": `"kyc_approved"`, "step": step}
			})
		}
		wait(time.Minute)
		approve("a", "4")
		approve("b", "7") // no step that there is
		r.refresh()
		r.want("yativo_card_status_transitions_total", "from=kyc_initiated,to=kyc_completed", 1)
		r.want("yativo_card_last_advance_timestamp_seconds", "flow_status=kyc_initiated", float64(time.Now().Unix()))
		r.want("yativo_card_customers", "flow_status=kyc_approved", 2)
		r.want("yativo_card_undeployed_safes", "flow_status=kyc_approved", 2)
		r.want("yativo_card_customers", "flow_status=unknown", 0)
		if said := r.log.Drain(); !strings.Contains(said, "flow_status=[kyc_approved]") {
			t.Errorf("the log does not name the status: %s", said)
		}
		r.want("yativo_exporter_unknown_values", "field=flow_status", 2)

		wait(73 * time.Hour)
		r.refresh()
		r.want("yativo_card_stalled_customers", "flow_status=kyc_completed", 1)

		api.Update("a", func(c *sandbox.Customer) { c.Status, c.Raw = onboarding.KYCCompleted, nil })
		wait(time.Minute)
		r.refresh()
		r.want("yativo_card_stalled_customers", "flow_status=kyc_completed", 1)
		r.want("yativo_card_status_transitions_total", "from=kyc_initiated,to=kyc_completed", 1)

		// Where both are known, the status wins.
		api.Update("a", func(c *sandbox.Customer) { c.Raw = map[string]string{"step": "2"} })
		wait(time.Minute)
		r.refresh()
		r.want("yativo_card_stalled_customers", "flow_status=kyc_completed", 1)

		api.Update("a", func(c *sandbox.Customer) { c.Raw = map[string]string{"flow_status": `"spending"`, "step": "6"} })
		wait(time.Minute)
		r.refresh()
		r.want("yativo_card_status_transitions_total", "from=kyc_completed,to=active", 1)
		if said := r.log.Drain(); strings.Contains(said, "kyc_approved") {
			t.Errorf("the log names it again: %s", said)
		}
	})
}

// Each step stands for its documented status, and nothing else for any.
func TestEveryStepHasItsStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Quota: -1})
		r := newRig(t, api, everyRefresh)
		r.refresh()
		want := map[string]int{}
		for step, status := range map[string]string{
			"1": "otp_requested", "2": "otp_verified", "3": "kyc_initiated", "4": "kyc_completed", "5": "safe_deploying", "6": "active",
			"0": "unknown", "7": "unknown", "-1": "unknown", "4.5": "unknown", `"4"`: "unknown", "null": "unknown", "": "unknown",
		} {
			for _, name := range []string{`"approved"`, `"Approved!"`, "null", ""} {
				c := customer(name+" "+step, onboarding.Active)
				c.Raw = map[string]string{"flow_status": name, "step": step}
				api.Add(c)
				want[status]++
			}
		}
		wait(time.Minute)
		r.refresh()
		for status, n := range want {
			r.want("yativo_card_status_transitions_total", "from=new,to="+status, float64(n))
		}
	})
}

// The first eight undocumented statuses that a whole walk shows have labels of
// their own, also when nobody is in them, in a walk of another order, and after
// a restart. What cannot be a label, or is the label of the rest, is unknown.
func TestUndocumentedStatusesKeepTheirLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := func(names ...string) []sandbox.Customer {
			var customers []sandbox.Customer
			for i, name := range names {
				c := customer(fmt.Sprint("id", i), onboarding.Active)
				c.Raw = map[string]string{"flow_status": strconv.Quote(name)}
				customers = append(customers, c)
			}
			return customers
		}
		api := sandbox.New(sandbox.Options{Quota: -1})
		path := filepath.Join(t.TempDir(), "state.db")
		stateFile := func(s *settings) { s.stateFile = path }
		r := newRig(t, api, stateFile)
		first := []string{"s0", "s1", "s2_", "s3", "s4", "s5", "s6", "a" + strings.Repeat("b", 31)}
		refused := []string{"unknown", "", "S", "1s", "_s", "s-s", "s s", "\u00e9", "a" + strings.Repeat("b", 32)}
		check := func(inEach float64, others int) {
			t.Helper()
			for _, name := range first {
				r.want("yativo_card_customers", "flow_status="+name, inEach)
			}
			r.want("yativo_card_customers", "flow_status=unknown", float64(others))
			if n := len(r.series("yativo_card_customers")); n != 8+8 {
				t.Errorf("%d statuses are shown", n)
			}
		}

		// A walk that does not add up gives nobody a place.
		api.SetCustomers(list("broken_off"))
		remove := api.InjectFault(sandbox.Total(func(int, int64) string { return "50" }))
		r.refresh()
		remove()
		// Those that cannot be labels take no place from those that can.
		api.SetCustomers(list(append(slices.Concat(refused, first), "late")...))
		wait(time.Minute)
		r.refresh()
		check(1, len(refused)+1)

		slices.Reverse(first)
		api.SetCustomers(list(append([]string{"later"}, first...)...))
		wait(time.Minute)
		r.refresh()
		check(1, 1)

		if err := r.tracker.Close(); err != nil {
			t.Fatal(err)
		}
		r = newRig(t, api, stateFile)
		api.SetCustomers(list("later", "later"))
		wait(time.Minute)
		r.refresh()
		check(0, 2)
		if err := r.tracker.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
