//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// haste is how much faster the rules run in the chain: a day in 9 seconds.
const haste = 10000

// chain is all that stands between the API and whoever is paged, for real:
// sandbox, exporter, Prometheus or another engine, Alertmanager, a receiver.
type chain struct {
	t          *testing.T
	api        *sandbox.Sandbox
	began      time.Time
	skipped    *atomic.Int64 // by which the API's clock is ahead
	held       *atomic.Int64 // where it stands still, counted from began; 0: it goes
	exporter   *exporter
	prometheus *prometheus
	manager    *alertmanager
	ignored    string // Pages with this word in their title do not count; empty: all count.
}

func startChain(t *testing.T, scenario sandbox.Scenario) *chain {
	t.Helper()
	c := startChainEnds(t, scenario)
	rules := writeFile(t, t.TempDir(), "rules.yml", renderRehearsal(t, haste))
	c.prometheus = startPrometheus(t, fmt.Sprintf(`
  - {job_name: yativo-card-exporter, static_configs: [{targets: [%q]}]}
rule_files: [%q]
alerting:
  alertmanagers: [{static_configs: [{targets: [%q]}]}]
`, c.exporter.address, rules, strings.TrimPrefix(c.manager.url, "http://")))
	return c
}

// startChainEnds starts all but what scrapes the exporter and evaluates the rules.
func startChainEnds(t *testing.T, scenario sandbox.Scenario) *chain {
	t.Helper()
	c := &chain{t: t, began: time.Now(), skipped: &atomic.Int64{}, held: &atomic.Int64{}}
	c.api = sandbox.New(sandbox.Options{
		Seed: 11, Customers: 250, Speed: 1, Quota: -1, Scenario: scenario,
		Now: func() time.Time {
			if at := c.held.Load(); at != 0 {
				return c.began.Add(time.Duration(at))
			}
			return time.Now().Add(time.Duration(c.skipped.Load()))
		},
	})
	c.exporter = startExporter(t, settingsFor(t, serveSandbox(t, c.api)).with(settings{
		"EXPORTER_STALLED_AFTER":    "kyc_initiated:10s",
		"EXPORTER_ABANDONED_AFTER":  "kyc_initiated:8760h",
		"EXPORTER_MAX_STALENESS":    "15s",
		"EXPORTER_BREAKER_COOLDOWN": "1s",
		"YATIVO_TIMEOUT":            "2s",
	}))
	c.exporter.awaitReady()
	c.manager = startAlertmanager(t, "group_wait: 30s", "group_wait: 1s", "group_interval: 5m", "group_interval: 5s")
	return c
}

// skipTo puts the API's clock forward, to where a scenario begins or ends, as
// counted from the start of the chain.
func (c *chain) skipTo(elapsed time.Duration) {
	c.skipped.Store(max(c.skipped.Load(), int64(elapsed-time.Since(c.began))))
}

// enterKYC lets so many more customers hand in their documents, as many as a
// busy program has by the time that a stall is paged.
func (c *chain) enterKYC(customers int) {
	for i := range customers {
		c.api.Add(plain("newcomer-" + strconv.Itoa(i)))
	}
}

// holdAt stops the API's clock there, so that a scenario's phase lasts for as
// long as a slow machine needs.
func (c *chain) holdAt(elapsed time.Duration) { c.held.Store(int64(elapsed)) }

// goOnFrom lets the clock go on from there.
func (c *chain) goOnFrom(elapsed time.Duration) {
	c.skipTo(elapsed)
	c.held.Store(0)
}

// awaitPages waits until exactly these pages have come, and returns their texts.
func (c *chain) awaitPages(within time.Duration, titles ...string) (texts []string) {
	c.t.Helper()
	eventually(c.t, within, fmt.Sprintf("the pages are %q", titles), func() error {
		var got []string
		got, texts = c.pages()
		if len(got) != len(titles) {
			return fmt.Errorf("the pages are %q", got)
		}
		for i, title := range titles {
			if !strings.HasPrefix(got[i], title) {
				return fmt.Errorf("page %d is %q", i, got[i])
			}
		}
		return nil
	})
	return texts
}

// pages are the titles and texts of all pages that count.
func (c *chain) pages() (titles, texts []string) {
	allTitles, allTexts := c.manager.messages.of("page")
	for i, title := range allTitles {
		if c.ignored == "" || !strings.Contains(title, c.ignored) {
			titles, texts = append(titles, title), append(texts, allTexts[i])
		}
	}
	return titles, texts
}

// awaitFiring waits until an alert fires in Prometheus.
func (c *chain) awaitFiring(within time.Duration, selector string) {
	c.t.Helper()
	eventually(c.t, within, selector+" fires", func() error {
		firing, err := c.prometheus.query(`ALERTS{alertstate="firing",` + selector + `}`)
		if err == nil && len(firing) == 0 {
			err = errors.New("it does not")
		}
		return err
	})
}

// KYC stands still: one page that says how many, since when, and where they are
// listed; the cure: one message that it is over.
func TestChainPagesOnceWhenKYCStalls(t *testing.T) {
	t.Parallel()
	c := startChain(t, sandbox.KYCStall)
	c.skipTo(sandbox.StallDelay)
	c.enterKYC(10)

	page := c.awaitPages(2*time.Minute, "CRITICAL: KYC stalled: ")[0]
	for _, want := range []string{
		"customers entered kyc_initiated since somebody last passed it, and still wait",
		"Nobody has passed for ",
		"The program's rhythm is not known yet, so this alert fires after ",
		"First: see on the dashboard whether customers still enter KYC",
		"Program: yativo-card-exporter\n",
		"Firing since: " + time.Now().UTC().Format("2006-01-02 "),
		"Who waits: http://localhost:10102/stalled?flow_status=kyc_initiated after kubectl port-forward deploy/yativo-card-exporter 10102",
		"Runbook: http://localhost:10101/runbook#yativocardkycstalled\n",
		"Dashboard: http://localhost:3000/d/yativo-card-onboarding?var-job=yativo-card-exporter\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "<no value>") || strings.Contains(page, "unknown") || strings.Contains(page, "@") {
		t.Errorf("the page has holes, or names somebody:\n%s", page)
	}
	if code, _ := c.exporter.get("/stalled?flow_status=kyc_initiated"); code != http.StatusOK {
		t.Errorf("the list that the page names answers %d", code)
	}

	c.skipTo(sandbox.StallDelay + sandbox.StallFor)
	resolved := c.awaitPages(2*time.Minute, "CRITICAL: KYC stalled: ", "Resolved: YativoCardKYCStalled, kyc_initiated")[1]
	if !strings.Contains(resolved, "Over since ") || strings.Contains(resolved, "First: ") || strings.Contains(resolved, "nobody passed") {
		t.Errorf("the message that it is over says:\n%s", resolved)
	}
	// Prometheus tells it again a minute after the start, when Alertmanager may not
	// have been known yet.
	eventually(t, 90*time.Second, "the watchdog barks", func() error {
		if titles, _ := c.manager.messages.of("watchdog"); len(titles) == 0 {
			return errors.New("it has not")
		}
		return nil
	})
}

// The API is out: one page that the data are stale, not one for each part and
// consequence; and one message that it is over.
func TestChainPagesOnceForAnOutage(t *testing.T) {
	t.Parallel()
	c := startChain(t, sandbox.Outage)
	c.holdAt(sandbox.OutageDelay + sandbox.OutageFor/2)
	const title = "The customers data are "
	c.awaitPages(2*time.Minute, "CRITICAL: "+title)
	c.awaitFiring(time.Minute, `alertname="YativoCardDataStale",part="balances"`)

	c.goOnFrom(sandbox.OutageDelay + sandbox.OutageFor)
	c.awaitPages(time.Minute, "CRITICAL: "+title, "Resolved: YativoCard")
}

// The key is revoked: one page that says so, although the data become stale too.
func TestChainPagesOnceForABadKey(t *testing.T) {
	t.Parallel()
	c := startChain(t, sandbox.Healthy)
	c.api.RotateKey("another-key", "another-secret")
	c.api.RevokeTokens()
	const title = "Yativo refuses the exporter's credentials (auth)"
	c.awaitPages(time.Minute, "CRITICAL: "+title)
	c.awaitFiring(time.Minute, `alertname="YativoCardDataStale",part="customers"`)

	c.api.RotateKey(sandbox.DefaultAPIKey, sandbox.DefaultAPISecret)
	c.awaitPages(time.Minute, "CRITICAL: "+title, "Resolved: YativoCard")
}

// The exporter is killed: one page, and none for what it can no longer tell.
func TestChainPagesOnceWhenTheExporterIsGone(t *testing.T) {
	t.Parallel()
	c := startChain(t, sandbox.Healthy)
	c.awaitPages(time.Second)
	c.exporter.signal(syscall.SIGKILL)
	c.awaitPages(time.Minute, "CRITICAL: No exporter of yativo-card-exporter answers")
}
