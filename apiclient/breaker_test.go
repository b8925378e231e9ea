package apiclient_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

func breakerAfter(failures uint32) func(*apiclient.Options) {
	return func(o *apiclient.Options) { o.BreakerFailures = failures }
}

func TestBreakerOpensProbesAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 250})
		r := newRig(t, api, breakerAfter(5))
		r.page()
		r.wantBreaker("closed")
		remove := api.InjectFault(sandbox.Status(http.StatusInternalServerError).On(sandbox.CustomersEndpoint))
		api.ResetRequests()

		r.fails(apiclient.ReasonServer) // four tries
		r.wantBreaker("closed")
		if got := r.value("yativo_api_retries_total", "reason", "server"); got != 3 {
			t.Errorf("%v repeats, want 3", got)
		}
		r.fails(apiclient.ReasonServer) // the fifth opens it and is not repeated
		r.wantBreaker("open")
		if got := r.arrived(sandbox.CustomersEndpoint); got != 5 {
			t.Errorf("%d requests opened the breaker, want 5", got)
		}

		for range 10 {
			start := time.Now()
			if err := r.failure(apiclient.ReasonBreakerOpen); !strings.Contains(err.Error(), "the API answered 500") {
				t.Errorf("%v does not name what opened the breaker", err)
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("an open breaker took %s to say so", took)
			}
		}
		if got := r.arrived(sandbox.Any) + r.arrived(sandbox.CustomersEndpoint); got != 5 {
			t.Errorf("%d requests passed an open breaker", got-5)
		}
		if got := r.value("yativo_api_circuit_breaker_rejections_total"); got != 10 {
			t.Errorf("%v rejections, want 10", got)
		}

		wait(30*time.Second + time.Millisecond)
		if _, err := r.walk(false); apiclient.ReasonOf(err) != apiclient.ReasonServer {
			t.Errorf("the failed probe is %v", err)
		}
		r.wantBreaker("open")
		if got := r.arrived(sandbox.CustomersEndpoint); got != 6 {
			t.Errorf("%d requests probed, want 1", got-5)
		}

		remove()
		wait(30*time.Second + time.Millisecond)
		if pages, err := r.walk(false); err != nil || len(pages) != 3 {
			t.Errorf("after the cure: %d pages, %v", len(pages), err)
		}
		r.wantBreaker("closed")
		for to, want := range map[string]float64{"open": 2, "half_open": 2, "closed": 1} {
			if got := r.value("yativo_api_circuit_breaker_transitions_total", "to", to); got != want {
				t.Errorf("%v transitions to %s, want %v", got, to, want)
			}
		}
	})
}

// With a probe in flight, everything else is turned away.
func TestProbeIsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 1000})
		r := newRig(t, api, breakerAfter(1))
		remove := api.InjectFault(sandbox.Status(500).On(sandbox.CustomersEndpoint))
		r.fails(apiclient.ReasonServer)
		remove()
		api.InjectFault(sandbox.Fault{Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
			wait(5 * time.Second)
			next.ServeHTTP(w, q)
		}})
		wait(31 * time.Second)
		api.ResetRequests()
		for range 20 {
			go func() { _, _ = r.Page(context.Background(), 1, false) }()
		}
		wait(time.Second)
		r.wantBreaker("half_open")
		if got := r.arrived(sandbox.CustomersEndpoint); got != 1 {
			t.Errorf("%d probes at once, want 1", got)
		}
		wait(time.Minute)
		r.wantBreaker("closed")
	})
}

// A dead token makes its mint the probe.
func TestMintIsTheProbeOfADeadToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3, TokenTTL: 10 * time.Second})
		r := newRig(t, api, breakerAfter(1))
		r.page()
		remove := api.InjectFault(sandbox.Status(503))
		r.fails(apiclient.ReasonServer)
		wait(31 * time.Second)
		api.ResetRequests()
		r.fails(apiclient.ReasonServer)
		if c := api.Counters(); c.Arrived[sandbox.TokenEndpoint] != 1 || c.Arrived[sandbox.CustomersEndpoint] != 0 {
			t.Errorf("the probe was %v", c.Arrived)
		}
		r.wantBreaker("open")
		remove()
		wait(31 * time.Second)
		r.page()
		r.wantBreaker("closed")
	})
}

// A page that waits for quota when the breaker opens is not sent when that wait
// is over: the walk has failed, and only page 1 may probe.
func TestWaitingPagesDoNotProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 1000})
		r := newRig(t, api, func(o *apiclient.Options) { o.BreakerFailures, o.RateLimit, o.MaxConcurrency = 1, 4, 8 })
		// Page 2 goes back to wait, if it was sent at all; the others fail.
		api.InjectFault(sandbox.Status(500).On(sandbox.CustomersEndpoint).When(func(q *http.Request) bool { return !sandbox.OnPage(1)(q) }))
		api.InjectFault(sandbox.Status(429).On(sandbox.CustomersEndpoint).When(sandbox.OnPage(2)))
		start := time.Now()
		_, err := r.walk(false)
		if got := apiclient.ReasonOf(err); got != apiclient.ReasonServer {
			t.Errorf("reason %s, want what opened the breaker: %v", got, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("the walk failed only after %s", took)
		}
		if got := r.arrived(sandbox.CustomersEndpoint); got > 3 {
			t.Errorf("%d requests, want page 1 and at most two more", got)
		}
		r.wantBreaker("open")
	})
}

// Repeats wait for half a second, one and two, and half as long more or less by
// chance, so that clients that failed together do not come back together.
func TestRepeatsAreSpread(t *testing.T) {
	for chance, want := range map[float64]time.Duration{0: 1750 * time.Millisecond, 0.5: 3500 * time.Millisecond, 0.75: 4375 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Customers: 3})
			r := newRig(t, api, func(o *apiclient.Options) { o.Random = func() float64 { return chance } })
			r.page()
			api.InjectFault(sandbox.Status(500).On(sandbox.CustomersEndpoint))
			start := time.Now()
			r.fails(apiclient.ReasonServer)
			if took := time.Since(start); took != want {
				t.Errorf("by a chance of %v three repeats took %s, want %s", chance, took, want)
			}
		})
	}
}

// What tells nothing of the service, and what tells that it is up.
func TestBreakerClassification(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault sandbox.Fault
		opens bool
	}{
		{"400", sandbox.Status(400), false},
		{"401", sandbox.Status(401), false},
		{"403", sandbox.Status(403), false},
		{"404", sandbox.Status(404), false},
		{"422", sandbox.Status(422), false},
		{"408", sandbox.Status(408), true},
		{"429", sandbox.Status(429), false},
		{"500", sandbox.Status(500), true},
		{"502", sandbox.Status(502), true},
		{"503", sandbox.Status(503), true},
		{"504", sandbox.Status(504), true},
		{"redirect", sandbox.Redirect(302, "/"), true},
		{"web page", sandbox.HTML(), true},
		{"truncated", sandbox.Truncate(), true},
		{"success false", sandbox.SuccessFalse(), true},
		{"reset", sandbox.ResetMidBody(), true},
		{"closed", sandbox.Refuse(), true},
		{"hang", sandbox.Hang(), true},
	} {
		for _, endpoint := range []sandbox.Endpoint{sandbox.CustomersEndpoint, sandbox.TokenEndpoint} {
			t.Run(c.name+" "+string(endpoint), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := sandbox.New(sandbox.Options{Customers: 3})
					r := newRig(t, api, breakerAfter(3))
					api.InjectFault(c.fault.On(endpoint))
					for range 3 {
						if _, err := r.Page(context.Background(), 1, true); err == nil {
							t.Fatal("no error")
						}
					}
					state := "closed"
					if c.opens {
						state = "open"
					}
					r.wantBreaker(state)
				})
			})
		}
	}
}

// A success, also one that refuses, breaks the row of failures.
func TestOnlyConsecutiveFailuresOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3})
		r := newRig(t, api, breakerAfter(3))
		for range 10 {
			api.InjectFault(sandbox.Status(502).On(sandbox.CustomersEndpoint).First(2))
			r.page()
		}
		r.wantBreaker("closed")
	})
}

func TestCancellationSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3})
		r := newRig(t, api, breakerAfter(1))
		r.page()
		api.InjectFault(sandbox.Hang().On(sandbox.CustomersEndpoint))
		for range 5 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err := r.Page(ctx, 1, true)
			cancel()
			if apiclient.ReasonOf(err) != apiclient.ReasonTimeout {
				t.Errorf("a deadline of the caller's is %v", err)
			}
			ctx, cancel = context.WithCancel(context.Background())
			time.AfterFunc(time.Second, cancel)
			if _, err := r.Page(ctx, 1, true); err == nil {
				t.Error("no error from a canceled call")
			}
		}
		r.wantBreaker("closed")
	})
}

// A 429 as the answer to a probe leaves the breaker half open. It is not
// repeated, since a probe is one request; the next refresh's, after the wait, is
// the next probe.
func TestProbeThatMeetsAQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3})
		r := newRig(t, api, breakerAfter(1))
		remove := api.InjectFault(sandbox.Status(500).On(sandbox.CustomersEndpoint))
		r.fails(apiclient.ReasonServer)
		remove()
		api.InjectFault(sandbox.Status(429, "Retry-After", "7").On(sandbox.CustomersEndpoint).First(2))
		wait(31 * time.Second)
		start := time.Now()
		for range 2 {
			api.ResetRequests()
			r.fails(apiclient.ReasonRateLimited)
			r.wantBreaker("half_open")
			if got := r.arrived(sandbox.CustomersEndpoint); got != 1 {
				t.Errorf("%d requests probed, want 1", got)
			}
		}
		r.page()
		if took := time.Since(start); took != 14*time.Second {
			t.Errorf("two waits of 7 seconds took %s", took)
		}
		r.wantBreaker("closed")
	})
}

// A connection that drops under many requests is one event, however many of
// them fail.
func TestOneEventIsOneFailure(t *testing.T) {
	for _, concurrency := range []int{4, 5, 8, 64} {
		synctest.Test(t, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Customers: 20_000, Quota: -1})
			dropped := make(chan struct{})
			time.AfterFunc(time.Second, func() { close(dropped) })
			r := newRig(t, api, func(o *apiclient.Options) {
				o.BreakerFailures, o.MaxConcurrency = 5, concurrency
				o.Transport = roundTrip(func(q *http.Request) (*http.Response, error) {
					if sandbox.OnPage(1)(q) || time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) > time.Second {
						return api.Transport().RoundTrip(q)
					}
					<-dropped
					return nil, io.ErrUnexpectedEOF
				})
			})
			if pages, err := r.walk(false); err != nil || len(pages) != 200 {
				t.Errorf("with %d in flight: %d pages, %v", concurrency, len(pages), err)
			}
			if got := r.value("yativo_api_circuit_breaker_transitions_total", "to", "open"); got != 0 {
				t.Errorf("with %d in flight one drop opened the breaker", concurrency)
			}
			if got := r.value("yativo_api_retries_total", "reason", "network"); got != float64(concurrency) {
				t.Errorf("%v repeats, want one for each of %d", got, concurrency)
			}
		})
	}
}
