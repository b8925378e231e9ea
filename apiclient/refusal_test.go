package apiclient_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

// Only the API itself can say that the key is at fault: a CDN's page cannot, and
// neither does a refusal that asks to wait. The wait is kept.
func TestWhoRefuses(t *testing.T) {
	const page = "<html><h1>Access denied</h1>" + marker
	for _, c := range []struct {
		name   string
		code   int
		body   string
		wait   string // Retry-After
		reason apiclient.Reason
		want   string
	}{
		{"the API's error", 403, `{"error":"forbidden","message":"No."}`, "", apiclient.ReasonForbidden, "lacks a permission"},
		{"the API's message", 403, ` {"status":"error","message":"No."}`, "", apiclient.ReasonForbidden, "lacks a permission"},
		{"the API's success", 403, `{"success":false}`, "", apiclient.ReasonForbidden, "lacks a permission"},
		{"asks to wait", 403, `{"error":"forbidden"}`, "20", apiclient.ReasonRateLimited, "asks to wait"},
		{"asks to wait in the body", 403, `{"error":"forbidden","retry_after":20}`, "", apiclient.ReasonRateLimited, "asks to wait"},
		{"a page that asks to wait", 403, page, "20", apiclient.ReasonRateLimited, "asks to wait"},
		{"a page", 403, page, "", apiclient.ReasonBadResponse, "not in its own form"},
		{"text", 403, "Forbidden", "", apiclient.ReasonBadResponse, "not in its own form"},
		{"nothing", 403, "", "", apiclient.ReasonBadResponse, "not in its own form"},
		{"another API's JSON", 403, `{"cf_ray":"x"}`, "", apiclient.ReasonBadResponse, "not in its own form"},
		{"a gateway's message", 403, `{"message":"Forbidden"}`, "", apiclient.ReasonBadResponse, "not in its own form"},
		{"a gateway's problem", 403, `{"status":403,"title":"Access denied"}`, "", apiclient.ReasonBadResponse, "not in its own form"},
		{"401, a message", 401, `{"message":"Unauthenticated."}`, "", apiclient.ReasonAuth, "credentials are refused"},
		{"a list", 403, `["error"]`, "", apiclient.ReasonBadResponse, "not in its own form"},
		{"401, the API's error", 401, `{"error":"unauthorized"}`, "", apiclient.ReasonAuth, "credentials are refused"},
		{"401, nothing", 401, "", "", apiclient.ReasonAuth, "credentials are refused"},
		{"401, a page", 401, page, "", apiclient.ReasonBadResponse, "not in its own form"},
		{"500 that asks to wait", 500, page, "20", apiclient.ReasonServer, "answered 500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Customers: 3, Quota: -1})
				r := newRig(t, api, func(o *apiclient.Options) { o.RefreshInterval = 10 * time.Second })
				r.page()
				remove := api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
					if c.wait != "" {
						w.Header().Set("Retry-After", c.wait)
					}
					w.WriteHeader(c.code)
					_, _ = w.Write([]byte(c.body))
				}})
				start := time.Now()
				_, err := r.Page(context.Background(), 1, true)
				if got := apiclient.ReasonOf(err); got != c.reason || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), marker) {
					t.Errorf("reason %s, want %s: %v", got, c.reason, err)
				}
				remove()
				r.page()
				want := time.Duration(0)
				if c.wait != "" || strings.Contains(c.body, "retry_after") {
					want = 20 * time.Second
				}
				if took := time.Since(start); took != want {
					t.Errorf("the next request went out after %s, want %s", took, want)
				}
			})
		})
	}
}
