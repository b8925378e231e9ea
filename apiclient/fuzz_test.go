package apiclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
)

// fuzzed is a client in front of one answer.
func fuzzed(t *testing.T, transport roundTrip) *rig {
	t.Helper()
	return newRig(t, nil, func(o *apiclient.Options) { o.Transport = transport })
}

// wantTyped checks that an error names its operation and says nothing but the
// client's own words.
func wantTyped(t *testing.T, err error, reason apiclient.Reason) {
	t.Helper()
	var typed *apiclient.Error
	if !errors.As(err, &typed) || typed.Op == "" || typed.Detail == "" || typed.Reason != reason {
		t.Errorf("error %#v, want one of reason %s", err, reason)
	}
}

// A page decodes or fails as a broken answer; what it decodes to keeps the
// promises of its types.
func FuzzCustomersPage(f *testing.F) {
	f.Add([]byte(`{"success":true,"data":{"customers":[{"customer_id":"a","flow_status":"active","safe_deployed":true,"currency":"USD","ledger_balance":45.23,"available_balance":38.50,"pending_balance":6.73,"balance_freshness":"realtime","cards_count":1,"created_at":"2026-04-20T08:00:00.000Z"}],"total":87,"page":1,"limit":20,"balances_included":true}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := fuzzed(t, answering(string(body)))
		page, err := r.Page(context.Background(), 1, true)
		if err != nil {
			wantTyped(t, err, apiclient.ReasonBadResponse)
			return
		}
		if page.Total < 0 || page.Limit < 0 || page.Number != 1 {
			t.Errorf("page %d, total %d, limit %d", page.Number, page.Total, page.Limit)
		}
		if n := r.WalkRequests(page); n < 1 {
			t.Errorf("a walk takes %d requests", n)
		}
		for i := range page.Rows {
			row := &page.Rows[i]
			if row.Status >= onboarding.NumStatuses || row.Cards < 0 || len(row.ID) > 256 || len(row.ExternalID) > 256 ||
				(row.ID == "") != row.Broken[apiclient.FieldCustomerID] || !row.CreatedAt.IsZero() && row.CreatedAt.Year() < 1999 {
				t.Errorf("row %+v", row)
			}
			for _, a := range []*apiclient.Amount{&row.Ledger, &row.Available, &row.Pending} {
				if value, err := a.Value.Float64(); err != nil || value > 1e24 || value < -1e24 || value != value || !a.Known && !a.Value.IsZero() {
					t.Errorf("amount %+v", a)
				}
			}
			if c := row.Currency; c != "" && (len(c) < 3 || len(c) > 5 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
				t.Errorf("currency %q", c)
			}
		}
		// Whatever decodes here is JSON to the standard library too, but for
		// what it is stricter about: invalid numbers it has none, and depth.
		if !json.Valid(body) {
			t.Errorf("not JSON, yet decoded: %q", body)
		}
	})
}

// A token is one that a header can carry, and lives from a second to a day.
func FuzzTokenAnswer(f *testing.F) {
	f.Add([]byte(`{"success":true,"access_token":"eyJ","token_type":"Bearer","expires_in":3600,"expires_at":"2026-03-28T11:00:00.000Z","scopes":["read"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		sent := ""
		r := fuzzed(t, func(q *http.Request) (*http.Response, error) {
			if strings.HasSuffix(q.URL.Path, "/auth/token") {
				return answer(q, http.StatusOK, string(body)), nil
			}
			sent = q.Header.Get("Authorization")
			return answer(q, http.StatusOK, `{"data":{"customers":[],"total":0}}`), nil
		})
		before := time.Now()
		if _, err := r.Page(context.Background(), 1, true); err != nil {
			wantTyped(t, err, apiclient.ReasonBadResponse)
			if sent != "" {
				t.Errorf("a broken answer was used: %q", sent)
			}
			return
		}
		token, ok := strings.CutPrefix(sent, "Bearer ")
		if !ok || token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("the token is %q", token)
		}
		expiry := time.Unix(int64(r.value("yativo_api_token_expiry_timestamp_seconds")), 0)
		if life := expiry.Sub(before); life < -time.Second || life > 24*time.Hour+time.Minute {
			t.Errorf("it lives for %s", life)
		}
	})
}

// Whatever the body and headers of a 429 say, the repeat comes within five
// minutes and the error within the bounds of four tries.
func FuzzErrorAnswer(f *testing.F) {
	f.Add([]byte(`{"error":"rate_limit_exceeded","message":"Too many requests.","retry_after":12}`), "", "", "")
	f.Add([]byte(`{"retry_after":1e308}`), "31536000", "1769031332", "Sat, 01 Jan 2000 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, body []byte, retryAfter, reset, date string) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil, func(o *apiclient.Options) {
				o.AccessToken = apiclient.SecretValue("t")
				o.Transport = roundTrip(func(q *http.Request) (*http.Response, error) {
					return answer(q, http.StatusTooManyRequests, string(body), "Retry-After", retryAfter, "X-RateLimit-Reset", reset,
						"X-RateLimit-Limit", "10", "X-RateLimit-Remaining", "0", "Date", date), nil
				})
			})
			for range 3 {
				start := time.Now()
				_, err := r.Page(context.Background(), 1, true)
				wantTyped(t, err, apiclient.ReasonRateLimited)
				if took := time.Since(start); took > 5*time.Minute+4*time.Minute {
					t.Errorf("it took %s", took)
				}
			}
		})
	})
}
