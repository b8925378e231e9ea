package apiclient_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

// Whatever happens, the API never sees more than the limit in a rolling minute.
func TestOwnLimitHoldsWhateverHappens(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				api := sandbox.New(sandbox.Options{
					Seed: seed, Customers: 500 + random.IntN(2000), PageCap: 20 + random.IntN(81), Quota: -1,
					TokenTTL: time.Duration(1+random.IntN(200)) * time.Second,
				})
				limit := 1 + random.IntN(30)
				slowest := []time.Duration{time.Millisecond, time.Second, 20 * time.Second}[random.IntN(3)]
				troubled := random.IntN(2) == 0
				var drawing sync.Mutex
				delay := func() time.Duration {
					drawing.Lock()
					defer drawing.Unlock()
					return time.Duration(random.Int64N(int64(slowest)))
				}
				concurrency := 1 + random.IntN(12)
				api.InjectFault(sandbox.Fault{Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
					d := delay()
					select {
					case <-time.After(d):
					case <-q.Context().Done():
						panic(http.ErrAbortHandler)
					}
					switch {
					case troubled && d%7 == 0:
						w.WriteHeader(http.StatusInternalServerError)
					case troubled && d%11 == 0:
						w.Header().Set("Retry-After", "3")
						w.WriteHeader(http.StatusTooManyRequests)
					case troubled && d%13 == 0:
						w.WriteHeader(http.StatusUnauthorized)
					default:
						next.ServeHTTP(w, q)
					}
				}})
				// The way there takes time too: what was sent apart may arrive together.
				there := roundTrip(func(q *http.Request) (*http.Response, error) {
					select {
					case <-time.After(delay() / 2):
						return api.Transport().RoundTrip(q)
					case <-q.Context().Done():
						return nil, q.Context().Err()
					}
				})
				r := newRig(t, api, func(o *apiclient.Options) {
					o.RateLimit, o.MaxConcurrency, o.Transport = limit, concurrency, there
				})
				ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
				defer cancel()
				for ctx.Err() == nil {
					for _, err := range r.Walk(ctx, apiclient.WalkOptions{}) {
						_ = err // whatever becomes of it
					}
					wait(delay() + time.Second)
				}
				requests := api.Requests()
				if got := sandbox.BusiestMinute(requests); got > limit {
					t.Errorf("%d requests in a minute, the limit is %d", got, limit)
				}
				if slowest == time.Millisecond && !troubled && len(requests) < limit*9 {
					t.Errorf("only %d requests in 15 minutes with a limit of %d", len(requests), limit)
				}
			})
		})
	}
}

// However often the process is killed, those that follow each other do not send
// more than the limit together.
func TestOwnLimitOutlivesTheProcess(t *testing.T) {
	for _, life := range []time.Duration{2 * time.Second, 61 * time.Second, 91 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Customers: 2000, Quota: -1, Latency: 100 * time.Millisecond})
			file := filepath.Join(t.TempDir(), "sent")
			limit, began := 60, time.Now()
			for range 10 * time.Minute / life {
				r := newRig(t, api, func(o *apiclient.Options) { o.RateLimit, o.SendFile = limit, file })
				limit = 7 // from the first restart on
				ctx, kill := context.WithTimeout(context.Background(), life)
				for _, err := range r.Walk(ctx, apiclient.WalkOptions{}) {
					_ = err
				}
				<-ctx.Done()
				kill()
			}
			requests := slices.DeleteFunc(api.Requests(), func(q sandbox.Request) bool { return q.Time.Before(began.Add(2 * time.Second)) })
			if got := sandbox.BusiestMinute(requests); got != 7 {
				t.Errorf("killed every %s, %d requests in a minute, want 7", life, got)
			}
			if got := sandbox.BusiestMinute(api.Requests()); got > 60 {
				t.Errorf("killed every %s, %d requests in a minute of the larger limit", life, got)
			}

			// What was sent long ago does not count.
			wait(2 * time.Minute)
			r := newRig(t, api, func(o *apiclient.Options) { o.RateLimit, o.SendFile = limit, file })
			began = time.Now()
			if _, err := r.Page(context.Background(), 1, false); err != nil || time.Since(began) > time.Second {
				t.Errorf("the first page took %s, %v", time.Since(began), err)
			}
		})
	}
}

// A file of sends that cannot be used, or is a planted link, is said once and
// holds nobody up.
func TestSendFileThatCannotBeUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		victim, link := filepath.Join(t.TempDir(), "victim"), filepath.Join(t.TempDir(), "sent")
		if err := errors.Join(os.WriteFile(victim, []byte("precious"), 0o600), os.Symlink(victim, link)); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{link, t.TempDir(), "/dev/null/sent"} {
			api := sandbox.New(sandbox.Options{Customers: 500, Quota: -1})
			r := newRig(t, api, func(o *apiclient.Options) { o.SendFile = path })
			if pages, err := r.walk(false); err != nil || len(pages) != 5 {
				t.Errorf("%d pages, %v", len(pages), err)
			}
			if said := r.log.Drain(); strings.Count(said, "cannot be recorded") != 1 {
				t.Errorf("with %s, the log says %s", path, said)
			}
		}
		if content, err := os.ReadFile(victim); string(content) != "precious" {
			t.Errorf("the link was followed: %q, %v", content, err)
		}
	})
}

// The limit can be used to the full, as a burst and again a minute later.
func TestOwnLimitIsUsedToTheFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 1850, Quota: -1})
		r := newRig(t, api, func(o *apiclient.Options) { o.RateLimit = 10 })
		start := time.Now()
		pages, err := r.walk(false)
		if err != nil || len(pages) != 19 {
			t.Fatalf("%d pages, %v", len(pages), err)
		}
		// 20 requests with the mint: 10 at once and 10 a minute later.
		if took := time.Since(start); took != time.Minute {
			t.Errorf("20 requests at 10 a minute took %s, want 1m", took)
		}
		if got := r.value("yativo_api_throttled_seconds_total", "cause", "own_limit"); got != 60 {
			t.Errorf("throttled for %v s, want 60", got)
		}
		for _, cause := range []string{"reserve", "retry_after"} {
			if got := r.value("yativo_api_throttled_seconds_total", "cause", cause); got != 0 {
				t.Errorf("throttled for %v s by %s, want 0", got, cause)
			}
		}
	})
}

// header makes every answer carry fixed headers in place of the sandbox's.
func header(pairs ...string) sandbox.Fault {
	return sandbox.Fault{Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
		next.ServeHTTP(headerWriter{w, pairs}, q)
	}}
}

type headerWriter struct {
	http.ResponseWriter
	pairs []string
}

func (w headerWriter) WriteHeader(code int) {
	for i := 0; i+1 < len(w.pairs); i += 2 {
		w.Header().Set(w.pairs[i], w.pairs[i+1])
	}
	w.ResponseWriter.WriteHeader(code)
}

// Below the reserve, one request each interval goes out, and all others wait
// for the reset.
func TestReserveIsLeftToProduction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3, Quota: 100})
		r := newRig(t, api, nil)
		r.page() // and a mint: 98 are left
		for range 48 {
			r.page()
		}
		if got := r.value("yativo_api_throttled_seconds_total", "cause", "reserve"); got != 0 {
			t.Errorf("throttled for %v s above the reserve", got)
		}
		if got := r.value("yativo_api_rate_limit_remaining"); got != 50 {
			t.Fatalf("%v remain, want 50", got)
		}
		start := time.Now()
		r.page() // 50 is the reserve: this one has to wait for the window
		if took := time.Since(start); took < 59*time.Second || took > time.Minute {
			t.Errorf("the reserve held a request back for %s", took)
		}
		if got := r.value("yativo_api_throttled_seconds_total", "cause", "reserve"); got < 59 || got > 60 {
			t.Errorf("throttled for %v s, want 60", got)
		}
	})
}

func TestOneRequestAnIntervalAlwaysGoesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3, Quota: -1})
		r := newRig(t, api, func(o *apiclient.Options) { o.RefreshInterval = 20 * time.Second })
		start := time.Now()
		api.InjectFault(header("X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "3", "X-RateLimit-Reset", fmt.Sprint(start.Add(time.Hour).Unix())))
		for range 30 {
			r.page()
		}
		if took := time.Since(start); took != 600*time.Second {
			t.Errorf("30 pages and a mint at one each 20 s took %s, want 10m", took)
		}
		if got := sandbox.BusiestMinute(api.Requests()); got != 3 {
			t.Errorf("%d requests in a minute, want 3", got)
		}
	})
}

// Where production uses the whole quota up, over a window that rolls, the reset
// brings no more than the next request that leaves it. The exporter then takes
// what was granted for an interval and little more, instead of competing.
func TestProductionKeepsItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 5000, Quota: 60, Scenario: sandbox.RateLimit})
		r := newRig(t, api, func(o *apiclient.Options) { o.RateLimit = 60 })
		wait(sandbox.RateLimitDelay + time.Minute) // production has used the window up
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for ctx.Err() == nil {
			for _, err := range r.Walk(ctx, apiclient.WalkOptions{}) {
				_ = err // whatever becomes of it
			}
			wait(time.Second)
		}
		if c := api.Counters(); len(api.Requests()) > 8 || len(api.Requests()) < 2 {
			t.Errorf("in a minute without quota the exporter sent %v, answered %v", c.Arrived, c.Answered)
		}
		// Production calms down, and the walk goes through.
		wait(sandbox.RateLimitFor)
		if pages, err := r.walk(false); err != nil || len(pages) != 50 {
			t.Errorf("afterwards: %d pages, %v", len(pages), err)
		}
	})
}

// The waits that a 429 can ask for, in all their forms.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		name    string
		body    string
		headers func(now time.Time) []string
		want    time.Duration
	}{
		{"seconds", ``, func(time.Time) []string { return []string{"Retry-After", "12"} }, 12 * time.Second},
		{"fraction", ``, func(time.Time) []string { return []string{"Retry-After", "1.5"} }, 1500 * time.Millisecond},
		{"year", ``, func(time.Time) []string { return []string{"Retry-After", "31536000"} }, 5 * time.Minute},
		{"beyond a duration", ``, func(time.Time) []string { return []string{"Retry-After", "1e300"} }, 5 * time.Minute},
		{"beyond float64", ``, func(time.Time) []string { return []string{"Retry-After", strings.Repeat("9", 400)} }, 5 * time.Minute},
		{"list", ``, func(time.Time) []string { return []string{"Retry-After", "12, 12"} }, 12 * time.Second},
		{"infinity", ``, func(time.Time) []string { return []string{"Retry-After", "Inf"} }, 5 * time.Minute},
		{"negative", ``, func(time.Time) []string { return []string{"Retry-After", "-5"} }, 0},
		{"NaN", ``, func(time.Time) []string { return []string{"Retry-After", "NaN"} }, 0},
		{"nonsense", ``, func(time.Time) []string { return []string{"Retry-After", "soon"} }, 0},
		{"none", ``, func(time.Time) []string { return nil }, 0},
		{"date", ``, func(now time.Time) []string {
			return []string{"Retry-After", now.Add(40 * time.Second).UTC().Format(http.TimeFormat)}
		}, 40 * time.Second},
		{"date in a year", ``, func(now time.Time) []string {
			return []string{"Retry-After", now.AddDate(1, 0, 0).UTC().Format(http.TimeFormat)}
		}, 5 * time.Minute},
		{"date in the past", ``, func(now time.Time) []string {
			return []string{"Retry-After", now.Add(-time.Hour).UTC().Format(http.TimeFormat)}
		}, 0},
		{"date on a clock an hour ahead", ``, func(now time.Time) []string {
			ahead := now.Add(time.Hour)
			return []string{"Date", ahead.UTC().Format(http.TimeFormat), "Retry-After", ahead.Add(40 * time.Second).UTC().Format(http.TimeFormat)}
		}, 40 * time.Second},
		{"body", `{"error":"rate_limit_exceeded","retry_after":12}`, func(time.Time) []string { return nil }, 12 * time.Second},
		{"body, year", `{"retry_after":31536000}`, func(time.Time) []string { return nil }, 5 * time.Minute},
		{"body, negative", `{"retry_after":-12}`, func(time.Time) []string { return nil }, 0},
		{"body, string", `{"retry_after":"soon"}`, func(time.Time) []string { return nil }, 0},
		{"body, beyond float64", `{"retry_after":1e400}`, func(time.Time) []string { return nil }, 5 * time.Minute},
		{"body, number in a string", `{"retry_after":"12"}`, func(time.Time) []string { return nil }, 12 * time.Second},
		{"body, digits grouped as Go does", `{"retry_after":"1_2"}`, func(time.Time) []string { return nil }, 0},
		{"body, page", `<html>`, func(time.Time) []string { return nil }, 0},
		{"header before body", `{"retry_after":12}`, func(time.Time) []string { return []string{"Retry-After", "20"} }, 20 * time.Second},
		{"body beside a broken header", `{"retry_after":12}`, func(time.Time) []string { return []string{"Retry-After", "-1"} }, 12 * time.Second},
		{"reset", ``, func(now time.Time) []string {
			return []string{"X-RateLimit-Reset", fmt.Sprint(now.Add(33 * time.Second).Unix())}
		}, 33 * time.Second},
		{"reset in the past", ``, func(now time.Time) []string {
			return []string{"X-RateLimit-Reset", fmt.Sprint(now.Add(-time.Hour).Unix())}
		}, 0},
		{"reset in milliseconds", ``, func(now time.Time) []string {
			return []string{"X-RateLimit-Reset", fmt.Sprint(now.Add(33 * time.Second).UnixMilli())}
		}, 33 * time.Second},
		{"reset in seconds from now", ``, func(time.Time) []string { return []string{"X-RateLimit-Reset", "33"} }, 33 * time.Second},
		{"reset as text", ``, func(now time.Time) []string {
			return []string{"X-RateLimit-Reset", now.Add(33 * time.Second).UTC().Format("2006-01-02T15:04:05.000Z")}
		}, 33 * time.Second},
		{"reset of the standard's draft", ``, func(time.Time) []string { return []string{"RateLimit", `"default";r=0;t=33`} }, 33 * time.Second},
		{"digits grouped as Go does", ``, func(time.Time) []string { return []string{"Retry-After", "1_0"} }, 0},
		{"digits grouped as Go does, in the reset", ``, func(time.Time) []string { return []string{"X-RateLimit-Reset", "3_3"} }, 0},
		{"hexadecimal", ``, func(time.Time) []string { return []string{"Retry-After", "0x1p4"} }, 0},
		{"reset on a clock an hour behind", ``, func(now time.Time) []string {
			behind := now.Add(-time.Hour)
			return []string{"Date", behind.UTC().Format(http.TimeFormat), "X-RateLimit-Reset", fmt.Sprint(behind.Add(33 * time.Second).Unix())}
		}, 33 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Customers: 3, Quota: -1})
				// An interval as long as the longest wait, so that the call waits itself.
				r := newRig(t, api, func(o *apiclient.Options) { o.RefreshInterval = 5 * time.Minute })
				r.page()
				now := time.Now()
				api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Times: 1, Handle: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
					for i, pairs := 0, c.headers(now); i < len(pairs); i += 2 {
						w.Header().Set(pairs[i], pairs[i+1])
					}
					w.WriteHeader(http.StatusTooManyRequests)
					_, _ = w.Write([]byte(c.body))
				}})
				r.page()
				// The backoff's own wait is the least, and the rest is the budget's.
				const backoff = 500 * time.Millisecond
				if took, want := time.Since(now), max(c.want, backoff); took != want {
					t.Errorf("the repeat came after %s, want %s", took, want)
				}
				throttled := r.value("yativo_api_throttled_seconds_total", "cause", "retry_after")
				if want := max(0, c.want-backoff).Seconds(); throttled != want {
					t.Errorf("throttled for %v s, want %v", throttled, want)
				}
				if got := r.value("yativo_api_retries_total", "reason", "rate_limited"); got != 1 {
					t.Errorf("%v repeats, want 1", got)
				}
			})
		})
	}
}

// A wait that outlasts a refresh is not sat out within one: the failure is
// reported now, and the next refresh waits for the rest.
func TestLongWaitFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3, Quota: -1})
		r := newRig(t, api, nil)
		r.page()
		for _, fault := range []sandbox.Fault{sandbox.Status(429, "Retry-After", "31536000"), sandbox.Status(503, "Retry-After", "31536000")} {
			api.InjectFault(fault.On(sandbox.CustomersEndpoint).First(1))
			start := time.Now()
			if _, err := r.Page(context.Background(), 1, true); err == nil {
				t.Fatal("no error")
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("the failure came only after %s", took)
			}
			r.page()
			if took := time.Since(start); took != 5*time.Minute {
				t.Errorf("the next request went out after %s, want 5m", took)
			}
		}
	})
}

// A pause holds for every request, mints included, and a 503 may ask for one.
func TestPauseHoldsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 1000, Quota: -1})
		api.InjectFault(sandbox.Status(503, "Retry-After", "30").When(sandbox.OnPage(2)).On(sandbox.CustomersEndpoint).First(1))
		r := newRig(t, api, nil)
		start := time.Now()
		if pages, err := r.walk(false); err != nil || len(pages) != 10 {
			t.Fatalf("%d pages, %v", len(pages), err)
		}
		late := 0
		for _, q := range api.Requests() {
			if since := q.Time.Sub(start); since > 0 && since < 30*time.Second {
				t.Errorf("page %d was asked for %s into a pause of 30 s", q.Page, since)
			} else if since >= 30*time.Second {
				late++
			}
		}
		if late == 0 {
			t.Error("nothing had to wait")
		}
	})
}

// What the headers say is shown; what is nonsense is not.
func TestQuotaHeaders(t *testing.T) {
	for _, c := range []struct {
		limit, remaining, reset string
		left                    string // "" if unknown
	}{
		{"600", "599", "1769031332", "599"},
		{"600", "0", "", "0"},
		{"600", "600", "soon", "600"},
		{"", "", "", ""},
		{"600", "", "", ""},
		{"", "5", "", ""},
		{"0", "0", "", ""},
		{"-1", "-1", "", ""},
		{"600", "601", "", ""},
		{"600", "-1", "", "0"},
		{"many", "few", "", ""},
		{"1e3", "1", "", ""},
	} {
		r := newRig(t, nil, func(o *apiclient.Options) {
			o.AccessToken = apiclient.SecretValue("t")
			o.Transport = roundTrip(func(q *http.Request) (*http.Response, error) {
				return answer(q, 200, `{"data":{"customers":[],"total":0}}`,
					"X-RateLimit-Limit", c.limit, "X-RateLimit-Remaining", c.remaining, "X-RateLimit-Reset", c.reset), nil
			})
		})
		r.page()
		limit, remaining, _, known := r.Quota()
		if known != (c.left != "") || known && (fmt.Sprint(limit) != c.limit || fmt.Sprint(remaining) != c.left) {
			t.Errorf("%+v: quota is %d of %d, known %t", c, remaining, limit, known)
		}
		if known != (r.find("yativo_api_rate_limit") != nil) || known != (r.find("yativo_api_rate_limit_remaining") != nil) {
			t.Errorf("%+v: the series are not as known as the quota", c)
		}
		if (c.reset == "1769031332") != (r.find("yativo_api_rate_limit_reset_timestamp_seconds") != nil) {
			t.Errorf("%+v: the reset's series", c)
		}
	}
}

// A clock that is an hour off, either way, must not stop the reserve from
// working, nor stretch a wait.
func TestReserveSurvivesAWrongClock(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		for _, date := range []bool{true, false} {
			t.Run(fmt.Sprint(skew, date), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := sandbox.New(sandbox.Options{Customers: 3, Quota: -1})
					r := newRig(t, api, func(o *apiclient.Options) { o.RefreshInterval = time.Hour })
					api.InjectFault(sandbox.Fault{Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
						there := time.Now().Add(skew)
						pairs := []string{"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "10", "X-RateLimit-Reset", fmt.Sprint(there.Add(20 * time.Second).Unix())}
						if date {
							pairs = append(pairs, "Date", there.UTC().Format(http.TimeFormat))
						}
						next.ServeHTTP(headerWriter{w, pairs}, q)
					}})
					start := time.Now()
					r.page() // waits once, after the mint
					want := 20 * time.Second
					switch {
					case !date && skew > 0:
						want = 5 * time.Minute // the cap
					case !date:
						want = time.Minute // the window
					}
					if took := time.Since(start); took != want {
						t.Errorf("waited %s for the reset, want %s", took, want)
					}
				})
			})
		}
	}
}
