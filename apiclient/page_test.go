package apiclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// marker is planted in answers; it must not come out in an error or a log.
const marker = "MARKER-alice@example.com"

func TestExamplePage(t *testing.T) {
	api := sandbox.New(sandbox.Options{})
	api.SetCustomers(sandbox.Example())
	page := newRig(t, api, nil).page()
	if len(page.Rows) != 2 || page.Total != 2 || page.Limit != 100 || page.Number != 1 || !page.Balances {
		t.Fatalf("page %+v", page)
	}
	for i, want := range []string{
		"69f0bdf29a84752db9cc8ff9 usr_8821 active 2026-04-20T08:00:00Z deployed=2 cards=1 USD true 45.23 true 38.50 true 6.73 realtime broken=false",
		"6627f3a2c5d4e100123abcde usr_7714 kyc_initiated 2026-04-25T10:00:00Z deployed=1 cards=0  false 0 false 0 false 0 unknown broken=false",
	} {
		if got := describe(&page.Rows[i]); got != want {
			t.Errorf("row %d is\n%s, want\n%s", i, got, want)
		}
	}
}

var none apiclient.FieldSet // of the fields is broken

func describe(r *apiclient.Row) string {
	created := ""
	if !r.CreatedAt.IsZero() {
		created = r.CreatedAt.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s %s %s %s deployed=%d cards=%d %s %t %s %t %s %t %s %s broken=%t", r.ID, r.ExternalID, r.Status, created,
		r.SafeDeployed, r.Cards, r.Currency, r.Ledger.Known, r.Ledger.Value.Text('f'), r.Available.Known, r.Available.Value.Text('f'),
		r.Pending.Known, r.Pending.Value.Text('f'), r.Freshness, r.Broken != none)
}

func TestBrokenEnvelope(t *testing.T) {
	row := `{"customer_id":"` + marker + `","email":"` + marker + `"}`
	for _, c := range []struct{ name, body, want string }{
		{"web page", "<!DOCTYPE html><p>" + marker, "not a JSON object"},
		{"empty", "", "not a JSON object"},
		{"byte order mark", "\ufeff{}", "not a JSON object"},
		{"list", `["` + marker + `"]`, "not a JSON object"},
		{"string", `"` + marker + `"`, "not a JSON object"},
		{"number", `87`, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"truncated", `{"success":true,"data":{"customers":[` + row + `,{"customer_id":"` + marker, "cut off"},
		{"truncated after the rows", `{"success":true,"data":{"customers":[` + row + `],"total":1`, "cut off"},
		{"truncated before its end", `{"success":true,"data":{"customers":[` + row + `],"total":1}`, "cut off"},
		{"single quotes", `{'success':true}`, "not JSON"},
		{"bare word", `{"success":` + marker + `}`, "not JSON"},
		{"trailing comma", `{"success":true,"data":{"customers":[` + row + `,],"total":1}}`, "not JSON"},
		{"NaN", `{"success":true,"data":{"customers":[{"ledger_balance":NaN}],"total":1}}`, "not JSON"},
		{"two objects", `{"success":true,"data":{"customers":[],"total":0}}{"` + marker + `":1}`, "goes on after"},
		{"success false", `{"success":false,"message":"` + marker + `"}`, "success: false"},
		{"success false before no data", `{"success":false,"data":null}`, "success: false"},
		{"success false beside data", `{"data":{"customers":[],"total":0},"success":false}`, "success: false"},
		{"no data", `{"success":true,"message":"` + marker + `"}`, "no list data.customers"},
		{"data null", `{"success":true,"data":null}`, "data is not an object"},
		{"data is the list", `{"success":true,"data":[` + row + `]}`, "data is not an object"},
		{"no customers", `{"success":true,"data":{"total":87}}`, "no list data.customers"},
		{"customers null", `{"success":true,"data":{"customers":null,"total":87}}`, "customers is not a list"},
		{"customers object", `{"success":true,"data":{"customers":` + row + `,"total":87}}`, "customers is not a list"},
		{"no total", `{"success":true,"data":{"customers":[` + row + `]}}`, "total is not a count"},
		{"total string", `{"success":true,"data":{"customers":[],"total":"` + marker + `"}}`, "total is not a count"},
		{"total number in a string", `{"success":true,"data":{"customers":[],"total":"87"}}`, "total is not a count"},
		{"total null", `{"success":true,"data":{"customers":[],"total":null}}`, "total is not a count"},
		{"total negative", `{"success":true,"data":{"customers":[],"total":-1}}`, "total is not a count"},
		{"total fraction", `{"success":true,"data":{"customers":[],"total":1.5}}`, "total is not a count"},
		{"total absurd", `{"success":true,"data":{"customers":[],"total":1000000000000}}`, "total is not a count"},
		{"total beyond float64", `{"success":true,"data":{"customers":[],"total":1e400}}`, "total is not a count"},
		{"total object", `{"success":true,"data":{"customers":[],"total":{"` + marker + `":1}}}`, "total is not a count"},
		{"total broken at last", `{"success":true,"data":{"customers":[],"total":87,"total":"x"}}`, "total is not a count"},
		{"deep nesting", `{"success":true,"data":{"customers":` + strings.Repeat("[", 100_000), "not JSON"},
		{"control characters", "{\"success\":true,\"\x1b[31m\x00\":1}", "not JSON"},
		{"too many rows", `{"success":true,"data":{"customers":[` + strings.Repeat("0,", 20_000) + `0],"total":1}}`, "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil, func(o *apiclient.Options) { o.Transport = answering(c.body) })
			err := r.failure(apiclient.ReasonBadResponse)
			var typed *apiclient.Error
			if !errors.As(err, &typed) || typed.Op != "list card customers, page 1" || !strings.Contains(typed.Detail, c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err), r.log.String()} {
				if strings.Contains(text, "MARKER") || strings.Contains(text, "alice") || strings.ContainsAny(text, "\x00\x1b") {
					t.Errorf("the answer is quoted: %s", text)
				}
			}
			if got := r.value("yativo_api_retries_total", "reason", "network"); got != 0 {
				t.Errorf("%v repeats of an answer that will not change", got)
			}
		})
	}
}

// The order of keys and unknown members do not matter.
func TestEnvelopeIsReadInAnyOrder(t *testing.T) {
	row := `{"email":"e","created_at":"2026-04-20T08:00:00.000Z","cards_count":2,"safe_deployed":true,"flow_status":"active","id":"a","x":{"y":[{}]}}`
	for _, body := range []string{
		`{"success":true,"data":{"customers":[` + row + `],"total":87,"page":1,"limit":20,"balances_included":true}}`,
		`{"data":{"balances_included":true,"limit":20,"total":87,"page":1,"customers":[` + row + `]},"success":true}`,
		`{"meta":[1,{"a":null}],"data":{"next":null,"total":8.7e1,"customers":[` + row + `],"limit":20.0}}`,
		` { "data" : { "total" : 87 , "customers" : [ ` + row + ` ] , "limit":20 } , "success" : 1 } ` + "\r\n",
	} {
		page := newRig(t, nil, func(o *apiclient.Options) { o.Transport = answering(body) }).page()
		if page.Total != 87 || page.Limit != 20 || !page.Balances || len(page.Rows) != 1 || page.Rows[0].Broken != none ||
			page.Rows[0].ID != "a" || page.Rows[0].Cards != 2 || page.Rows[0].Status != onboarding.Active {
			t.Errorf("%s is read as %+v", body, page)
		}
	}
}

// Each field can be broken in many ways; it becomes unknown and is noted, and
// what stands beside it is as it was.
func TestBrokenFieldSpoilsOnlyItself(t *testing.T) {
	long := strings.Repeat("9", 300)
	junk := []string{`true`, `[]`, `{}`, `[[["` + marker + `"]]]`, `{"a":{"b":1}}`}
	for _, c := range []struct {
		name   string
		field  apiclient.Field
		values []string // "" leaves the field out
	}{
		{"customer_id", apiclient.FieldCustomerID, append([]string{"", `null`, `""`, `"` + long + `"`}, junk...)},
		{"flow_status", apiclient.FieldFlowStatus, append([]string{"", `null`, `""`, `3`, `"ACTIVE"`, `"active "`, `"unknown"`, `"kyc_rejected"`, `"` + long + `"`, `"\u0000"`}, junk...)},
		{"safe_deployed", apiclient.FieldSafeDeployed, []string{"", `null`, `"true"`, `1`, `0`, `[]`, `{}`}},
		{"cards_count", apiclient.FieldCardsCount, append([]string{"", `null`, `"1"`, `-1`, `1.5`, `1e400`, long}, junk...)},
		{"created_at", apiclient.FieldCreatedAt, append([]string{"", `null`, `""`, `1769031332`, `"yesterday"`, `"0000-01-01T00:00:00Z"`, `"1970-01-01T00:00:00Z"`, `"2026-13-01T00:00:00Z"`, `"2026-04-20"`}, junk...)},
		{"currency", apiclient.FieldCurrency, append([]string{`""`, `"usd"`, `"US"`, `"DOLLAR"`, `"U$D"`, `"UŚD"`, `840`, `"US\u0044 "`}, junk...)},
		{"balance_freshness", apiclient.FieldFreshness, append([]string{`""`, `"REALTIME"`, `"stale"`, `1`}, junk...)},
		{"ledger_balance", apiclient.FieldLedger, append(brokenAmounts(), junk...)},
		{"available_balance", apiclient.FieldAvailable, append(brokenAmounts(), junk...)},
		{"pending_balance", apiclient.FieldPending, append(brokenAmounts(), junk...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, value := range c.values {
				healthy := sandbox.Example()[0]
				poisoned := healthy
				poisoned.Raw = map[string]string{c.name: value}
				api := sandbox.New(sandbox.Options{})
				api.SetCustomers([]sandbox.Customer{healthy, poisoned, healthy})
				page := newRig(t, api, nil).page()
				if len(page.Rows) != 3 || page.Rows[0].Broken != none || describe(&page.Rows[2]) != describe(&page.Rows[0]) {
					t.Fatalf("%s: the rows beside are not intact: %+v", value, page.Rows)
				}
				got, want := page.Rows[1], page.Rows[0]
				var alone apiclient.FieldSet
				alone[c.field] = true
				if got.Broken != alone {
					t.Errorf("%s: broken is %t, want %s alone", value, got.Broken, c.field)
				}
				blank(&want, c.field)
				blank2 := got
				blank2.Broken = none
				if describe(&blank2) != describe(&want) {
					t.Errorf("%s: the row is\n%s, want\n%s", value, describe(&blank2), describe(&want))
				}
			}
		})
	}
}

func brokenAmounts() []string {
	return []string{
		`"45.23"`, `""`, `1e25`, `-1e25`, `1000000000000000000000000.1`, `1e65`, `0e65`, `1e-65`, `1e400`, `1e999999999`, `-1e-999999999`,
		`1e99999999999999999999`, `0.` + strings.Repeat("0", 64) + `1`, strings.Repeat("9", 25), strings.Repeat("9", 300),
	}
}

// blank makes a field of a row unknown.
func blank(r *apiclient.Row, f apiclient.Field) {
	empty := apiclient.Row{}
	switch f {
	case apiclient.FieldCustomerID:
		r.ID = ""
	case apiclient.FieldFlowStatus:
		r.Status = onboarding.StatusUnknown
	case apiclient.FieldSafeDeployed:
		r.SafeDeployed = apiclient.DeploymentUnknown
	case apiclient.FieldCardsCount:
		r.Cards = 0
	case apiclient.FieldCreatedAt:
		r.CreatedAt = time.Time{}
	case apiclient.FieldCurrency:
		r.Currency = ""
	case apiclient.FieldFreshness:
		r.Freshness = apiclient.FreshnessUnknown
	case apiclient.FieldLedger:
		r.Ledger = empty.Ledger
	case apiclient.FieldAvailable:
		r.Available = empty.Available
	case apiclient.FieldPending:
		r.Pending = empty.Pending
	}
}

// What is null until it is known is unknown, but not broken.
func TestNullIsNotBroken(t *testing.T) {
	c := sandbox.Example()[0]
	for _, value := range []string{"null", ""} {
		c.Raw = map[string]string{}
		for _, name := range []string{"currency", "balance_freshness", "ledger_balance", "available_balance", "pending_balance", "external_customer_id"} {
			c.Raw[name] = value
		}
		api := sandbox.New(sandbox.Options{})
		api.SetCustomers([]sandbox.Customer{c})
		row := newRig(t, api, nil).page().Rows[0]
		if row.Broken != none || row.Ledger.Known || row.Available.Known || row.Pending.Known || row.Currency != "" || row.Freshness != apiclient.FreshnessUnknown {
			t.Errorf("%q: %+v", value, row)
		}
	}
}

func TestAmountsKeepEveryDigit(t *testing.T) {
	for text, want := range map[string]string{
		"45.23": "45.23", "-45.23": "-45.23", "0": "0", "-0": "-0", "-0.00": "-0.00", "0.000000000000000001": "0.000000000000000001",
		"1234567890123456.789012345678901234": "1234567890123456.789012345678901234", "4.523e1": "45.23", "4523E-2": "45.23",
		"1e24": "1000000000000000000000000", "-1e24": "-1000000000000000000000000", "1000000000000000000000000.000": "1000000000000000000000000.000",
		"999999999999999999999999.999999999999999999": "999999999999999999999999.999999999999999999", "0e64": "0" + strings.Repeat("0", 64),
		"1e-64": "0." + strings.Repeat("0", 63) + "1", "0.0000000000000000000000000000000000000001": "0.0000000000000000000000000000000000000001",
	} {
		c := sandbox.Example()[0]
		c.Ledger = text
		api := sandbox.New(sandbox.Options{})
		api.SetCustomers([]sandbox.Customer{c})
		row := newRig(t, api, nil).page().Rows[0]
		if got := row.Ledger.Value.Text('f'); !row.Ledger.Known || strings.TrimLeft(got, "0") != strings.TrimLeft(want, "0") {
			t.Errorf("%s is read as %s, known %t", text, got, row.Ledger.Known)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	for row, want := range map[string]string{
		`{"customer_id":"a"}`:                       "a",
		`{"id":"a"}`:                                "a",
		`{"customer_id":"a","id":"b"}`:              "a",
		`{"id":"b","customer_id":"a"}`:              "a",
		`{"id":"a","customer_id":"a"}`:              "a",
		`{"id":"","customer_id":"a"}`:               "a",
		`{"id":null,"customer_id":"a"}`:             "a",
		`{"_id":"c","id":"b","customer_id":"a"}`:    "a",
		`{"customer_id":"a","_id":"c"}`:             "a",
		`{"_id":"c"}`:                               "c",
		`{"_id":"c","id":"b"}`:                      "c",
		`{"id":"b","_id":"c"}`:                      "c",
		`{"id":7,"customer_id":"a"}`:                "a",
		`{"customer_id":"","id":"b"}`:               "b",
		`{"customer_id":null,"id":"b"}`:             "b",
		`{"id":"b","customer_id":[]}`:               "b",
		`{"id":12345678901234567890}`:               "12345678901234567890",
		`{"id":"\u0061\n\ud83d\ude00"}`:             "a\n😀",
		"{\"id\":\"a\xff\xfeb\"}":                   "a\xff\xfeb",
		`{"id":"\ud800"}`:                           "\ufffd",
		`{"id":"` + strings.Repeat("i", 256) + `"}`: strings.Repeat("i", 256),
		`{"id":"` + strings.Repeat("i", 257) + `"}`: "",
		`{"id":""}`:                                 "",
		`{}`:                                        "",
		`"not a row"`:                               "",
		`null`:                                      "",
		`[{"id":"nested"}]`:                         "",
	} {
		body := `{"success":true,"data":{"customers":[` + row + `],"total":1}}`
		page := newRig(t, nil, func(o *apiclient.Options) { o.Transport = answering(body) }).page()
		if len(page.Rows) != 1 || page.Rows[0].ID != want || page.Rows[0].Broken[apiclient.FieldCustomerID] != (want == "") {
			t.Errorf("%s is read as %+v", row, page.Rows)
		}
	}
}

// Strings are not printed, so whatever they hold, the page is read.
func TestStringsMayHoldAnything(t *testing.T) {
	for _, text := range []string{"\xff\xfe\xfd", "\xed\xa0\x80", `\u0000\u001b[2J`, `\ud800`, "\u202e", strings.Repeat("é", 100_000)} {
		c := sandbox.Example()[0]
		c.Raw = map[string]string{"email": `"` + text + `"`, "next_action": `"` + text + `"`, "external_customer_id": `"` + text + `"`}
		api := sandbox.New(sandbox.Options{})
		api.SetCustomers([]sandbox.Customer{c})
		if row := newRig(t, api, nil).page().Rows[0]; row.Broken != none || row.Status != onboarding.Active {
			t.Errorf("%.20q: %+v", text, row)
		}
	}
}

// A later member of the same name counts, as in most JSON decoders.
func TestRepeatedNames(t *testing.T) {
	body := `{"success":true,"data":{"customers":[{"flow_status":"x","flow_status":"active","ledger_balance":1,"ledger_balance":"x"}],"total":1}}`
	row := newRig(t, nil, func(o *apiclient.Options) { o.Transport = answering(body) }).page().Rows[0]
	if row.Status != onboarding.Active || row.Broken[apiclient.FieldFlowStatus] || !row.Broken[apiclient.FieldLedger] || row.Ledger.Known {
		t.Errorf("%+v", row)
	}
}

func TestBalancesIncluded(t *testing.T) {
	for _, c := range []struct {
		asked      bool
		says, want string
	}{
		{true, `"balances_included":true,`, "true"},
		{true, ``, "true"},
		{true, `"balances_included":"maybe",`, "true"},
		{true, `"balances_included":false,`, "false"},
		{false, `"balances_included":true,`, "false"},
		{false, `"balances_included":false,`, "false"},
	} {
		body := `{"success":true,"data":{` + c.says + `"customers":[],"total":0}}`
		r := newRig(t, nil, func(o *apiclient.Options) { o.Transport = answering(body) })
		page, err := r.Page(context.Background(), 1, c.asked)
		if err != nil || fmt.Sprint(page.Balances) != c.want {
			t.Errorf("asked %t, %s: %+v, %v", c.asked, c.says, page, err)
		}
	}
}

// However much an answer holds, little of it is kept.
func TestHugeAnswersAreCapped(t *testing.T) {
	const mib = 1 << 20
	for name, fault := range map[string]sandbox.Fault{
		"spaces":            sandbox.HugeBody(64 * mib),
		"one string":        huge(`{"success":true,"data":{"customers":[{"email":"`, "x"),
		"one number":        huge(`{"success":true,"data":{"customers":[{"ledger_balance":1`, "0"),
		"empty rows":        huge(`{"success":true,"data":{"customers":[0`, ",{}"),
		"members":           huge(`{"success":true,"data":{"customers":[{"a":0`, `,"a":{}`),
		"name":              huge(`{"`, `n`),
		"total":             huge(`{"success":true,"data":{"total":1`, `1`),
		"nested in a field": huge(`{"success":true,"data":{"customers":[{"created_at":[0`, `,[0]`),
		"after the answer":  huge(`{"success":true,"data":{"customers":[],"total":0}}`, " "),
	} {
		t.Run(name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{})
			api.InjectFault(fault.On(sandbox.CustomersEndpoint))
			r := newRig(t, api, patient)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r.fails(apiclient.ReasonBadResponse)
			runtime.ReadMemStats(&after)
			if grown := (after.TotalAlloc - before.TotalAlloc) / mib; grown > 48 {
				t.Errorf("%d MiB were allocated for one answer", grown)
			}
		})
	}
}

// patient lets a busy machine take its time over what is much, or real.
func patient(o *apiclient.Options) { o.Timeout = 5 * time.Minute }

// huge answers with a beginning and then with one part over and over.
func huge(begin, part string) sandbox.Fault {
	block := []byte(strings.Repeat(part, 1<<15/len(part)))
	return sandbox.Fault{Handle: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		_, err := w.Write([]byte(begin))
		for sent := 0; err == nil && sent < 64<<20; sent += len(block) {
			_, err = w.Write(block)
		}
	}}
}

// Every page that a healthy sandbox serves decodes without a broken field.
func TestHealthyPopulationHasNothingBroken(t *testing.T) {
	api := sandbox.New(sandbox.Options{Seed: 1, Customers: 500})
	pages, err := newRig(t, api, nil).walk(true)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, p := range pages {
		rows += len(p.Rows)
		if i := slices.IndexFunc(p.Rows, func(r apiclient.Row) bool { return r.Broken != none }); i >= 0 {
			t.Errorf("page %d, row %d: %+v", p.Number, i, p.Rows[i])
		}
	}
	if rows != 500 {
		t.Errorf("%d rows, want 500", rows)
	}
}

// Names of fields and reasons are label values: they are fixed.
func TestLabelValues(t *testing.T) {
	var fields, reasons, freshnesses []string
	for f := range apiclient.NumFields {
		fields = append(fields, f.String())
		if f.OfBalance() != (f >= apiclient.FieldCurrency) {
			t.Errorf("%s: OfBalance is %t", f, f.OfBalance())
		}
	}
	for _, r := range apiclient.Reasons() {
		reasons = append(reasons, string(r))
	}
	for f := range apiclient.NumFreshness {
		freshnesses = append(freshnesses, f.String())
	}
	for _, diff := range []string{
		cmp.Diff([]string{"customer_id", "flow_status", "safe_deployed", "cards_count", "created_at", "currency", "ledger_balance", "available_balance", "pending_balance", "balance_freshness"}, fields),
		cmp.Diff([]string{"auth", "forbidden", "rate_limited", "breaker_open", "timeout", "network", "server", "bad_response", "incomplete", "client"}, reasons),
		cmp.Diff([]string{"unknown", "realtime", "on_chain"}, freshnesses),
	} {
		if diff != "" {
			t.Error(diff)
		}
	}
}

// A drip that outlasts the timeout is a timeout, a connection broken in the
// middle is the network's, a body cut short is the answer's.
func TestHowABodyEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault sandbox.Fault
		want  apiclient.Reason
	}{
		{"drip", sandbox.Drip(1, time.Second), apiclient.ReasonTimeout},
		{"reset", sandbox.ResetMidBody(), apiclient.ReasonNetwork},
		{"cut short", sandbox.Truncate(), apiclient.ReasonBadResponse},
		{"web page", sandbox.HTML(), apiclient.ReasonBadResponse},
		{"success false", sandbox.SuccessFalse(), apiclient.ReasonBadResponse},
		{"nested", sandbox.DeepNesting(50_000), apiclient.ReasonBadResponse},
		{"nothing", sandbox.Hang(), apiclient.ReasonTimeout},
		{"closed", sandbox.Refuse(), apiclient.ReasonNetwork},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Customers: 3})
				api.InjectFault(c.fault.On(sandbox.CustomersEndpoint))
				newRig(t, api, nil).fails(c.want)
			})
		})
	}
}
