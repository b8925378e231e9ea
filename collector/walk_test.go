package collector_test

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// world changes the population between the pages of a walk and keeps account of
// what a walk can have seen.
type world struct {
	api     *sandbox.Sandbox
	serial  int
	present map[string]onboarding.Status
	order   []string

	// Since the last page 1 was asked for:
	always       map[string]onboarding.Status // who stayed, and never moved
	ever         map[string]map[onboarding.Status]bool
	least, most  int // present at once
	walks, pages int
}

type change struct {
	kind  string // "sign-up", "remove", "move", "to the front"
	which int
}

func (w *world) apply(c change) {
	if c.kind == "sign-up" {
		w.signUp()
		return
	}
	if len(w.order) == 0 {
		return
	}
	i := c.which % len(w.order)
	id := w.order[i]
	status := w.present[id]
	switch c.kind {
	case "remove":
		w.api.Remove(id)
		w.order = append(w.order[:i:i], w.order[i+1:]...)
		delete(w.present, id)
		delete(w.always, id)
	case "to the front":
		w.api.Remove(id)
		w.api.Add(customer(id, status))
	case "move":
		if status == onboarding.Active {
			return
		}
		w.api.Update(id, func(c *sandbox.Customer) { c.Status++ })
		w.present[id] = status + 1
		delete(w.always, id)
		w.saw(id)
	}
	w.account()
}

func (w *world) signUp() {
	w.serial++
	id := "id" + strconv.Itoa(w.serial)
	status := onboarding.Status(1 + w.serial%int(onboarding.Active))
	w.api.Add(customer(id, status))
	w.order = append(w.order, id)
	w.present[id] = status
	w.saw(id)
	w.account()
}

func customer(id string, s onboarding.Status) sandbox.Customer {
	return sandbox.Customer{ID: id, Status: s, CreatedAt: sandbox.Example()[0].CreatedAt}
}

func (w *world) saw(id string) {
	if w.ever[id] == nil {
		w.ever[id] = map[onboarding.Status]bool{}
	}
	w.ever[id][w.present[id]] = true
}

func (w *world) account() {
	w.least, w.most = min(w.least, len(w.present)), max(w.most, len(w.present))
}

// begin starts the account of a walk anew.
func (w *world) begin() {
	w.always, w.ever = maps.Clone(w.present), map[string]map[onboarding.Status]bool{}
	for id := range w.present {
		w.saw(id)
	}
	w.least, w.most = len(w.present), len(w.present)
	w.walks++
}

// Under any sign-ups, removals, moves and re-orderings between the pages of a
// walk, what is published lies within what there was.
func TestWalkOfAMovingList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(0, 120).Draw(rt, "customers")
		pageCap := rapid.IntRange(5, 40).Draw(rt, "rows a page")
		changes := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) change {
			return change{
				rapid.SampledFrom([]string{"sign-up", "remove", "move", "to the front"}).Draw(rt, "kind"),
				rapid.IntRange(0, 1000).Draw(rt, "which"),
			}
		}), 0, 2), 0, 30).Draw(rt, "changes before each request")

		w := &world{api: sandbox.New(sandbox.Options{PageCap: pageCap, Quota: -1}), present: map[string]onboarding.Status{}}
		w.begin()
		for range size {
			w.signUp()
		}
		w.api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(rw http.ResponseWriter, q *http.Request, next http.Handler) {
			if w.pages < len(changes) {
				for _, c := range changes[w.pages] {
					w.apply(c)
				}
			}
			w.pages++
			if sandbox.OnPage(1)(q) {
				w.begin()
			}
			next.ServeHTTP(rw, q)
		}})
		r := newRig(t, w.api, func(s *settings) { s.client.MaxConcurrency = 1; s.refresher.BalanceInterval = 0 })
		for refresh := range 4 {
			before := r.series("yativo_card_customers")
			w.walks = 0
			r.refresh()
			shown := r.series("yativo_card_customers")
			if r.series("yativo_up")[""] == 0 {
				if !maps.Equal(before, shown) {
					rt.Fatalf("refresh %d failed and changed what is shown", refresh)
				}
				if got := r.failures(); len(got) != 1 || got["incomplete"] == 0 {
					rt.Fatalf("refresh %d failed with %v", refresh, got)
				}
				continue
			}
			total := 0
			for status, label := range labels() {
				count := int(shown[label])
				total += count
				always, ever := 0, 0
				for _, s := range w.always {
					if s == status {
						always++
					}
				}
				for _, statuses := range w.ever {
					if statuses[status] {
						ever++
					}
				}
				// The last of three walks is published although the list shrank
				// under it: each removal may have hidden one row.
				if w.walks == 3 {
					always -= w.most - w.least
				}
				if count < always || count > ever {
					rt.Errorf("refresh %d: %d in %s, want %d to %d", refresh, count, status, always, ever)
				}
			}
			if total < w.least || total > w.most {
				rt.Errorf("refresh %d: %d customers, want %d to %d", refresh, total, w.least, w.most)
			}
			if gap := r.series("yativo_exporter_missing_customers")[""]; gap != 0 {
				rt.Errorf("refresh %d: a gap of %v was published for %d customers", refresh, gap, total)
			}
		}
	})
}

func labels() map[onboarding.Status]string {
	all := map[onboarding.Status]string{}
	for _, s := range onboarding.Statuses() {
		all[s] = "flow_status=" + s.String()
	}
	return all
}

// The sandbox's own population, living fast, with pages fetched concurrently:
// every count lies between the sandbox's extremes during the refresh.
func TestLivingPopulation(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Seed: seed, Customers: 400, Speed: 5, PageCap: 20, Quota: -1, Latency: 10 * time.Millisecond})
				r := newRig(t, api, everyRefresh)
				published := 0
				for range 20 {
					seen := api.Range(r.refresh)
					if r.series("yativo_up")[""] == 0 {
						wait(time.Second)
						continue
					}
					published++
					sum := 0.0
					counts := r.series("yativo_card_customers")
					for status, label := range labels() {
						sum += counts[label]
						if got := int(counts[label]); got < seen.Always.ByStatus[status] || got > seen.Ever.ByStatus[status] {
							t.Errorf("%d in %s, want %d to %d", got, status, seen.Always.ByStatus[status], seen.Ever.ByStatus[status])
						}
					}
					if got := int(sum); got < seen.Min.Total || got > seen.Max.Total {
						t.Errorf("%d customers, want %d to %d", got, seen.Min.Total, seen.Max.Total)
					}
					wait(time.Second)
				}
				if published < 16 {
					t.Errorf("only %d of 20 refreshes were published: %v", published, r.failures())
				}
			})
		})
	}
}

// A gap of up to one in a thousand is published, and shown; a larger one is not.
func TestGaps(t *testing.T) {
	for _, c := range []struct {
		customers, total int
		published        bool
	}{
		{1000, 1000, true},
		{999, 1000, true},
		{1000, 1001, true},
		{1050, 1049, true},
		{5000, 5005, true},
		{5060, 5055, true},
		{998, 999, false},
		{1000, 1002, false},
		{999, 998, false},
		{5000, 5006, false},
		{5066, 5060, false},
		{87, 88, false},
		{87, 86, false},
		{87, 0, false},
		{0, 87, false},
		{100, 9_999_999, false},
	} {
		t.Run(fmt.Sprint(c.customers, " of ", c.total), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Customers: c.customers, Quota: -1})
				r := newRig(t, api, func(s *settings) { s.refresher.BalanceInterval = 0 })
				r.refresh()
				before := r.series("yativo_card_customers")
				stamp := r.series("yativo_exporter_snapshot_timestamp_seconds")[""]
				api.InjectFault(sandbox.Total(func(int, int64) string { return strconv.Itoa(c.total) }))
				wait(time.Minute)
				api.ResetRequests()
				r.refresh()
				if c.published {
					r.want("yativo_up", "", 1)
					r.want("yativo_exporter_missing_customers", "", float64(c.total-c.customers))
					r.want("yativo_exporter_upstream_customers", "", float64(c.total))
					r.want("yativo_exporter_snapshot_timestamp_seconds", "", stamp+60)
				} else {
					r.want("yativo_up", "", 0)
					r.want("yativo_exporter_missing_customers", "", 0)
					r.want("yativo_exporter_snapshot_timestamp_seconds", "", stamp)
					if got := r.failures(); got["incomplete"] != 1 || len(got) != 1 {
						t.Errorf("failures %v", got)
					}
				}
				if !maps.Equal(before, r.series("yativo_card_customers")) {
					t.Error("what is shown has changed")
				}
				// Three walks, and what is asked for ahead.
				pages := (c.customers + 99) / 100
				if got := api.Counters().Arrived[sandbox.CustomersEndpoint]; got > 3*(pages+9) {
					t.Errorf("%d requests", got)
				}
			})
		})
	}
}

// An empty page that counts nobody excuses nobody who was not read, however few
// they are.
func TestAnEmptyPageExcusesNobody(t *testing.T) {
	for _, c := range []struct{ customers, page int }{{120, 2}, {1000, 10}, {101, 2}} {
		t.Run(fmt.Sprintf("page %d of %d customers", c.page, c.customers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Quota: -1})
				for i := range c.customers {
					api.Add(customer("id"+strconv.Itoa(i), onboarding.KYCInitiated))
				}
				r := newRig(t, api, everyRefresh)
				r.refresh()
				api.InjectFault(sandbox.Body(`{"success":true,"data":{"customers":[],"total":0}}`).On(sandbox.CustomersEndpoint).When(sandbox.OnPage(c.page)))
				for range 3 {
					wait(time.Minute)
					r.refresh()
					r.want("yativo_up", "", 0)
					r.wantCounts(api.Truth().Counts)
				}
				r.want("yativo_card_status_transitions_total", "from=kyc_initiated,to=gone", 0)
			})
		})
	}
}

// Where pages are tiny, a sign-up moves a whole page on: what repeats the page
// before is not the end of the list.
func TestSignUpsBetweenTinyPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 60, PageCap: 1, Quota: -1})
		born := 0
		api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Match: sandbox.OnPage(30), Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
			born++
			api.Add(customer("born"+strconv.Itoa(born), onboarding.OTPRequested))
			next.ServeHTTP(w, q)
		}})
		r := newRig(t, api, func(s *settings) { s.client.MaxConcurrency = 1 })
		for range 3 {
			r.refresh()
			r.want("yativo_up", "", 1)
			r.want("yativo_exporter_duplicate_rows", "", 1)
			wait(time.Minute)
		}
	})
}

// Half a walk is never published, whatever ends it.
func TestHalfAWalkIsNeverPublished(t *testing.T) {
	for name, fault := range map[string]sandbox.Fault{
		"an empty page": sandbox.EmptyPage(3), "the same page": sandbox.SamePage(), "an error": sandbox.Status(500).When(sandbox.OnPage(3)),
		"a broken page": sandbox.HTML().When(sandbox.OnPage(3)), "no answer": sandbox.Hang().When(sandbox.OnPage(3)),
		"an empty page that counts nobody": sandbox.Body(`{"success":true,"data":{"customers":[],"total":0,"page":3,"limit":100}}`).When(sandbox.OnPage(3)),
		"a total that jumps":               sandbox.Total(func(page int, truth int64) string { return strconv.FormatInt(truth+int64(page%2)*500, 10) }),
		"a total that fails": sandbox.Total(func(page int, truth int64) string {
			return map[bool]string{true: `"x"`, false: strconv.FormatInt(truth, 10)}[page == 3]
		}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Seed: 3, Customers: 450, Quota: -1})
				r := newRig(t, api, everyRefresh)
				r.refresh()
				r.wantTruth()
				stamp := r.series("yativo_exporter_snapshot_timestamp_seconds")[""]
				remove := api.InjectFault(fault.On(sandbox.CustomersEndpoint))
				for range 3 {
					wait(time.Minute)
					api.ResetRequests()
					r.refresh()
					if name == "a total that jumps" {
						continue // the rows do lie between the totals seen
					}
					r.want("yativo_up", "", 0)
					r.want("yativo_exporter_snapshot_timestamp_seconds", "", stamp)
					if got := api.Counters().Arrived[sandbox.CustomersEndpoint]; got > 6*(5+8) {
						t.Errorf("%d requests for five pages", got)
					}
				}
				r.wantCounts(api.Truth().Counts)
				remove()
				wait(time.Minute)
				r.refresh()
				r.want("yativo_up", "", 1)
				r.wantCounts(api.Truth().Counts)
			})
		})
	}
}
