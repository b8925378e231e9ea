package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

const customersPath = sandbox.BasePath + "/card-issuer/customers"

func TestQueryIsChecked(t *testing.T) {
	s := sandbox.New(sandbox.Options{Customers: 50})
	for query, want := range map[string]int{
		"":                          200,
		"page=1&limit=100":          200,
		"page=999999999999999999":   200,
		"page=0":                    400,
		"page=-1":                   400,
		"page=x":                    400,
		"page=":                     400,
		"page=99999999999999999999": 400,
		"limit=0":                   400,
		"limit=1.5":                 400,
		"limit=100000":              200,
		"include_balances=maybe":    400,
		"include_balances=false":    200,
		"status=safe_deploying":     400,
		"status=banana":             400,
		"status=unknown":            400,
		"status=kyc_initiated":      200,
	} {
		r := list(t, s, query)
		if r.code != want {
			t.Errorf("?%s: status %d, want %d: %s", query, r.code, want, r.body)
		}
		var problem struct{ Error, Message string }
		if want == 400 && (json.Unmarshal([]byte(r.body), &problem) != nil || problem.Error == "" || problem.Message == "") {
			t.Errorf("?%s: the error body is %s", query, r.body)
		}
	}
}

func TestPathsAndMethods(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	for _, c := range []struct {
		method, path, allow string
		code                int
	}{
		{http.MethodGet, "/", "", 404},
		{http.MethodGet, sandbox.BasePath + "/card-issuer", "", 404},
		{http.MethodPost, customersPath, "GET", 405},
		{http.MethodGet, sandbox.BasePath + "/auth/token", "POST", 405},
		{http.MethodGet, customersPath, "", 401},
	} {
		r := do(t, s, c.method, c.path, "", "")
		if r.code != c.code || r.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: status %d, Allow %q, want %d, %q", c.method, c.path, r.code, r.header.Get("Allow"), c.code, c.allow)
		}
		for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
			if r.header.Get(name) == "" {
				t.Errorf("%s %s: no %s", c.method, c.path, name)
			}
		}
	}
}

// Pages of every size list everybody once, newest first, and the page after
// the last is empty.
func TestPagesCoverTheList(t *testing.T) {
	s := sandbox.New(sandbox.Options{Seed: 3, Customers: 87})
	for _, limit := range []int{1, 20, 29, 87, 100} {
		seen := map[string]bool{}
		last := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		for n := 1; ; n++ {
			p := decode(t, list(t, s, fmt.Sprintf("page=%d&limit=%d", n, limit))).Data
			if p.Total != 87 || p.Page != n || p.Limit != limit || !p.Balances {
				t.Fatalf("limit %d, page %d: total %d, page %d, limit %d", limit, n, p.Total, p.Page, p.Limit)
			}
			for _, r := range p.Customers {
				if seen[r.ID] || r.Created.After(last) {
					t.Fatalf("limit %d, page %d: a row is repeated or out of order: %+v", limit, n, r)
				}
				seen[r.ID], last = true, r.Created
			}
			if len(p.Customers) == 0 {
				break
			}
		}
		if len(seen) != 87 {
			t.Errorf("limit %d: %d customers listed, want 87", limit, len(seen))
		}
	}
}

func TestLimitIsDefaultedAndCapped(t *testing.T) {
	s := sandbox.New(sandbox.Options{Customers: 200, PageCap: 30})
	for query, want := range map[string]int{"": 20, "limit=5": 5, "limit=30": 30, "limit=100": 30} {
		if p := decode(t, list(t, s, query)).Data; p.Limit != want || len(p.Customers) != want {
			t.Errorf("?%s: limit %d with %d rows, want %d", query, p.Limit, len(p.Customers), want)
		}
	}
}

func TestStatusFilter(t *testing.T) {
	s := sandbox.New(sandbox.Options{Seed: 5, Customers: 400})
	want := s.Truth().ByStatus
	for _, status := range onboarding.Statuses() {
		if status == onboarding.SafeDeploying || status == onboarding.StatusUnknown {
			continue
		}
		got := 0
		for n := 1; n <= 40; n++ {
			p := decode(t, list(t, s, fmt.Sprintf("limit=10&page=%d&status=%s", n, status))).Data
			if p.Total != want[status] {
				t.Fatalf("%s: total %d, want %d", status, p.Total, want[status])
			}
			for _, r := range p.Customers {
				if r.Status != status.String() {
					t.Fatalf("%s: a row is in %s", status, r.Status)
				}
			}
			got += len(p.Customers)
		}
		if got != want[status] {
			t.Errorf("%s: %d rows, want %d", status, got, want[status])
		}
	}
}

func TestWithoutBalances(t *testing.T) {
	s := sandbox.New(sandbox.Options{Seed: 5, Customers: 80})
	s.Add(sandbox.Customer{ID: "x", Ledger: "1", Raw: map[string]string{"ledger_balance": "{}"}})
	p := decode(t, list(t, s, "limit=100&include_balances=false")).Data
	if p.Balances || len(p.Customers) != 81 {
		t.Fatalf("balances_included %v, %d rows", p.Balances, len(p.Customers))
	}
	for _, r := range p.Customers {
		if r.Ledger != "" || r.Available != "" || r.Pending != "" || r.Freshness != nil {
			t.Errorf("a balance without balances: %+v", r)
		}
	}
}

// Where an id is there twice, it is the row that comes first that is edited.
func TestEditingARepeatedID(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	s.SetCustomers([]sandbox.Customer{{ID: "a", Cards: 1}, {ID: "a", Cards: 2}, {ID: "b", Cards: 4}})
	s.Update("a", func(c *sandbox.Customer) { c.Cards = 8 })
	if n := s.Truth().Cards; n != 8+2+4 {
		t.Errorf("%d cards after an update, want 14", n)
	}
	s.Remove("a")
	if n := s.Truth().Cards; n != 2+4 {
		t.Errorf("%d cards after a removal, want 6", n)
	}
}

// Whoever signs up or is removed between two pages shifts the rows, so that
// one is seen twice, or not at all.
func TestRowsShift(t *testing.T) {
	s := sandbox.New(sandbox.Options{Customers: 40})
	all := s.Customers()
	first := decode(t, list(t, s, "page=1")).Data.Customers

	s.Add(sandbox.Customer{ID: "new"})
	if second := decode(t, list(t, s, "page=2")).Data.Customers; second[0].ID != first[19].ID {
		t.Errorf("after a sign-up page 2 begins with %s, want the last of page 1, %s", second[0].ID, first[19].ID)
	}
	if !s.Remove("new") || !s.Remove(first[0].ID) || s.Remove(first[0].ID) {
		t.Fatal("Remove does not report what it did")
	}
	if second := decode(t, list(t, s, "page=2")).Data.Customers; second[0].ID != all[21].ID {
		t.Errorf("after a removal page 2 begins with %s, want %s, the other one being skipped", second[0].ID, all[21].ID)
	}
}

func TestRawValuesAndRows(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	s.SetCustomers([]sandbox.Customer{
		{JSON: `{"broken": [`},
		{
			ID: "a\"\\\x01", Status: onboarding.Active, SafeDeployed: true,
			Raw: map[string]string{"ledger_balance": "1e400", "safe_deployed": "", "flow_status": `"banana"`, "customer_id": ""},
		},
	})
	const want = `{"success":true,"data":{"customers":[{"broken": [,` +
		`{"yativo_card_id":"","external_customer_id":"","email":"","flow_status":"banana","step":6,` +
		`"next_action":"Card is active — customer can spend","currency":null,` +
		`"ledger_balance":1e400,"available_balance":null,"pending_balance":null,"balance_freshness":null,` +
		`"cards_count":0,"created_at":"0001-01-01T00:00:00.000Z"}],"total":2,"page":1,"limit":20,"balances_included":true}}`
	if got := list(t, s, "").body; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if n := s.Truth().ByStatus[onboarding.Active]; n != 1 {
		t.Errorf("Truth counts %d active, want the one that the fields say", n)
	}
}

func TestUpdateTakesHold(t *testing.T) {
	c := newClock()
	s := sandbox.New(sandbox.Options{Seed: 1, Customers: 100, Speed: 1, Now: c.Now})
	id := s.Customers()[0].ID
	if !s.Update(id, func(c *sandbox.Customer) { c.Status = onboarding.KYCInitiated }) || s.Update("nobody", nil) {
		t.Fatal("Update does not report whether there is such a customer")
	}
	c.add(10 * time.Minute)
	for _, customer := range s.Customers() {
		if customer.ID == id {
			if customer.Status != onboarding.KYCInitiated {
				t.Errorf("an updated customer moved on to %s", customer.Status)
			}
			return
		}
	}
	t.Error("an updated customer was removed")
}

func TestRequestsAreLogged(t *testing.T) {
	c := newClock()
	s := sandbox.New(sandbox.Options{Customers: 5, Now: c.Now})
	c.add(time.Second)
	list(t, s, "page=2&limit=50&include_balances=false&status=active")
	list(t, s, "page=x")
	do(t, s, http.MethodPost, sandbox.BasePath+"/auth/token", "", "{}")
	at := c.Now()
	want := []sandbox.Request{
		{Time: at, Endpoint: sandbox.CustomersEndpoint, Page: 2, Limit: 50, Status: "active", Code: 200},
		{Time: at, Endpoint: sandbox.CustomersEndpoint, Balances: true, Code: 400},
		{Time: at, Endpoint: sandbox.TokenEndpoint, Balances: true, Code: 401},
	}
	if got := s.Requests(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	s.ResetRequests()
	for range 10_001 {
		do(t, s, http.MethodGet, "/", "", "")
	}
	if n := len(s.Requests()); n != 10_000 {
		t.Errorf("%d requests kept, want 10,000", n)
	}
	counters := s.Counters()
	if counters.Arrived[sandbox.Any] != 10_001 || counters.Answered[404]+counters.Answered[429] != 10_001 || counters.Arrived[sandbox.CustomersEndpoint] != 0 {
		t.Errorf("counters %+v, want 10,001 since the reset", counters)
	}
}
