package collector_test

import (
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
		r.want("yativo_card_customers", "flow_status=unknown", 2)
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
	})
}
