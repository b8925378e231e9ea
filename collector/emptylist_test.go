package collector_test

import (
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// A program that seems to have lost everybody keeps its last snapshot for an
// hour, one that had few customers for some minutes; one that had none before
// is believed at once.
func TestAnEmptyListIsDoubted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Seed: 4, Customers: 87, Quota: -1})
		r := newRig(t, api, nil)
		defer r.run()()
		wait(time.Minute + time.Second)
		nobody := sandbox.Body(`{"success":true,"data":{"customers":[],"total":0,"balances_included":true}}`).On(sandbox.CustomersEndpoint)
		remove := api.InjectFault(nobody)
		wait(10 * time.Minute)
		r.want("yativo_up", "", 0)
		r.wantCounts(api.Truth().Counts)
		remove()
		wait(time.Minute)
		r.want("yativo_up", "", 1)
		r.want("yativo_card_status_transitions_total", "from=active,to=gone", 0)

		api.InjectFault(nobody)
		wait(50 * time.Minute)
		r.want("yativo_up", "", 0)
		wait(11 * time.Minute)
		r.want("yativo_up", "", 1)
		r.want("yativo_exporter_upstream_customers", "", 0)
		if got := r.failures(); got["incomplete"] < 60 || len(got) != 1 {
			t.Errorf("failures %v", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Quota: -1})
		r := newRig(t, api, everyRefresh)
		r.refresh()
		r.want("yativo_up", "", 1)
		for _, id := range []string{"a", "b"} {
			api.Add(customer(id, onboarding.KYCInitiated))
		}
		wait(time.Minute)
		r.refresh()
		api.Remove("a")
		api.Remove("b")
		wait(time.Minute)
		r.refresh()
		r.want("yativo_up", "", 0)
		r.want("yativo_card_customers", "flow_status=kyc_initiated", 2)
		wait(4 * time.Minute)
		r.refresh()
		r.want("yativo_up", "", 0)
		wait(time.Minute)
		r.refresh()
		r.want("yativo_up", "", 1)
		r.want("yativo_exporter_upstream_customers", "", 0)
	})
}

// What the state file remembers tells an empty list from an empty program when
// nothing has been read yet.
func TestAnEmptyListIsDoubtedAfterARestart(t *testing.T) {
	for _, c := range []struct {
		customers int
		doubt     time.Duration
	}{{200, time.Hour}, {10, 5 * time.Minute}} {
		t.Run(strconv.Itoa(c.customers), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Customers: c.customers, Quota: -1})
				withState := func(s *settings) { s.stateFile = path }
				r := newRig(t, api, withState)
				r.refresh()
				if err := r.tracker.Close(); err != nil {
					t.Fatal(err)
				}

				api.InjectFault(sandbox.Body(`{"success":true,"data":{"customers":[],"total":0}}`).On(sandbox.CustomersEndpoint))
				wait(time.Minute)
				r = newRig(t, api, withState)
				defer func() { _ = r.tracker.Close() }()
				stop := r.run()
				wait(c.doubt - time.Second)
				r.want("yativo_up", "", 0)
				r.absent("yativo_card_customers")
				r.want("yativo_exporter_tracked_customers", "", float64(c.customers))
				wait(3 * time.Minute)
				stop()
				r.want("yativo_up", "", 1)
				r.want("yativo_exporter_upstream_customers", "", 0)
				r.want("yativo_exporter_tracked_customers", "", 0)
			})
		})
	}
}
