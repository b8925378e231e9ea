package collector_test

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// beforeEachPage calls change, with how many pages were asked for, before each.
func beforeEachPage(api *sandbox.Sandbox, change func(pages int)) {
	var mu sync.Mutex
	pages := 0
	api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
		mu.Lock()
		pages++
		change(pages)
		mu.Unlock()
		next.ServeHTTP(w, q)
	}})
}

// wantLogged checks that one line since the last look tells the likely cause.
func (r *rig) wantLogged(cause string) {
	r.t.Helper()
	lines := r.log.lines()
	if len(lines) != 1 || !strings.Contains(lines[0], cause) {
		r.t.Errorf("logged %q, want one line with %q", lines, cause)
	}
}

// Where several pages are fetched at once, sign-ups in a list with the newest
// first hide customers; a walk that takes one page at a time sees everybody.
func TestSignUpsDuringAWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 865, PageCap: 10, Quota: -1, Latency: 100 * time.Millisecond})
		// Somebody signs up after the pages that follow have been read, if they are
		// read beside this one.
		var signUps atomic.Int64
		api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
			if page, err := strconv.Atoi(q.URL.Query().Get("page")); err == nil && page%10 == 2 {
				wait(150 * time.Millisecond)
				api.Add(customer("new"+strconv.FormatInt(signUps.Add(1), 10), onboarding.OTPRequested))
			}
			next.ServeHTTP(w, q)
		}})
		r := newRig(t, api, everyRefresh)
		for refresh := range 5 {
			before := api.Truth().Total
			api.ResetRequests()
			r.refresh()
			r.want("yativo_up", "", 1)
			r.want("yativo_exporter_missing_customers", "", 0)
			shown := 0
			for _, n := range r.series("yativo_card_customers") {
				shown += int(n)
			}
			if after := api.Truth().Total; shown < before || shown > after {
				t.Errorf("refresh %d shows %d customers, want %d to %d", refresh, shown, before, after)
			}
			if got := api.Counters().Arrived[sandbox.CustomersEndpoint]; got > 2*(95+8) {
				t.Errorf("refresh %d took %d requests for 87 to 95 pages", refresh, got)
			}
			if refresh == 0 {
				r.wantLogged("sign-ups during the walk")
			}
			wait(time.Minute)
		}
		if lines := r.log.lines(); len(lines) > 0 {
			t.Errorf("logged again: %q", lines)
		}
		r.want("yativo_card_status_transitions_total", "from=otp_requested,to=gone", 0)
	})
}

func TestRemovalsDuringAWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 250, Quota: -1})
		beforeEachPage(api, func(pages int) {
			if pages == 2 {
				api.Remove(api.Customers()[0].ID)
			}
		})
		r := newRig(t, api, everyRefresh)
		r.refresh()
		r.wantTruth()
		r.wantLogged("removals during the walk")
	})
}

// A list in an order that differs in every answer cannot be read, and is said
// to be one.
func TestUnstableOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 450, Quota: -1})
		r := newRig(t, api, func(s *settings) { s.client.MaxConcurrency = 1; everyRefresh(s) })
		r.refresh()
		r.wantTruth()
		random := rand.New(rand.NewPCG(1, 2))
		beforeEachPage(api, func(int) {
			customers := api.Customers()
			random.Shuffle(len(customers), func(i, j int) { customers[i], customers[j] = customers[j], customers[i] })
			api.SetCustomers(customers)
		})
		wait(time.Minute)
		r.refresh()
		r.want("yativo_up", "", 0)
		r.want("yativo_exporter_refresh_failures_total", "reason=incomplete", 1)
		r.wantLogged("an order that differs from answer to answer")
	})
}

// A total that is capped hides nobody behind it, and makes nobody gone.
func TestCappedTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 130, Quota: -1})
		r := newRig(t, api, everyRefresh)
		r.refresh()
		r.wantTruth()
		everybody := r.series("yativo_card_customers")
		api.InjectFault(sandbox.Total(func(int, int64) string { return "100" }))
		for refresh := range 3 {
			wait(time.Minute)
			api.ResetRequests()
			r.refresh()
			r.want("yativo_up", "", 1)
			if shown := r.series("yativo_card_customers"); !maps.Equal(shown, everybody) {
				t.Errorf("%v are shown, want %v", shown, everybody)
			}
			r.want("yativo_exporter_upstream_customers", "", 100)
			r.want("yativo_exporter_missing_customers", "", -30)
			r.want("yativo_exporter_tracked_customers", "", 130)
			if got := api.Counters().Arrived[sandbox.CustomersEndpoint]; got != 2 {
				t.Errorf("%d requests, want 2", got)
			}
			if refresh == 0 {
				r.wantLogged("a total that is capped or late")
			}
		}
		for labels, n := range r.series("yativo_card_status_transitions_total") {
			if strings.HasSuffix(labels, "to=gone") && n > 0 {
				t.Errorf("%v transitions %s", n, labels)
			}
		}
	})
}
