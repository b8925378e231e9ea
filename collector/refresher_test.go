package collector_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

// A program of 87 customers costs one page a refresh and one token an hour.
func TestADayOfASmallProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 87, Quota: 60})
		r := newRig(t, api, func(s *settings) { s.client.RateLimit = 60 })
		stop := r.run()
		wait(30 * time.Second)
		for range 24 {
			wait(time.Hour)
			if len(r.series("yativo_up")) != 1 {
				t.Fatal("a scrape without yativo_up")
			}
		}
		stop()
		refreshes := r.series("yativo_exporter_refreshes_total")[""]
		c := api.Counters()
		if refreshes < 24*60 || refreshes > 24*60+1 || float64(c.Arrived[sandbox.CustomersEndpoint]) != refreshes {
			t.Errorf("%v refreshes took %d pages", refreshes, c.Arrived[sandbox.CustomersEndpoint])
		}
		if got := c.Arrived[sandbox.TokenEndpoint]; got > 27 { // each five minutes ahead
			t.Errorf("%d tokens in 24 hours", got)
		}
		if c.Answered[http.StatusOK] != c.Arrived[sandbox.CustomersEndpoint]+c.Arrived[sandbox.TokenEndpoint] {
			t.Errorf("answers %v", c.Answered)
		}
		balances := 0
		for _, q := range api.Requests() {
			if q.Endpoint == sandbox.CustomersEndpoint && q.Balances {
				balances++
			}
		}
		if balances < 24*12 || balances > 24*12+1 {
			t.Errorf("balances were asked for %d times in a day of 5-minute intervals", balances)
		}
		if lines := r.log.lines(); len(lines) > 0 {
			t.Errorf("a quiet day was logged: %q", lines)
		}
		r.wantTruth()
	})
}

// Scrapes cost the API nothing, and none waits for a refresh.
func TestScrapesCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 87})
		r := newRig(t, api, nil)
		defer r.run()()
		wait(30 * time.Second)
		before := api.Counters().Arrived[sandbox.CustomersEndpoint]
		for range 1000 {
			r.series("yativo_up")
		}
		if got := api.Counters().Arrived[sandbox.CustomersEndpoint]; got != before {
			t.Errorf("%d requests by scraping", got-before)
		}
		api.InjectFault(sandbox.Hang())
		wait(40 * time.Second) // a refresh hangs
		start := time.Now()
		r.wantCounts(api.Truth().Counts)
		if took := time.Since(start); took != 0 {
			t.Errorf("scrapes took %s during a refresh", took)
		}
	})
}

// Before the first refresh nothing is known, and nothing is made up.
func TestBeforeTheFirstRefresh(t *testing.T) {
	api := sandbox.New(sandbox.Options{Customers: 87})
	r := newRig(t, api, nil)
	for _, name := range []string{
		"yativo_up", "yativo_card_customers", "yativo_card_ledger_balance", "yativo_card_cards", "yativo_exporter_snapshot_timestamp_seconds",
		"yativo_exporter_balance_timestamp_seconds", "yativo_exporter_last_refresh_timestamp_seconds", "yativo_exporter_upstream_customers",
		"yativo_exporter_refresh_duration_seconds", "yativo_exporter_missing_customers", "yativo_exporter_duplicate_rows",
	} {
		r.absent(name)
	}
	r.want("yativo_exporter_refreshes_total", "", 0)
	r.want("yativo_exporter_refresh_interval_seconds", "", 60)
	r.want("yativo_exporter_staleness_limit_seconds", "part=customers", 900)
	r.want("yativo_exporter_staleness_limit_seconds", "part=balances", 900)
	if r.Ready() || r.Stalled() != nil {
		t.Error("ready before the first snapshot")
	}
	r.refresh()
	if !r.Ready() || r.Stalled() == nil {
		t.Error("not ready after the first snapshot")
	}
}

// Whoever asks for the first page gets it while the first walk is under way,
// and no other page ever.
func TestFirstPageIsToldOnce(t *testing.T) {
	api := sandbox.New(sandbox.Options{Customers: 250, Quota: -1})
	var told []*apiclient.Page
	var r *rig
	r = newRig(t, api, func(s *settings) {
		s.refresher.FirstPage = func(p *apiclient.Page) {
			told = append(told, p)
			if r.Ready() {
				t.Error("the first page is told after the walk")
			}
		}
	})
	for range 2 {
		r.refresh()
	}
	if len(told) != 1 || told[0].Number != 1 || told[0].Total != 250 {
		t.Errorf("told %d pages: %+v", len(told), told)
	}
}

// Each failure is counted under its reason, and yativo_up falls while the last
// snapshot stays.
func TestFailureReasons(t *testing.T) {
	for _, c := range []struct {
		reason string
		fault  sandbox.Fault
	}{
		{"auth", sandbox.Status(401)},
		{"forbidden", sandbox.Status(403)},
		{"rate_limited", sandbox.Status(429)},
		{"rate_limited", sandbox.Status(429, "Retry-After", "31536000")},
		{"timeout", sandbox.Hang()},
		{"network", sandbox.Refuse()},
		{"network", sandbox.ResetMidBody()},
		{"server", sandbox.Status(500)},
		{"server", sandbox.Status(503)},
		{"bad_response", sandbox.HTML()},
		{"bad_response", sandbox.Truncate()},
		{"bad_response", sandbox.SuccessFalse()},
		{"bad_response", sandbox.Redirect(302, "https://elsewhere.test/")},
		{"incomplete", sandbox.Total(func(_ int, truth int64) string { return fmt.Sprint(truth + 1) })},
		{"client", sandbox.Status(404)},
		{"client", sandbox.Status(400)},
	} {
		t.Run(c.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Customers: 87})
				r := newRig(t, api, func(s *settings) { s.client.BreakerFailures = 1000 })
				r.refresh()
				stamp := r.series("yativo_exporter_snapshot_timestamp_seconds")[""]
				r.want("yativo_up", "", 1)
				wait(time.Minute)
				remove := api.InjectFault(c.fault.On(sandbox.CustomersEndpoint))
				r.refresh()
				r.want("yativo_up", "", 0)
				if got := r.failures(); got[c.reason] != 1 || len(got) != 1 {
					t.Errorf("failures %v, want one %s", got, c.reason)
				}
				r.want("yativo_exporter_refreshes_total", "", 2)
				r.want("yativo_exporter_snapshot_timestamp_seconds", "", stamp)
				if last := r.series("yativo_exporter_last_refresh_timestamp_seconds")[""]; last < stamp+60 {
					t.Errorf("the last refresh was at %v, the snapshot's at %v", last, stamp)
				}
				r.wantCounts(api.Truth().Counts)
				lines := r.log.lines()
				if len(lines) != 1 || !strings.Contains(lines[0], `msg="refresh failed"`) || !strings.Contains(lines[0], "reason="+c.reason) {
					t.Errorf("logged %q", lines)
				}
				remove()
				wait(5 * time.Minute)
				r.refresh()
				r.want("yativo_up", "", 1)
				if lines := r.log.lines(); len(lines) != 1 || !strings.Contains(lines[0], "refresh recovered") {
					t.Errorf("logged %q", lines)
				}
				r.wantTruth()
			})
		})
	}
}

// A start that is well says so, once; an outage is told again every ten minutes,
// as an error where somebody has to act; and its end says how long it was.
func TestLogTellsTheEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 250})
		r := newRig(t, api, func(s *settings) { s.client.BreakerFailures = 1000 })
		r.refresh()
		r.refresh()
		if got, want := r.log.Drain(), `level=INFO msg="first refresh ok" customers=250 pages=3 took=0s`; strings.Count(got, want) != 1 || strings.Count(got, "\n") != 1 {
			t.Errorf("a good start logged %q, want %q", got, want)
		}
		remove := api.InjectFault(sandbox.Status(401))
		for range 25 {
			wait(time.Minute)
			r.refresh()
		}
		lines := r.log.lines()
		if len(lines) != 3 {
			t.Fatalf("25 minutes of refused credentials logged %q", lines)
		}
		for i, consecutive := range []int{1, 11, 21} {
			if want := fmt.Sprintf(`level=ERROR msg="refresh failed" reason=auth consecutive=%d `, consecutive); !strings.Contains(lines[i], want) {
				t.Errorf("line %d is %q, want %q", i, lines[i], want)
			}
		}
		remove()
		wait(time.Minute)
		r.refresh()
		if lines := r.log.lines(); len(lines) != 1 || !strings.Contains(lines[0], `msg="refresh recovered" after_failures=25 failed_for=25m0s reasons=[auth]`) {
			t.Errorf("the end logged %q", lines)
		}
	})
}

// An hour of everything that an outage is made of: the series go by their
// limit, the meta-metrics stay, the API is not stormed, the log is not flooded,
// and one refresh after the end everything is right again.
func TestAnHoursOutage(t *testing.T) {
	for _, interval := range []time.Duration{5 * time.Second, time.Minute} {
		t.Run(interval.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Seed: 5, Customers: 250, Quota: -1})
				r := newRig(t, api, func(s *settings) { s.refresher.RefreshInterval = interval; s.client.RateLimit = 60 })
				defer r.run()()
				wait(10 * time.Minute)
				r.wantTruth()
				n := 0
				remove := api.InjectFault(sandbox.Fault{Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
					n++
					[]sandbox.Fault{sandbox.Status(503), sandbox.Refuse(), sandbox.Hang(), sandbox.HTML(), sandbox.Status(502)}[n%5].Handle(w, q, next)
				}})
				api.ResetRequests()
				began := time.Now()
				gone := time.Duration(0)
				for range 60 {
					wait(time.Minute)
					if gone == 0 && len(r.series("yativo_card_customers")) == 0 {
						gone = time.Since(began)
						r.absent("yativo_card_cards")
						r.absent("yativo_card_stalled_customers")
						if r.Stalled() != nil {
							t.Error("who is stalled is still listed")
						}
					}
				}
				r.want("yativo_up", "", 0)
				r.absent("yativo_card_ledger_balance")
				for _, name := range []string{"yativo_exporter_snapshot_timestamp_seconds", "yativo_exporter_balance_timestamp_seconds", "yativo_exporter_upstream_customers", "yativo_card_tracking_since_timestamp_seconds", "yativo_exporter_tracked_customers"} {
					if len(r.series(name)) != 1 {
						t.Errorf("%s has vanished too", name)
					}
				}
				if gone < 14*time.Minute || gone > 17*time.Minute {
					t.Errorf("the customers' series were gone after %s, the limit is 15m", gone)
				}
				if got := len(api.Requests()); got > 4*60 || got < 30 {
					t.Errorf("%d requests in an hour's outage", got)
				}
				if lines := r.log.lines(); len(lines) > 30 {
					t.Errorf("%d lines in an hour's outage, the last %q", len(lines), lines[len(lines)-1])
				}
				if opened := r.series("yativo_api_circuit_breaker_transitions_total")["to=open"]; opened < 10 {
					t.Errorf("the breaker opened %v times", opened)
				}
				remove()
				wait(interval + 35*time.Second) // one refresh and one cooldown
				r.want("yativo_up", "", 1)
				r.wantTruth()
				r.want("yativo_api_circuit_breaker_state", "state=closed", 1)
			})
		})
	}
}

// Ten minutes of 429 that ask for a wait, then an absurd one.
func TestQuotaStorm(t *testing.T) {
	for _, retryAfter := range []string{"", "12", "31536000"} {
		t.Run(retryAfter, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Seed: 5, Customers: 250, Quota: -1})
				r := newRig(t, api, nil)
				defer r.run()()
				wait(10*time.Minute + time.Second)
				headers := []string{}
				if retryAfter != "" {
					headers = []string{"Retry-After", retryAfter}
				}
				remove := api.InjectFault(sandbox.Status(429, headers...))
				api.ResetRequests()
				wait(2 * time.Minute)
				r.want("yativo_up", "", 0)
				if got := r.failures(); got["rate_limited"] == 0 || len(got) != 1 {
					t.Errorf("failures %v", got)
				}
				wait(8 * time.Minute)
				r.want("yativo_api_circuit_breaker_state", "state=closed", 1)
				r.wantCounts(api.Truth().Counts)
				if got := len(api.Requests()); got > 4*11 {
					t.Errorf("%d requests in ten minutes", got)
				}
				waited := r.series("yativo_api_throttled_seconds_total")["cause=retry_after"]
				if (waited > 0) != (retryAfter != "") {
					t.Errorf("waited %v s as asked", waited)
				}
				if lines := r.log.lines(); len(lines) != 1 {
					t.Errorf("logged %q", lines)
				}
				remove()
				wait(6*time.Minute + 10*time.Second) // the wait's cap and one refresh
				r.want("yativo_up", "", 1)
				r.wantTruth()
			})
		})
	}
}

// Balances that fail, are slow, or are refused do not hold the customers back.
func TestBalancesThatFail(t *testing.T) {
	for name, fault := range map[string]sandbox.Fault{"error": sandbox.Status(500), "slow": sandbox.Hang(), "broken": sandbox.HTML()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Seed: 2, Customers: 250, Quota: -1})
				r := newRig(t, api, nil)
				defer r.run()()
				wait(2 * time.Minute)
				remove := api.InjectFault(fault.On(sandbox.CustomersEndpoint).When(withBalances))
				stamp := r.series("yativo_exporter_balance_timestamp_seconds")[""]
				for range 60 {
					wait(time.Minute)
					if age := float64(time.Now().Unix()) - r.series("yativo_exporter_snapshot_timestamp_seconds")[""]; age > 180 {
						t.Errorf("the customers are %v s old", age)
					}
				}
				r.want("yativo_up", "", 1)
				r.wantCounts(api.Truth().Counts)
				r.absent("yativo_card_ledger_balance")
				r.absent("yativo_card_balance_missing_customers")
				r.want("yativo_exporter_balance_timestamp_seconds", "", stamp)
				if got := r.failures(); len(got) != 1 {
					t.Errorf("failures %v", got)
				}
				if lines := r.log.lines(); len(lines) != 1 || !strings.Contains(lines[0], "with balances") {
					t.Errorf("logged %q", lines)
				}
				remove()
				wait(6 * time.Minute)
				r.wantTruth()
			})
		})
	}
}

// A walk with balances that takes longer than their interval is given up.
func TestBalancesThatAreTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Seed: 2, Customers: 1000, PageCap: 5, Quota: -1})
		r := newRig(t, api, nil)
		api.InjectFault(slowBalances(10 * time.Second)) // 200 pages at four at once: 500 s
		defer r.run()()
		wait(5*time.Minute + time.Second)
		r.want("yativo_up", "", 1)
		r.wantCounts(api.Truth().Counts)
		if got := r.failures(); got["timeout"] != 1 || len(got) != 1 {
			t.Errorf("failures %v", got)
		}
		if lines := strings.Join(r.log.lines(), ""); !strings.Contains(lines, "list card customers with balances: not done within 5m0s") {
			t.Errorf("the log does not say what took too long:\n%s", lines)
		}
		for range 60 {
			wait(time.Minute)
			if age := float64(time.Now().Unix()) - r.series("yativo_exporter_snapshot_timestamp_seconds")[""]; age > 6*60+1 {
				t.Fatalf("the customers are %v s old", age)
			}
		}
		r.absent("yativo_card_ledger_balance")
	})
}

// Repeats that outlast the time for a walk with balances are no reason for more
// requests, where the quota is used up.
func TestUsedUpQuotaIsNotAskedForAWalkWithoutBalances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 87, Quota: -1})
		r := newRig(t, api, func(s *settings) {
			s.refresher.RefreshInterval, s.refresher.BalanceInterval = 5*time.Second, 5*time.Second
			s.client.RefreshInterval = 5 * time.Second
			s.client.Random = func() float64 { return 1 } // the longest waits: 5.25 s for four tries
		})
		r.refresh()
		wait(5 * time.Second)
		api.ResetRequests()
		api.InjectFault(sandbox.Status(429).On(sandbox.CustomersEndpoint))
		r.refresh()
		r.want("yativo_up", "", 0)
		if got := r.failures(); got["rate_limited"] != 1 || len(got) != 1 {
			t.Errorf("failures %v, want one rate_limited", got)
		}
		if got := len(api.Requests()); got > 4 {
			t.Errorf("%d requests, want at most 4", got)
		}
		if lines := r.log.lines(); len(lines) != 1 || !strings.Contains(lines[0], `: the key's quota is used up"`) {
			t.Errorf("logged %q", lines)
		}
	})
}

// What the log tells is shown by then, since whoever writes it may be held up.
func TestNewsIsShownBeforeItIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3, Quota: -1})
		var r *rig
		told := 0
		r = newRig(t, api, func(s *settings) {
			s.refresher.Logger = slog.New(slog.NewTextHandler(writerFunc(func(line string) {
				told++
				up := 1.0
				if strings.Contains(line, "refresh failed") {
					up = 0
				}
				r.want("yativo_up", "", up)
			}), nil))
		})
		r.refresh()
		remove := api.InjectFault(sandbox.Status(500))
		wait(time.Minute)
		r.refresh()
		remove()
		wait(time.Minute)
		r.refresh()
		if told != 3 {
			t.Errorf("%d lines, want 3", told)
		}
	})
}

type writerFunc func(line string)

func (f writerFunc) Write(line []byte) (int, error) {
	f(string(line))
	return len(line), nil
}

// A maintenance that asks for a long wait is told at once, not after the wait
// that a walk without balances would make.
func TestLongWaitIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 87, Quota: -1})
		r := newRig(t, api, everyRefresh)
		r.refresh()
		wait(time.Minute)
		api.InjectFault(sandbox.Status(503, "Retry-After", "300").On(sandbox.CustomersEndpoint))
		start := time.Now()
		r.refresh()
		r.want("yativo_up", "", 0)
		if got := r.failures(); got["server"] != 1 || len(got) != 1 || time.Since(start) > time.Second {
			t.Errorf("failures %v after %s", got, time.Since(start))
		}
	})
}

func TestBalancesNotIncluded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 250, Quota: -1})
		api.InjectFault(sandbox.RewriteBody(func(body []byte) []byte {
			return []byte(strings.Replace(string(body), `"balances_included":true`, `"balances_included":false`, 1))
		}).On(sandbox.CustomersEndpoint).When(sandbox.OnPage(2)))
		r := newRig(t, api, nil)
		defer r.run()()
		wait(time.Hour + time.Second)
		r.want("yativo_up", "", 1)
		r.wantCounts(api.Truth().Counts)
		r.absent("yativo_card_ledger_balance")
		r.absent("yativo_exporter_balance_timestamp_seconds")
		if got := r.failures(); got["bad_response"] != 13 || len(got) != 1 {
			t.Errorf("failures %v, want one for each walk with balances", got)
		}
		if lines := r.log.lines(); len(lines) != 2 || !strings.Contains(lines[1], "the API left the balances out") {
			t.Errorf("the log says %q", lines)
		}
	})
}

// hourlyBalances are those of sixteen pages, asked for each hour by a client that
// waits for minutes.
func hourlyBalances(t *testing.T) (*sandbox.Sandbox, *rig) {
	t.Helper()
	api := sandbox.New(sandbox.Options{Customers: 16, PageCap: 1, Quota: -1})
	return api, newRig(t, api, func(s *settings) {
		s.refresher.BalanceInterval, s.client.Timeout = time.Hour, 10*time.Minute
	})
}

// slowBalances holds each page with balances up.
func slowBalances(d time.Duration) sandbox.Fault {
	return sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Match: withBalances, Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
		linger(q, d)
		next.ServeHTTP(w, q)
	}}
}

// Balances may be slow for as long as the customers can wait, and no longer:
// they are never absent for the balances' sake.
func TestSlowBalancesDoNotHideTheCustomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, r := hourlyBalances(t)
		defer r.run()()
		wait(5 * time.Minute)
		api.InjectFault(slowBalances(6 * time.Minute)) // half an hour in all, beyond EXPORTER_MAX_STALENESS
		for range 3 * 60 {
			wait(time.Minute)
			r.wantCounts(api.Truth().Counts)
		}
		if got := r.series("yativo_exporter_refresh_failures_total")["reason=timeout"]; got < 2 || got > 3 {
			t.Errorf("%v failures are counted in 3 hours, want one for each walk with balances", got)
		}
	})
}

// After an outage the customers come first, however slow the balances are.
func TestSlowBalancesAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, r := hourlyBalances(t)
		defer r.run()()
		wait(47*time.Minute + 30*time.Second)
		remove := api.InjectFault(sandbox.Status(http.StatusInternalServerError).On(sandbox.CustomersEndpoint))
		wait(12 * time.Minute)
		remove()
		api.InjectFault(slowBalances(4 * time.Minute))
		for range 40 {
			wait(time.Minute)
			r.wantCounts(api.Truth().Counts)
		}
	})
}

// An empty program has no balances to be left out.
func TestNoCustomersHaveNoBalances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Quota: -1})
		api.InjectFault(sandbox.Body(`{"success":true,"data":{"customers":[],"total":0,"balances_included":false}}`).On(sandbox.CustomersEndpoint))
		r := newRig(t, api, nil)
		r.refresh()
		r.want("yativo_up", "", 1)
		if got := r.failures(); len(got) > 0 {
			t.Errorf("failures %v", got)
		}
	})
}

func TestBalancesNeverAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 250, Quota: -1})
		r := newRig(t, api, func(s *settings) { s.refresher.BalanceInterval = 0 })
		defer r.run()()
		wait(time.Hour)
		if i := slices.IndexFunc(api.Requests(), func(q sandbox.Request) bool { return q.Endpoint == sandbox.CustomersEndpoint && q.Balances }); i >= 0 {
			t.Errorf("request %d asks for balances", i)
		}
		r.wantCounts(api.Truth().Counts)
		r.absent("yativo_card_ledger_balance")
		r.absent("yativo_exporter_balance_timestamp_seconds")
		if all := r.series("yativo_exporter_staleness_limit_seconds"); len(all) != 1 {
			t.Errorf("staleness limits %v", all)
		}
	})
}

// The limit in force, for each part, is the largest of the configured one,
// three intervals, and three times the last walk.
func TestStalenessLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 87})
		r := newRig(t, api, func(s *settings) {
			s.refresher.RefreshInterval, s.refresher.BalanceInterval, s.refresher.MaxStaleness = 2*time.Minute, 10*time.Minute, time.Second
		})
		r.refresh()
		r.want("yativo_exporter_staleness_limit_seconds", "part=customers", 360)
		r.want("yativo_exporter_staleness_limit_seconds", "part=balances", 1800)
		wait(6 * time.Minute)
		r.wantTruth()
		wait(time.Millisecond)
		r.absent("yativo_card_customers")
		wait(24*time.Minute - time.Millisecond)
		r.want("yativo_card_balance_missing_customers", "", 0)
		wait(time.Millisecond)
		r.absent("yativo_card_ledger_balance")
		r.want("yativo_up", "", 1)
		r.want("yativo_exporter_unknown_values", "field=currency", 0)

		// A walk of 200 s, by a server that caps pages at 1 row and takes its time.
		api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
			linger(q, 9*time.Second)
			v := q.URL.Query()
			v.Set("limit", "1")
			q = q.Clone(q.Context())
			q.URL.RawQuery = v.Encode()
			next.ServeHTTP(w, q)
		}})
		r.refresh()
		took := r.series("yativo_exporter_refresh_duration_seconds")[""]
		if took < 200 {
			t.Fatalf("the walk took %v s only", took)
		}
		r.want("yativo_exporter_staleness_limit_seconds", "part=customers", 3*took)
		r.want("yativo_exporter_staleness_limit_seconds", "part=balances", 1800)
	})
}

func withBalances(q *http.Request) bool { return q.URL.Query().Get("include_balances") == "true" }

// linger lets fake time pass for as long as the client waits.
func linger(q *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-q.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// Half a refresh that is canceled changes nothing, and is done at once.
func TestCanceledRefreshChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 450, Quota: -1})
		r := newRig(t, api, nil)
		r.refresh()
		before := r.text("text/plain", isExporter)
		api.InjectFault(sandbox.Hang().On(sandbox.CustomersEndpoint).When(sandbox.OnPage(3)))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		start := time.Now()
		r.Refresh(ctx)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("a canceled refresh took %s", took)
		}
		if after := r.text("text/plain", isExporter); after != before {
			t.Errorf("a canceled refresh changed what is shown:\n%s\n%s", before, after)
		}
		if lines := r.log.lines(); len(lines) > 0 {
			t.Errorf("logged %q", lines)
		}
	})
}

func isExporter(name string) bool {
	return strings.HasPrefix(name, "yativo_card") || strings.HasPrefix(name, "yativo_exporter") || name == "yativo_up"
}

// A restart during an outage begins without a snapshot and says so, and is
// ready with the first refresh that succeeds.
func TestStartDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 87})
		remove := api.InjectFault(sandbox.Status(503))
		r := newRig(t, api, nil)
		defer r.run()()
		wait(10 * time.Minute)
		r.want("yativo_up", "", 0)
		r.absent("yativo_card_customers")
		r.absent("yativo_exporter_snapshot_timestamp_seconds")
		r.absent("yativo_exporter_upstream_customers")
		if r.Ready() {
			t.Error("ready without a snapshot")
		}
		remove()
		wait(time.Minute + time.Second)
		r.wantTruth()
		if !r.Ready() {
			t.Error("not ready")
		}
	})
}

// Tokens that are revoked again and again, and that live for a minute only,
// cost requests but no refresh.
func TestTokensThatDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 450, TokenTTL: time.Minute, Quota: -1})
		r := newRig(t, api, nil)
		defer r.run()()
		for range 60 {
			wait(time.Minute)
			api.RevokeTokens()
		}
		wait(time.Second)
		if got := r.failures(); len(got) > 0 {
			t.Errorf("failures %v", got)
		}
		if got := api.Counters().Arrived[sandbox.TokenEndpoint]; got > 130 {
			t.Errorf("%d mints in an hour", got)
		}
		r.wantTruth()
	})
}

// A walk that outlasts the interval is followed by the next at once, and never
// overlaps with it.
func TestRefreshesNeverOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 950, Quota: -1})
		r := newRig(t, api, func(s *settings) {
			s.refresher.RefreshInterval = 5 * time.Second
			s.refresher.BalanceInterval = 0
			s.client.RateLimit = 30
		})
		defer r.run()()
		wait(10 * time.Minute)
		page1 := 0
		for _, q := range api.Requests() {
			if q.Page == 1 {
				page1++
			}
		}
		if page1 < 29 || page1 > 31 {
			t.Errorf("%d walks of ten pages in ten minutes at 30 a minute", page1)
		}
		r.want("yativo_up", "", 1)
	})
}
