//go:build e2e

package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// oddStatus is a flow_status that is not documented, and the documented one of
// its step; without a name it is that one.
type oddStatus struct {
	name, label string
	documented  onboarding.Status
}

// oddStatuses are those of a soak. The sandbox believes in the documented ones;
// the last cannot be a label.
func oddStatuses() []oddStatus {
	return []oddStatus{
		{"kyc_approved", "kyc_approved", onboarding.KYCCompleted},
		{"phone_requested", "phone_requested", onboarding.SafeDeploying},
		{"safe_deployed", "safe_deployed", onboarding.Active},
		{"Under Review", "unknown", onboarding.KYCInitiated},
	}
}

func (o oddStatus) apply(c *sandbox.Customer) {
	c.Status, c.SafeDeployed, c.Raw = o.documented, o.documented.Step() == 6, nil
	if o.name != "" {
		c.Raw = map[string]string{"flow_status": strconv.Quote(o.name)}
	}
}

// truth is what the series must say of the population: an undocumented status
// has customers of its own, who wait with those of its step.
func (s *soak) truth() series {
	want := truthOf(s.t, s.api.Truth())
	for _, status := range onboarding.WaitingStatuses() {
		want["yativo_card_time_in_status_seconds_count"+label(status.String())] = want["yativo_card_customers"+label(status.String())]
	}
	named, undeployed := map[string]float64{}, map[string]float64{}
	for _, c := range s.api.Customers() {
		named[c.Raw["flow_status"]]++
		if !c.SafeDeployed {
			undeployed[c.Raw["flow_status"]]++
		}
	}
	for _, odd := range oddStatuses() {
		for metric, count := range map[string]float64{
			"yativo_card_customers":        named[strconv.Quote(odd.name)],
			"yativo_card_undeployed_safes": undeployed[strconv.Quote(odd.name)],
		} {
			want[metric+label(odd.label)] += count
			want[metric+label(odd.documented.String())] -= count
		}
		want[unknownValues("flow_status")] += named[strconv.Quote(odd.name)]
	}
	return want
}

// fault draws a fault that may spoil refreshes and must never spoil data: for
// one endpoint or both, for all requests or some of them.
func (s *soak) fault() sandbox.Fault {
	faults := []sandbox.Fault{
		sandbox.Refuse(), sandbox.ResetMidBody(), sandbox.Hang(), sandbox.Drip(100, 50*time.Millisecond),
		sandbox.Status(500), sandbox.Status(502), sandbox.Status(503, "Retry-After", "1"), sandbox.Status(504),
		sandbox.Status(429), sandbox.Status(429, "Retry-After", "1"), sandbox.Status(400), sandbox.Status(401), sandbox.Status(403), sandbox.Status(404),
		sandbox.Status(403, "Retry-After", "1"), sandbox.Status(429, "Retry-After", "1_0"), idBeside(), shuffled(), sandbox.Status(404).When(sandbox.OnPage(5)),
		sandbox.Redirect(302, "http://127.0.0.1:1/"), sandbox.HTML(), sandbox.Truncate(), sandbox.SuccessFalse(), sandbox.Body(`{"data":[]}`),
		sandbox.HugeBody(64 << 20), sandbox.GzipBomb(1 << 30), sandbox.DeepNesting(50_000),
		sandbox.SamePage(), sandbox.IgnoreLimit(), sandbox.EmptyPage(2), sandbox.ExpiresIn("0"), sandbox.ExpiresIn(""), noHTTP(), hugeHeader(), brokenGzip(),
	}
	f := faults[s.chance.IntN(len(faults))]
	if f.Endpoint == "" {
		f = f.On([]sandbox.Endpoint{sandbox.Any, sandbox.CustomersEndpoint, sandbox.TokenEndpoint}[s.chance.IntN(3)])
	}
	switch s.chance.IntN(3) {
	case 0:
		return f.First(1 + s.chance.IntN(10))
	case 1:
		if f.Match == nil {
			return f.When(sandbox.OnPage(1 + s.chance.IntN(4)))
		}
	}
	return f
}

// idBeside puts an id that is not the customer's before each customer_id.
func idBeside() sandbox.Fault {
	return sandbox.RewriteBody(func(body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(`{"customer_id":`), []byte(`{"id":"0","_id":"","customer_id":`))
	}).On(sandbox.CustomersEndpoint)
}

// shuffled lists another page than the one asked for, and another each time.
func shuffled() sandbox.Fault {
	var asked atomic.Int64
	return sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		query := r.URL.Query()
		query.Set("page", strconv.FormatInt(1+asked.Add(1)%4, 10))
		r.URL.RawQuery = query.Encode()
		next.ServeHTTP(w, r)
	}}
}

// move changes the population: a sign-up, a departure, or somebody's status and
// balances.
func (s *soak) move() {
	statuses := onboarding.Statuses()
	statuses = statuses[:len(statuses)-1] // but the unknown one
	switch which := s.chance.IntN(len(s.ids)); s.chance.IntN(20) {
	case 0:
		s.born++
		c := plain("born-" + strconv.Itoa(s.born))
		s.ids = append(s.ids, c.ID)
		s.api.Add(c)
	case 1:
		s.gone.Add(1)
		s.api.Remove(s.ids[which])
		s.ids = slices.Delete(s.ids, which, which+1)
	default:
		odd, cents := oddStatus{documented: statuses[s.chance.IntN(len(statuses))]}, s.chance.IntN(1_000_000)
		if all := oddStatuses(); s.chance.IntN(4) == 0 {
			odd = all[s.chance.IntN(len(all))]
		}
		s.api.Update(s.ids[which], func(c *sandbox.Customer) {
			odd.apply(c)
			c.Currency, c.Ledger, c.Available, c.Pending, c.Freshness, c.Cards = "", "", "", "", "", 0
			if c.SafeDeployed {
				c.Currency, c.Cards = []string{"USD", "EUR", "GBP"}[cents%3], cents%3
				c.Ledger = fmt.Sprintf("%d.%02d", cents/100, cents%100)
				c.Freshness, c.Available = "on_chain", c.Ledger
				if cents%2 == 0 {
					c.Freshness, c.Pending = "realtime", "0"
				}
			}
		})
	}
}
