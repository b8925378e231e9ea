package apiclient_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

// Gateways tell a quota in forms of their own. Each is understood, down to the
// moment of its reset, or said not to be, once.
func TestQuotaForms(t *testing.T) {
	reset := time.Date(2026, 1, 21, 21, 35, 32, 0, time.UTC)
	for _, c := range []struct {
		headers       []string
		limit, left   int // 0 of 0 if unknown
		reset         bool
		notUnderstood bool
	}{
		{headers: []string{"X-RateLimit-Limit", "60, 60;w=60", "X-RateLimit-Remaining", "59"}, limit: 60, left: 59},
		{headers: []string{"X-RateLimit-Limit", "60;w=60", "X-RateLimit-Remaining", "59, 59;w=60"}, limit: 60, left: 59},
		{headers: []string{"X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "7", "X-RateLimit-Reset", fmt.Sprint(reset.Unix())}, limit: 60, left: 7, reset: true},
		{headers: []string{"X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "7", "X-RateLimit-Reset", fmt.Sprint(reset.UnixMilli())}, limit: 60, left: 7, reset: true},
		{headers: []string{"X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "7", "X-RateLimit-Reset", "42"}, limit: 60, left: 7, reset: true},
		{headers: []string{"X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "7", "X-RateLimit-Reset", reset.Format(time.RFC3339)}, limit: 60, left: 7, reset: true},
		{headers: []string{"X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "7", "X-RateLimit-Reset", "2026-01-21T23:35:32.000+02:00"}, limit: 60, left: 7, reset: true},
		{headers: []string{"X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "7", "X-RateLimit-Reset", reset.Format(http.TimeFormat)}, limit: 60, left: 7, reset: true},
		{headers: []string{"X-Rate-Limit-Limit", "60", "X-Rate-Limit-Remaining", "7", "X-Rate-Limit-Reset", "42"}, limit: 60, left: 7, reset: true},
		{headers: []string{"RateLimit-Limit", "60", "RateLimit-Remaining", "7", "RateLimit-Reset", "42"}, limit: 60, left: 7, reset: true},
		{headers: []string{"RateLimit", "limit=60, remaining=7, reset=42"}, limit: 60, left: 7, reset: true},
		{headers: []string{"RateLimit", `"default";r=7;t=42`, "RateLimit-Policy", `"default";q=60;w=60`}, limit: 60, left: 7, reset: true},
		{headers: []string{"RateLimit", `"default";r=7;t=42`}, notUnderstood: true, reset: true},
		{headers: []string{"X-RateLimit-Limit", "sixty", "X-RateLimit-Remaining", "7"}, notUnderstood: true},
		{headers: []string{"X-RateLimit-Limit", "6_0", "X-RateLimit-Remaining", "7"}, notUnderstood: true},
		{headers: []string{"X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "7", "X-RateLimit-Reset", "soon"}, limit: 60, left: 7, notUnderstood: true},
		{headers: []string{"X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "7", "X-RateLimit-Reset", "1e300"}, limit: 60, left: 7, notUnderstood: true},
		{headers: []string{"X-RateLimit-Limit", "60"}, notUnderstood: true},
		{headers: []string{"X-RateLimit-Limit-Minute", "60", "X-RateLimit-Remaining-Minute", "7"}, notUnderstood: true},
		{headers: []string{"RateLimit-Policy", `"default";w=60`}, notUnderstood: true},
		{},
	} {
		t.Run(strings.Join(c.headers, " "), func(t *testing.T) {
			r := newRig(t, nil, func(o *apiclient.Options) {
				o.AccessToken, o.RateReserve = apiclient.SecretValue("t"), 0
				o.Transport = roundTrip(func(q *http.Request) (*http.Response, error) {
					date := []string{"Date", reset.Add(-42 * time.Second).Format(http.TimeFormat)}
					return answer(q, http.StatusOK, `{"data":{"customers":[],"total":0}}`, append(date, c.headers...)...), nil
				})
			})
			r.page()
			r.page()
			limit, remaining, _, known := r.Quota()
			if limit != c.limit || remaining != c.left || known != (c.limit > 0) {
				t.Errorf("quota is %d of %d, known %t, want %d of %d", remaining, limit, known, c.left, c.limit)
			}
			const name = "yativo_api_rate_limit_reset_timestamp_seconds"
			switch {
			case c.reset && c.limit > 0:
				if got := r.value(name); got != float64(reset.Unix()) {
					t.Errorf("the reset is %v, want %v", got, reset.Unix())
				}
			case r.find(name) != nil:
				t.Errorf("the reset is %v, want none", r.value(name))
			}
			said := strings.Count(r.log.String(), "headers that are not understood")
			if want := map[bool]int{true: 1}[c.notUnderstood]; said != want {
				t.Errorf("it is said %d times that the headers are not understood, want %d", said, want)
			}
		})
	}
}

// However many requests are in flight and in whatever order their answers come,
// the reserve is left to production, and all above it is used.
func TestReserveHoldsWithAnswersOutOfOrder(t *testing.T) {
	for _, c := range []struct{ quota, concurrency, sent int }{{60, 4, 30}, {120, 64, 60}, {600, 8, 300}, {60, 64, 30}} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(c.quota, c.concurrency, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(seed, 2))
					api := sandbox.New(sandbox.Options{Customers: 100_000, Quota: c.quota})
					delays := make(chan time.Duration, 10_000)
					for range cap(delays) {
						delays <- time.Duration(random.Int64N(int64(200 * time.Millisecond)))
					}
					late := roundTrip(func(q *http.Request) (*http.Response, error) {
						wait(<-delays)
						resp, err := api.Transport().RoundTrip(q)
						wait(<-delays) // the answer's way back
						return resp, err
					})
					r := newRig(t, api, func(o *apiclient.Options) { o.MaxConcurrency, o.Transport = c.concurrency, late })
					ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
					defer cancel()
					for _, err := range r.Walk(ctx, apiclient.WalkOptions{}) {
						_ = err // it ends with the time
					}
					if got := len(api.Requests()); got != c.sent {
						t.Errorf("%d requests of a quota of %d, want %d", got, c.quota, c.sent)
					}
				})
			})
		}
	}
}

// A request that gets no answer may have been counted all the same.
func TestUnansweredRequestsCountAgainstTheReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 100_000, Quota: 60})
		lossy := roundTrip(func(q *http.Request) (*http.Response, error) {
			// What the walk gives up has been sent: it is counted before its
			// request ends, and not at some time after.
			resp, err := api.Transport().RoundTrip(q.WithContext(context.WithoutCancel(q.Context())))
			if err == nil && !sandbox.OnPage(1)(q) && strings.HasSuffix(q.URL.Path, "customers") {
				_ = resp.Body.Close()
				return nil, io.ErrUnexpectedEOF
			}
			return resp, err
		})
		r := newRig(t, api, func(o *apiclient.Options) { o.MaxConcurrency, o.Transport = 16, lossy })
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
		defer cancel()
		for ctx.Err() == nil {
			for _, err := range r.Walk(ctx, apiclient.WalkOptions{}) {
				_ = err // every answer but the first is lost
			}
		}
		if got := len(api.Requests()); got > 30 {
			t.Errorf("%d requests of a quota of 60, want 30", got)
		}
	})
}

// A request that is in flight for longer than the window is not forgotten.
func TestOwnLimitCountsWhatIsStillInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 10_000, Quota: -1})
		slow := roundTrip(func(q *http.Request) (*http.Response, error) {
			if strings.HasSuffix(q.URL.Path, "customers") && !sandbox.OnPage(1)(q) {
				wait(90 * time.Second) // before the API counts it
			}
			return api.Transport().RoundTrip(q)
		})
		const limit = 4
		r := newRig(t, api, func(o *apiclient.Options) {
			o.Timeout, o.RateLimit, o.MaxConcurrency, o.Transport = 2*time.Minute, limit, 16, slow
		})
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		for _, err := range r.Walk(ctx, apiclient.WalkOptions{}) {
			_ = err // it ends with the time
		}
		requests := api.Requests()
		if got := sandbox.BusiestMinute(requests); got > limit {
			t.Errorf("%d requests in a minute, the limit is %d", got, limit)
		}
		if len(requests) < 12 {
			t.Errorf("only %d requests in ten minutes", len(requests))
		}
	})
}
