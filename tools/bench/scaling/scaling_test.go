package scaling_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/exporter"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

const (
	interval    = time.Minute
	reserve     = 0.5
	latency     = 100 * time.Millisecond
	quotaWindow = time.Minute
)

// cell is what is measured of one size of program under one quota, once it has
// settled.
type cell struct {
	first  time.Duration // from the start to the first snapshot
	walk   time.Duration // one refresh
	unseen time.Duration // from a change just after its page was read until it is shown
	most   int           // requests in the API's busiest minute
}

// played measures a cell.
func played(t *testing.T, customers, quota int) (c cell) {
	synctest.Test(t, func(t *testing.T) {
		const id = "planted"
		api := sandbox.New(sandbox.Options{Seed: 1, Customers: customers - 1, Quota: quota, Latency: latency})
		api.Add(sandbox.Customer{ID: id, Status: onboarding.OTPVerified, CreatedAt: time.Now()}) // the first row of page 1
		var changed time.Time
		change := false
		_, refresher, active := wire(t, quota, afterFirstPage{api.Transport(), func() {
			if change {
				change, changed = false, time.Now()
				api.Update(id, func(c *sandbox.Customer) { c.Status = onboarding.Active })
			}
		}})

		begun := time.Now()
		refresh := func() (took time.Duration) {
			start := time.Now()
			refresher.Refresh(t.Context())
			took = time.Since(start)
			if !refresher.Ready() {
				t.Fatalf("%d customers at %d a minute: no snapshot", customers, quota)
			}
			<-time.After(interval - took)
			return took
		}
		c.first = refresh()
		// The first walk with balances may be given up as too slow; what comes
		// after the third refresh is as it will always be.
		for range 2 {
			refresh()
		}
		before := active()
		change = true
		c.walk = refresh()
		for c.unseen == 0 {
			start := time.Now()
			refresher.Refresh(t.Context())
			if took := time.Since(start); active() > before {
				c.unseen = time.Since(changed)
			} else if time.Since(changed) > 10*c.walk+time.Hour {
				t.Fatal("the change is never shown")
			} else {
				<-time.After(interval - took)
			}
		}
		c.most = sandbox.BusiestMinute(api.Requests())
		t.Logf("%d customers, %d a minute: first %s, walk %s, unseen %s, busiest minute %d, in %s",
			customers, quota, c.first, c.walk, c.unseen, c.most, time.Since(begun))
	})
	return c
}

// wire is the product's path from page to series, with the quota as its own
// limit, so that the reserve decides. active counts the active customers.
func wire(t *testing.T, limit int, transport http.RoundTripper) (client *apiclient.Client, r *collector.Refresher, active func() float64) {
	t.Helper()
	base, err := url.Parse("https://api.test" + sandbox.BasePath)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	log := slog.New(slog.DiscardHandler)
	client = apiclient.New(apiclient.Options{
		BaseURL: base, TokenPath: "/auth/token", UserAgent: "test",
		APIKey: apiclient.SecretValue(sandbox.DefaultAPIKey), APISecret: apiclient.SecretValue(sandbox.DefaultAPISecret),
		PageSize: 100, Timeout: 15 * time.Second, MaxConcurrency: 4,
		RateLimit: limit, RateReserve: reserve, RefreshInterval: interval,
		BreakerFailures: 5, BreakerCooldown: 30 * time.Second, Random: func() float64 { return 0.5 }, Transport: transport, Logger: log, Registerer: registry,
	})
	tracker, err := onboarding.Open(onboarding.Options{Thresholds: onboarding.DefaultThresholds(), RefreshInterval: interval})
	if err != nil {
		t.Fatal(err)
	}
	r = collector.NewRefresher(collector.Options{
		Client: client, Tracker: tracker, RefreshInterval: interval, BalanceInterval: 5 * time.Minute, MaxStaleness: 15 * time.Minute, Logger: log,
	})
	registry.MustRegister(r)
	return client, r, func() float64 {
		all, err := testutil.GatherSeries(registry)
		if err != nil {
			t.Fatal(err)
		}
		return all[`yativo_card_customers{flow_status="active"}`]
	}
}

// paceOf is what the product, which `check` quotes, says of a program's walks
// when it has read the first page.
func paceOf(t *testing.T, customers, quota int) exporter.Pace {
	t.Helper()
	api := sandbox.New(sandbox.Options{Seed: 1, Customers: 100, Quota: quota})
	api.InjectFault(sandbox.Total(func(int, int64) string { return strconv.Itoa(customers) }))
	client, _, _ := wire(t, quota, api.Transport())
	first, err := client.Page(t.Context(), 1, true)
	if err != nil {
		t.Fatal(err)
	}
	return exporter.NewPace(config.Config{Options: apiclient.Options{RateLimit: quota, RateReserve: reserve, RefreshInterval: interval}}, client, first)
}

// afterFirstPage calls back when page 1 has been read.
type afterFirstPage struct {
	http.RoundTripper
	call func()
}

func (a afterFirstPage) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.RoundTripper.RoundTrip(r)
	if err == nil && r.URL.Query().Get("page") == "1" {
		a.call()
	}
	return resp, err
}

// A token lives for an hour and is replaced five minutes ahead, so a day takes
// 27, and a small program one page a refresh.
func TestADayOfASmallProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Seed: 1, Customers: 87, Quota: 120})
		_, refresher, _ := wire(t, 60, api.Transport())
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour-time.Second)
		defer cancel()
		refresher.Run(ctx)
		arrived := api.Counters().Arrived
		if arrived[sandbox.CustomersEndpoint] != 24*60 || arrived[sandbox.TokenEndpoint] != 27 {
			t.Errorf("a day costs %v, want 1440 pages and 27 tokens", arrived)
		}
	})
}

// Two replicas leave production its share together, although neither knows of
// the other: what the API has left counts both. One request each interval goes
// out all the same, and each may be as many ahead as it has in flight.
func TestReplicasShareTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const quota = 120
		api := sandbox.New(sandbox.Options{Seed: 1, Customers: 10_000, Quota: quota, Latency: latency})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		var running sync.WaitGroup
		replicas := make([]*collector.Refresher, 2)
		for i := range replicas {
			_, replicas[i], _ = wire(t, quota, api.Transport())
			running.Go(func() { replicas[i].Run(ctx) })
		}
		running.Wait()
		if most := sandbox.BusiestMinute(api.Requests()); most > quota*(1-reserve)+2+8 {
			t.Errorf("%d requests in one minute, where %v are left to the exporters", most, quota*(1-reserve))
		}
		for i, r := range replicas {
			if !r.Ready() {
				t.Errorf("replica %d has no snapshot", i)
			}
		}
	})
}

func sizes() []int  { return []int{100, 1000, 10_000, 100_000, 1_000_000} }
func quotas() []int { return []int{60, 120, 300, 600, 1000} }

// Walks over the sandbox take as long as `check` estimates, to a minute and a
// fortieth, show every change within two of them, likewise, and keep to the quota. With
// -write that is measured up to a million customers, which takes a minute, and
// written to the page.
func TestWalksTakeWhatIsEstimated(t *testing.T) {
	var table strings.Builder
	table.WriteString("| customers | 60 | 120 | 300 | 600 | 1000 |\n|--:|--:|--:|--:|--:|--:|\n")
	for _, customers := range sizes() {
		if customers > 10_000 && !*write {
			break
		}
		fmt.Fprintf(&table, "| %d |", customers)
		for _, quota := range quotas() {
			c, pace := played(t, customers, quota), paceOf(t, customers, quota)
			// A walk runs up to a window ahead or late, and a fortieth of it is
			// lost where requests wait for answers that tell what is left.
			if off := c.walk - pace.Walk; off < -quotaWindow || off > quotaWindow+pace.Walk/40 {
				t.Errorf("%d customers at %d a minute: a walk takes %s, but is estimated at %s", customers, quota, c.walk, pace.Walk)
			}
			if bound := max(c.walk, interval) + c.walk + quotaWindow + pace.Walk/40; c.unseen > bound {
				t.Errorf("%d customers at %d a minute: a change is unseen for %s, more than %s", customers, quota, c.unseen, bound)
			}
			if c.most > quota {
				t.Errorf("%d customers at %d a minute: %d requests in one", customers, quota, c.most)
			}
			fmt.Fprintf(&table, " %s / %s%s |", short(c.walk), short(c.unseen), mark(pace))
		}
		table.WriteString("\n")
	}
	if *write {
		if err := page(t).Replace(table.String()); err != nil {
			t.Fatal(err)
		}
	}
}
