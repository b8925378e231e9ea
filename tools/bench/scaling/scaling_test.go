package scaling_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

const (
	interval    = time.Minute
	reserve     = 0.5
	latency     = 100 * time.Millisecond
	quotaWindow = time.Minute
)

// cell is one size of program under one quota, once it has settled.
type cell struct {
	customers, quota int

	first  time.Duration // from the start to the first snapshot
	walk   time.Duration // one refresh
	unseen time.Duration // from a change just after its page was read until it is shown
	most   int           // requests in the API's busiest minute
}

// estimate is what `check` says of a walk: as many minutes as its requests need
// at the share of the quota that is not left to production traffic.
func (c cell) estimate() time.Duration {
	minutes := math.Ceil(float64(c.customers)/100) / (float64(c.quota) * (1 - reserve))
	if minutes <= 1 {
		return 0
	}
	return time.Duration(minutes * float64(time.Minute))
}

// late reports whether a wallet can be stalled for longer than its threshold
// before a walk ends that could tell; the next threshold is a day.
func (c cell) late() bool {
	return c.walk > onboarding.DefaultThresholds().Stalled[onboarding.SafeDeploying]
}

// played measures a cell.
func played(t *testing.T, customers, quota int) cell {
	c := cell{customers: customers, quota: quota}
	synctest.Test(t, func(t *testing.T) {
		const id = "planted"
		api := sandbox.New(sandbox.Options{Seed: 1, Customers: customers - 1, Quota: quota, Latency: latency})
		api.Add(sandbox.Customer{ID: id, Status: onboarding.OTPVerified, CreatedAt: time.Now()}) // the first row of page 1
		var changed time.Time
		change := false
		refresher, active := exporter(t, quota, afterFirstPage{api.Transport(), func() {
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

// exporter is the product's path from page to series, with the quota as its own
// limit, so that the reserve decides. active counts the active customers.
func exporter(t *testing.T, limit int, transport http.RoundTripper) (r *collector.Refresher, active func() float64) {
	t.Helper()
	base, err := url.Parse("https://api.test" + sandbox.BasePath)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	log := slog.New(slog.DiscardHandler)
	client, err := apiclient.New(apiclient.Options{
		BaseURL: base, TokenPath: "/auth/token", UserAgent: "test",
		APIKey: apiclient.SecretValue(sandbox.DefaultAPIKey), APISecret: apiclient.SecretValue(sandbox.DefaultAPISecret),
		PageSize: 100, Timeout: 15 * time.Second, MaxConcurrency: 4,
		RateLimit: limit, RateReserve: reserve, RefreshInterval: interval,
		BreakerFailures: 5, BreakerCooldown: 30 * time.Second, Random: func() float64 { return 0.5 }, Transport: transport, Logger: log, Registerer: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	tracker, err := onboarding.Open(onboarding.Options{Thresholds: onboarding.DefaultThresholds(), RefreshInterval: interval})
	if err != nil {
		t.Fatal(err)
	}
	r = collector.NewRefresher(collector.Options{
		Client: client, Tracker: tracker, RefreshInterval: interval, BalanceInterval: 5 * time.Minute, MaxStaleness: 15 * time.Minute, Logger: log,
	})
	registry.MustRegister(r)
	return r, func() float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == "yativo_card_customers" && m.GetLabel()[0].GetValue() == onboarding.Active.String() {
					return m.GetGauge().GetValue()
				}
			}
		}
		t.Fatal("the active customers are not shown")
		return 0
	}
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
		refresher, _ := exporter(t, 60, api.Transport())
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
			replicas[i], _ = exporter(t, quota, api.Transport())
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
// fortieth, show every change within two of them and keep to the quota. With
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
			c := played(t, customers, quota)
			// A walk runs up to a window ahead or late, and a fortieth of it is
			// lost where requests wait for answers that tell what is left.
			if off := c.walk - c.estimate(); off < -quotaWindow || off > quotaWindow+c.estimate()/40 {
				t.Errorf("%d customers at %d a minute: a walk takes %s, but is estimated at %s", customers, quota, c.walk, c.estimate())
			}
			if bound := max(c.walk, interval) + c.walk + quotaWindow; c.unseen > bound {
				t.Errorf("%d customers at %d a minute: a change is unseen for %s, more than %s", customers, quota, c.unseen, bound)
			}
			if c.most > quota {
				t.Errorf("%d customers at %d a minute: %d requests in one", customers, quota, c.most)
			}
			fmt.Fprintf(&table, " %s |", c)
		}
		table.WriteString("\n")
	}
	if *write {
		text, begin, end := page(t)
		if err := os.WriteFile(pagePath, []byte(text[:begin]+table.String()+text[end:]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The page has every size and quota, says what the estimate says of each, and
// marks those in which wallets are told late.
func TestPageAgreesWithTheEstimate(t *testing.T) {
	text, begin, end := page(t)
	rows := strings.Split(strings.TrimSpace(text[begin:end]), "\n")
	if len(rows) != 2+len(sizes()) {
		t.Fatalf("the table has %d lines", len(rows))
	}
	for i, customers := range sizes() {
		cells := strings.Split(strings.Trim(rows[i+2], "| "), " | ")
		if len(cells) != 1+len(quotas()) || cells[0] != fmt.Sprint(customers) {
			t.Fatalf("the row of %d customers is %q", customers, rows[i+2])
		}
		for j, quota := range quotas() {
			estimate := cell{customers: customers, quota: quota}.estimate()
			texts := strings.SplitN(cells[j+1], " / ", 2)
			said := cell{walk: parse(t, texts[0])}
			if off := said.walk - estimate; off < -quotaWindow || off > quotaWindow+estimate/20 {
				t.Errorf("%d customers at %d a minute: the page says %s, the estimate %s", customers, quota, texts[0], estimate)
			}
			if marked := strings.HasSuffix(texts[1], " *"); marked != said.late() {
				t.Errorf("%d customers at %d a minute: marked as late: %t", customers, quota, marked)
			}
		}
	}
}

// parse reads what short writes.
func parse(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(strings.Replace(strings.ReplaceAll(text, " ", ""), "min", "m", 1))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// String is the cell as the page shows it.
func (c cell) String() string {
	late := ""
	if c.late() {
		late = " *"
	}
	return short(c.walk) + " / " + short(c.unseen) + late
}

// short is a duration as people say it, to two digits or so.
func short(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	default:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
}

var write = flag.Bool("write", false, "write docs/scaling.md, large programs included") //nolint:gochecknoglobals // a flag of the test

const pagePath = "../../../docs/scaling.md"

// page returns the page and where its table stands.
func page(t *testing.T) (text string, begin, end int) {
	t.Helper()
	raw, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	const head, tail = "<!-- table -->\n", "<!-- end of table -->"
	text = string(raw)
	begin, end = strings.Index(text, head)+len(head), strings.Index(text, tail)
	if begin < len(head) || end < begin {
		t.Fatalf("%s has no part between %q and %q", pagePath, head, tail)
	}
	return text, begin, end
}
