package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// clock is a clock that a test sets.
type clock struct{ t time.Time }

func newClock() *clock { return &clock{time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time      { return c.t }
func (c *clock) add(d time.Duration) { c.t = c.t.Add(d) }
func (c *clock) set(t time.Time)     { c.t = t }

// reply is an answer, read to its end.
type reply struct {
	code   int
	header http.Header
	body   string
}

func do(t *testing.T, s *sandbox.Sandbox, method, path, token, body string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://api.test"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: read the body: %v", method, path, err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

// list asks for a page of customers with a token of its own.
func list(t *testing.T, s *sandbox.Sandbox, query string) reply {
	t.Helper()
	return do(t, s, http.MethodGet, sandbox.BasePath+"/card-issuer/customers?"+query, s.MintToken(), "")
}

type row struct {
	ID        string      `json:"customer_id"`
	Status    string      `json:"flow_status"`
	Step      int         `json:"step"`
	Deployed  bool        `json:"safe_deployed"`
	Currency  *string     `json:"currency"`
	Ledger    json.Number `json:"ledger_balance"`
	Available json.Number `json:"available_balance"`
	Pending   json.Number `json:"pending_balance"`
	Freshness *string     `json:"balance_freshness"`
	Cards     int         `json:"cards_count"`
	Created   time.Time   `json:"created_at"`
}

type page struct {
	Success bool `json:"success"`
	Data    struct {
		Customers []row `json:"customers"`
		Total     int   `json:"total"`
		Page      int   `json:"page"`
		Limit     int   `json:"limit"`
		Balances  bool  `json:"balances_included"`
	} `json:"data"`
}

func decode(t *testing.T, r reply) page {
	t.Helper()
	var p page
	if r.code != http.StatusOK {
		t.Fatalf("status %d: %s", r.code, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("decode a page: %v\n%s", err, r.body)
	}
	return p
}

func TestExampleIsReproduced(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	s.SetCustomers(sandbox.Example())
	s.InjectFault(sandbox.Total(func(int, int64) string { return "87" }))

	const want = `{"success":true,"data":{"customers":[` +
		`{"customer_id":"69f0bdf29a84752db9cc8ff9","yativo_card_id":"yativo_card_customer_8f9a..._1769031332068",` +
		`"external_customer_id":"usr_8821","email":"alice@yourapp.com","flow_status":"active","step":6,` +
		`"next_action":"Card is active — customer can spend","safe_deployed":true,"currency":"USD",` +
		`"ledger_balance":45.23,"available_balance":38.50,"pending_balance":6.73,` +
		`"balance_freshness":"realtime","cards_count":1,"created_at":"2026-04-20T08:00:00.000Z"},` +
		`{"customer_id":"6627f3a2c5d4e100123abcde","yativo_card_id":"yativo_card_customer_ab12..._1769031332999",` +
		`"external_customer_id":"usr_7714","email":"bob@yourapp.com","flow_status":"kyc_initiated","step":3,` +
		`"next_action":"Awaiting KYC verification","safe_deployed":false,"currency":null,` +
		`"ledger_balance":null,"available_balance":null,"pending_balance":null,` +
		`"balance_freshness":null,"cards_count":0,"created_at":"2026-04-25T10:00:00.000Z"}],` +
		`"total":87,"page":1,"limit":20,"balances_included":true}}`
	if got := list(t, s, "page=1").body; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A living population's rows say what Truth says, and the same after a test
// has taken hold of them.
func TestRowsTellTheTruth(t *testing.T) {
	s := sandbox.New(sandbox.Options{Seed: 7, Customers: 250})
	first := list(t, s, "limit=100").body
	for _, c := range s.Customers() {
		s.Update(c.ID, func(*sandbox.Customer) {})
	}
	if placed := list(t, s, "limit=100").body; placed != first {
		t.Errorf("placed rows differ from generated ones:\n%s\n%s", placed, first)
	}

	var got sandbox.Counts
	for n := range 3 {
		for _, r := range decode(t, list(t, s, fmt.Sprintf("limit=100&page=%d", n+1))).Data.Customers {
			status, _ := onboarding.ParseStatus(r.Status)
			got.Total++
			got.ByStatus[status]++
			got.Cards += r.Cards
			if !r.Deployed {
				got.Undeployed[status]++
			}
			if r.Deployed != (status.Step() == 6) || r.Deployed != (r.Currency != nil) || r.Deployed != (r.Ledger != "") || r.Deployed != (r.Cards > 0) {
				t.Errorf("implausible row %+v", r)
			}
		}
	}
	want := s.Truth().Counts
	if got.Total != 250 || got.Total != want.Total || got.ByStatus != want.ByStatus || got.Undeployed != want.Undeployed || got.Cards != want.Cards {
		t.Errorf("rows say %+v, Truth says %+v", got, want)
	}
	if want.Missing != 0 || want.Mismatch["USD"] != 0 {
		t.Errorf("a healthy population has missing or mismatching balances: %+v", want)
	}
	for _, status := range onboarding.Statuses()[:7] {
		if want.ByStatus[status] == 0 || 2*want.ByStatus[onboarding.Active] < want.Total {
			t.Errorf("the population is not spread over the statuses: %v", want.ByStatus)
		}
	}
}
