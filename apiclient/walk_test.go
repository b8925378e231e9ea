package apiclient_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

func TestWalkReadsEverybodyInOrder(t *testing.T) {
	for _, c := range []struct {
		name                         string
		customers, pageSize, cap     int
		fault                        *sandbox.Fault
		wantPages, wantLimit, atMost int // atMost: requests, if they are more than the pages
	}{
		{name: "nobody", customers: 0, pageSize: 100, wantPages: 1, wantLimit: 100},
		{name: "one page", customers: 87, pageSize: 100, wantPages: 1, wantLimit: 100},
		{name: "exactly one page", customers: 100, pageSize: 100, wantPages: 1, wantLimit: 100, atMost: 2},
		{name: "one more", customers: 101, pageSize: 100, wantPages: 2, wantLimit: 100},
		{name: "many", customers: 1234, pageSize: 100, wantPages: 13, wantLimit: 100},
		{name: "small pages", customers: 30, pageSize: 1, wantPages: 30, wantLimit: 1, atMost: 31},
		{name: "capped to 20", customers: 1234, pageSize: 100, cap: 20, wantPages: 62, wantLimit: 20},
		{name: "limit ignored", customers: 1234, pageSize: 100, fault: new(sandbox.IgnoreLimit()), wantPages: 62, wantLimit: 20},
		{name: "limit ignored and larger", customers: 19, pageSize: 10, fault: new(sandbox.IgnoreLimit()), wantPages: 1, wantLimit: 20},
		{name: "limit capped but not said", customers: 130, pageSize: 100, cap: 20, fault: new(saidLimit("100")), wantPages: 7, wantLimit: 100},
		{name: "limit left out", customers: 130, pageSize: 100, cap: 20, fault: new(saidLimit("null")), wantPages: 7, wantLimit: 0},
		{name: "limit lies low", customers: 130, pageSize: 100, fault: new(saidLimit("1")), wantPages: 3, wantLimit: 1, atMost: 10},
		{name: "limit negative", customers: 130, pageSize: 100, fault: new(saidLimit("-7")), wantPages: 2, wantLimit: 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Seed: 1, Customers: c.customers, PageCap: c.cap, Quota: -1})
			if c.fault != nil {
				api.InjectFault(*c.fault)
			}
			r := newRig(t, api, func(o *apiclient.Options) { o.PageSize = c.pageSize })
			pages, err := r.walk(true)
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for i, p := range pages {
				if p.Number != i+1 || p.Limit != c.wantLimit || p.Total != c.customers {
					t.Errorf("page %d is number %d, limit %d, total %d", i+1, p.Number, p.Limit, p.Total)
				}
				for _, row := range p.Rows {
					got = append(got, row.ID)
				}
			}
			for _, customer := range api.Customers() {
				want = append(want, customer.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d rows, want the %d customers in their order", len(got), len(want))
			}
			if len(pages) != c.wantPages {
				t.Errorf("%d pages, want %d", len(pages), c.wantPages)
			}
			if arrived := r.arrived(sandbox.CustomersEndpoint); arrived > max(c.wantPages, c.atMost) {
				t.Errorf("%d requests, want %d", arrived, c.wantPages)
			}
			if c.wantPages > 1 {
				return
			}
			if first := pages[0]; r.WalkRequests(first) != max(c.wantPages, c.atMost) {
				t.Errorf("a walk is said to take %d requests", r.WalkRequests(first))
			}
		})
	}
}

// saidLimit replaces the limit that pages name.
func saidLimit(raw string) sandbox.Fault {
	return sandbox.RewriteBody(func(body []byte) []byte { return replaceLast(body, "limit", raw) }).On(sandbox.CustomersEndpoint)
}

func replaceLast(body []byte, name, raw string) []byte {
	key := fmt.Sprintf("%q:", name)
	text := string(body)
	for i := len(text) - len(key); i >= 0; i-- {
		if text[i:i+len(key)] != key {
			continue
		}
		end := i + len(key)
		for end < len(text) && text[end] != ',' && text[end] != '}' {
			end++
		}
		return []byte(text[:i+len(key)] + raw + text[end:])
	}
	return body
}

// However the API lies, a walk ends, after few requests.
func TestWalkIsBounded(t *testing.T) {
	const customers = 1000 // ten pages
	for _, c := range []struct {
		name   string
		faults []sandbox.Fault
		atMost int // customers requests: the true pages and what was asked for ahead
	}{
		{"total 0", []sandbox.Fault{total(func(int, int64) string { return "0" })}, 1},
		{"total 1", []sandbox.Fault{total(func(int, int64) string { return "1" })}, 1},
		{"total far too large", []sandbox.Fault{total(func(int, int64) string { return "9999999" })}, 10 + 8},
		{"total grows for ever", []sandbox.Fault{total(func(page int, _ int64) string { return fmt.Sprint(1000 * (page + 1)) })}, 10 + 8},
		{"total shrinks", []sandbox.Fault{total(func(page int, _ int64) string { return fmt.Sprint(max(0, 1000-100*page)) })}, 10},
		{"an empty page in the middle", []sandbox.Fault{sandbox.EmptyPage(4)}, 10},
		{"an empty first page", []sandbox.Fault{sandbox.EmptyPage(1)}, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Seed: 1, Customers: customers, Quota: -1})
				for _, f := range c.faults {
					api.InjectFault(f)
				}
				r := newRig(t, api, nil)
				if _, err := r.walk(true); err != nil {
					t.Error(err)
				}
				if got := r.arrived(sandbox.CustomersEndpoint); got > c.atMost {
					t.Errorf("%d requests, want at most %d", got, c.atMost)
				}
			})
		})
	}
	for name, lie := range map[string]string{"total negative": "-1", "total absurd": "1000000000000", "no total": ""} {
		t.Run(name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Seed: 1, Customers: customers, Quota: -1})
			api.InjectFault(total(func(int, int64) string { return lie }))
			r := newRig(t, api, nil)
			if _, err := r.walk(true); apiclient.ReasonOf(err) != apiclient.ReasonBadResponse {
				t.Errorf("error %v", err)
			}
			if got := r.arrived(sandbox.CustomersEndpoint); got != 1 {
				t.Errorf("%d requests, want 1", got)
			}
		})
	}
}

func total(of func(page int, truth int64) string) sandbox.Fault { return sandbox.Total(of) }

func TestConcurrencyIsLimitedAndUsed(t *testing.T) {
	for _, limit := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Customers: 20_000, Quota: -1})
				var inFlight atomic.Int64
				var peak sync.Mutex
				var most int64
				api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
					now := inFlight.Add(1)
					peak.Lock()
					most = max(most, now)
					peak.Unlock()
					wait(50 * time.Millisecond)
					next.ServeHTTP(w, q)
					inFlight.Add(-1)
				}})
				r := newRig(t, api, func(o *apiclient.Options) { o.MaxConcurrency = limit })
				start := time.Now()
				if pages, err := r.walk(false); err != nil || len(pages) != 200 {
					t.Fatalf("%d pages, %v", len(pages), err)
				}
				if got := most; got != int64(limit) {
					t.Errorf("%d requests at once, want %d", got, limit)
				}
				ideal := time.Duration(1+(199+limit-1)/limit) * 50 * time.Millisecond
				if took := time.Since(start); took > ideal*100/95 {
					t.Errorf("the walk took %s, the ideal is %s", took, ideal)
				}
			})
		})
	}
}

// Whoever stops ranging ends every request under way; synctest fails a test
// that leaves a goroutine behind.
func TestWalkLeavesNothingBehind(t *testing.T) {
	for name, stop := range map[string]func(page *apiclient.Page) bool{
		"after the first page": func(*apiclient.Page) bool { return true },
		"in the middle":        func(p *apiclient.Page) bool { return p.Number == 5 },
		"never":                func(*apiclient.Page) bool { return false },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Customers: 5000, Quota: -1})
				api.InjectFault(sandbox.Hang().On(sandbox.CustomersEndpoint).When(sandbox.OnPage(7)))
				r := newRig(t, api, nil)
				start := time.Now()
				failed := false
				for page, err := range r.Walk(context.Background(), apiclient.WalkOptions{}) {
					if failed = err != nil; !failed && stop(page) {
						break
					}
				}
				if took := time.Since(start); !failed && took > 0 {
					t.Errorf("it took %s to stop", took)
				}
				if failed != (name == "never") {
					t.Errorf("failed is %t", failed)
				}
			})
		})
	}
}

func TestWalkCanBeRangedAgain(t *testing.T) {
	api := sandbox.New(sandbox.Options{Customers: 250, Quota: -1})
	walk := newRig(t, api, nil).Walk(context.Background(), apiclient.WalkOptions{})
	for range 2 {
		n := 0
		for page, err := range walk {
			if err != nil {
				t.Fatal(err)
			}
			n += len(page.Rows)
		}
		if n != 250 {
			t.Errorf("%d rows, want 250", n)
		}
	}
}

func TestCanceledWalkEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 5000, Quota: -1, Latency: time.Second})
		r := newRig(t, api, func(o *apiclient.Options) { o.RateLimit = 10 })
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(10*time.Second, cancel) // while pages wait for the own limit
		start := time.Now()
		var last error
		for _, err := range r.Walk(ctx, apiclient.WalkOptions{}) {
			last = err
		}
		if last == nil || ctx.Err() == nil || time.Since(start) != 10*time.Second {
			t.Errorf("the walk ended with %v after %s", last, time.Since(start))
		}
	})
}

// What goes wrong once is repeated, with waits that grow; what will not change
// is not.
func TestRepeats(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault sandbox.Fault
		tries int
	}{
		{"408", sandbox.Status(408), 4},
		{"500", sandbox.Status(500), 4},
		{"502", sandbox.Status(502), 4},
		{"503", sandbox.Status(503), 4},
		{"504", sandbox.Status(504), 4},
		{"429", sandbox.Status(429), 4},
		{"hang", sandbox.Hang(), 4},
		{"closed", sandbox.Refuse(), 4},
		{"reset", sandbox.ResetMidBody(), 4},
		{"400", sandbox.Status(400), 1},
		{"403", sandbox.Status(403), 1},
		{"404", sandbox.Status(404), 1},
		{"409", sandbox.Status(409), 1},
		{"422", sandbox.Status(422), 1},
		{"web page", sandbox.HTML(), 1},
		{"truncated", sandbox.Truncate(), 1},
	} {
		for _, endpoint := range []sandbox.Endpoint{sandbox.CustomersEndpoint, sandbox.TokenEndpoint} {
			t.Run(c.name+" "+string(endpoint), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := sandbox.New(sandbox.Options{Customers: 3, Quota: -1})
					r := newRig(t, api, nil)
					api.InjectFault(c.fault.On(endpoint))
					if _, err := r.Page(context.Background(), 1, true); err == nil {
						t.Fatal("no error")
					}
					if got := r.arrived(endpoint); got != c.tries {
						t.Errorf("%d tries, want %d", got, c.tries)
					}
					if c.name == "hang" || c.tries == 1 {
						return
					}
					var at []time.Time
					for _, q := range api.Requests() {
						if q.Endpoint == endpoint {
							at = append(at, q.Time)
						}
					}
					for i, usual := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second} {
						if gap := at[i+1].Sub(at[i]); gap < usual/2 || gap > usual*3/2 {
							t.Errorf("wait %d was %s, want about %s", i+1, gap, usual)
						}
					}
				})
			})
		}
	}
}

// The request says what the API's reference asks for, and nothing else.
func TestRequests(t *testing.T) {
	var requests []*http.Request
	r := newRig(t, nil, func(o *apiclient.Options) {
		o.BaseURL, o.TokenPath, o.PageSize = parse(t, "https://api.test/v9/"), "auth/token", 37
		o.Transport = roundTrip(func(q *http.Request) (*http.Response, error) {
			requests = append(requests, q)
			return answering(`{"data":{"customers":[],"total":0}}`)(q)
		})
	})
	if _, err := r.Page(context.Background(), 3, false); err != nil {
		t.Fatal(err)
	}
	if len(requests) != 2 {
		t.Fatalf("%d requests", len(requests))
	}
	mint, page := requests[0], requests[1]
	if mint.Method != http.MethodPost || mint.URL.String() != "https://api.test/v9/auth/token" || mint.Header.Get("Authorization") != "" || mint.Header.Get("Content-Type") != "application/json" {
		t.Errorf("mint: %s %s %v", mint.Method, mint.URL, mint.Header)
	}
	want := url.Values{"page": {"3"}, "limit": {"37"}, "include_balances": {"false"}}
	if page.Method != http.MethodGet || page.URL.Path != "/v9/card-issuer/customers" || page.URL.Query().Encode() != want.Encode() ||
		page.Header.Get("Authorization") != "Bearer t" || page.Header.Get("User-Agent") != "test" {
		t.Errorf("page: %s %s %v", page.Method, page.URL, page.Header)
	}
}
