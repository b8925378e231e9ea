package exporter

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// links are what a page links to.
func links(page string) (targets []string) {
	for _, match := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		targets = append(targets, match[1])
	}
	return targets
}

func TestStatusPageLinksWhatThereIs(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 100}), nil)
	e.refresher.Refresh(context.Background())
	_, page := e.get(t, "/", "localhost")
	for _, link := range []string{"metrics", "stalled", "stalled?flow_status=kyc_initiated", "runbook", "-/ready", "-/healthy"} {
		if !slices.Contains(links(page), link) {
			t.Errorf("no link to %s", link)
		}
	}
	for _, link := range links(page) {
		if status, body := e.get(t, "/"+link, "localhost"); status != http.StatusOK && status != http.StatusForbidden {
			t.Errorf("%s answers %d: %s", link, status, body)
		}
	}
	for _, path := range []string{"/debug/pprof/", "/nothing"} {
		if status, _ := e.get(t, path, "localhost"); status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, status)
		}
	}
}

// The pages work below any path, load nothing and run nothing, and a browser is
// told so.
func TestPagesAreSelfContained(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 100}), environ{"EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0"})
	e.refresher.Refresh(context.Background())
	for _, path := range []string{"/", "/stalled", "/runbook"} {
		w := e.ask(t, path, "text/html,*/*;q=0.8")
		page := w.Body.String()
		if foreign := regexp.MustCompile(`<script|<link|<img|<iframe| style=| on[a-z]+=|(?:href|src)="(?:/|https?:)`).FindString(page); foreign != "" {
			t.Errorf("%s has %s", path, foreign)
		}
		style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(page, -1)
		if len(style) != 1 {
			t.Fatalf("%s has %d styles", path, len(style))
		}
		hash := sha256.Sum256([]byte(style[0][1]))
		want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
		if got := w.Header().Get("Content-Security-Policy"); got != want {
			t.Errorf("%s has the policy %q, want %q", path, got, want)
		}
	}
}

// The page and /-/ready say the same, as a person would.
func TestStatusPageSaysWhatIsWrong(t *testing.T) {
	api := sandbox.New(sandbox.Options{Seed: 1, Customers: 10})
	e := newTestExporter(t, api, environ{"EXPORTER_MAX_STALENESS": "1s", "EXPORTER_BREAKER_FAILURES": "100"})
	says := func(state, want string) {
		t.Helper()
		_, page := e.get(t, "/", "localhost")
		sentence := regexp.MustCompile(`<strong>` + state + `</strong> ([^<]*)`).FindStringSubmatch(page)
		if sentence == nil || !regexp.MustCompile("^"+want+" ?$").MatchString(sentence[1]) {
			t.Errorf("the page says %q, want %s: %s", sentence, state, want)
			return
		}
		// A second may have passed between the two.
		if _, ready := e.get(t, "/-/ready", "localhost"); !regexp.MustCompile(`\. ` + want + `\n$`).MatchString(ready) {
			t.Errorf("the page says %q, /-/ready %q", sentence[1], ready)
		}
	}
	says("Blind", "The first refresh is running.")
	repair := api.InjectFault(sandbox.Status(http.StatusForbidden))
	for range 2 {
		e.refresher.Refresh(context.Background())
	}
	const since = ` \(since [0-9]+ [A-Z][a-z]+ [0-9:]+ UTC, `
	says("Blind", "Yativo says that the key lacks the permission"+since+`2 refreshes in a row\).`)
	repair()
	e.refresher.Refresh(context.Background())
	says("OK", "The data are current, read [0-9]+s ago.")
	api.InjectFault(sandbox.Status(http.StatusForbidden))
	e.refresher.Refresh(context.Background())
	says("Degraded", "Yativo says that the key lacks the permission"+since+`1 refresh\).`)
}

// A silence is not told of data that are gone, and what was counted since the
// start is not shown as a day's.
func TestStatusPageShowsNoMoreThanItKnows(t *testing.T) {
	api := sandbox.New(sandbox.Options{Seed: 1, Customers: 10})
	e := newTestExporter(t, api, environ{"EXPORTER_MAX_STALENESS": "1s"})
	shows := func(name, want string) {
		t.Helper()
		_, page := e.get(t, "/", "localhost")
		if got := regexp.MustCompile(`data-l="` + name + `">([^<]*)<`).FindStringSubmatch(page); got == nil || got[1] != want {
			t.Errorf("%s shows %q, want %q", name, got, want)
		}
	}
	if _, page := e.get(t, "/", "localhost"); strings.Contains(page, "<td>kyc_initiated") || !strings.Contains(page, "Not known without current data.") {
		t.Errorf("without data the page shows a status: %s", page)
	}
	e.refresher.Refresh(context.Background())
	shows("Last passed", "not seen yet")
	shows("New since", "0")
	shows("In / out since [0-9:]{5} UTC", "0 / 0")
	if got := e.Warnings(); len(got) != 0 {
		t.Errorf("it warns of %v", got)
	}
	e.started = e.started.Add(-24 * time.Hour)
	shows("In / out in a day", "0 / 0")
	api.InjectFault(sandbox.Status(http.StatusForbidden))
	e.refresher.Refresh(context.Background())
	if got := e.Warnings()["the data"]; !strings.Contains(got, "lacks the permission") {
		t.Errorf("it warns of %q", got)
	}
}

// Every reason has words and leads to a section that there is.
func TestEveryReasonHasWords(t *testing.T) {
	runbook, err := alerts.RunbookHTML(alerts.Links{})
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range apiclient.Reasons() {
		c := causes()[reason]
		if c.Words == "" || !strings.Contains(string(runbook), `id="`+c.Section+`"`) {
			t.Errorf("%s is %q in words and leads to %q", reason, c.Words, c.Section)
		}
	}
	if len(causes()) != len(apiclient.Reasons()) {
		t.Errorf("%d words for %d reasons", len(causes()), len(apiclient.Reasons()))
	}
}

func TestWhatOpenedTheBreakerIsTheCause(t *testing.T) {
	failed := func(reasons ...apiclient.Reason) (recent []collector.PastRefresh) {
		for _, r := range reasons {
			recent = append(recent, collector.PastRefresh{Reason: r, Up: r == ""})
		}
		return recent
	}
	for want, recent := range map[apiclient.Reason][]collector.PastRefresh{
		apiclient.ReasonServer:      failed(apiclient.ReasonAuth, apiclient.ReasonServer, apiclient.ReasonBreakerOpen, apiclient.ReasonBreakerOpen),
		apiclient.ReasonBreakerOpen: failed("", apiclient.ReasonBreakerOpen),
		apiclient.ReasonTimeout:     failed(apiclient.ReasonTimeout, "", apiclient.ReasonBreakerOpen),
		apiclient.ReasonAuth:        failed(apiclient.ReasonAuth),
	} {
		if got := lastCause(recent).Reason; got != want {
			t.Errorf("the cause is %s, want %s", got, want)
		}
	}
}

// A status in which nobody passes stands out, and so do wallets that are not
// deployed; a drop-out does not.
func TestWhoNeedsSomebodyStandsOut(t *testing.T) {
	with := func(values map[string]float64, status string) numbers {
		n := numbers{time.Now(), map[string]map[string]float64{}}
		for name, value := range values {
			n.families["yativo_card_"+name] = map[string]float64{status: value}
		}
		return n
	}
	silent := map[string]float64{"entered_since_advance_customers": 9, "entered_since_advance_limit": 5, "missed_advances": 7, "missed_advances_limit": 6}
	for _, c := range []struct {
		values map[string]float64
		status onboarding.Status
		want   string
	}{
		{silent, onboarding.KYCInitiated, "yativocardkycstalled"},
		{silent, onboarding.OTPVerified, "yativocardstepstalled"},
		{map[string]float64{"entered_since_advance_customers": 9, "entered_since_advance_limit": 5, "stalled_customers": 1}, onboarding.KYCInitiated, "yativocardkycstalled"},
		{map[string]float64{"entered_since_advance_customers": 9, "entered_since_advance_limit": 5}, onboarding.KYCInitiated, ""},
		{map[string]float64{"entered_since_advance_customers": 9, "entered_since_advance_limit": 5, "missed_advances": 5, "missed_advances_limit": 6, "stalled_customers": 3}, onboarding.KYCInitiated, ""},
		{map[string]float64{"stalled_customers": 1}, onboarding.SafeDeploying, "yativocardsafedeploymentstalled"},
		{map[string]float64{"stalled_customers": 1}, onboarding.OTPRequested, ""},
		{map[string]float64{"undeployed_safes": 1}, onboarding.Active, "yativocardactivewithoutsafe"},
		{map[string]float64{"undeployed_safes": 1}, onboarding.KYCCompleted, ""},
	} {
		if got := with(c.values, c.status.String()).needs(c.status); got.Section != c.want {
			t.Errorf("%s with %v needs %v, want %q", c.status, c.values, got, c.want)
		}
	}
}

// A page that tells of somebody who is stuck does not say OK of itself.
func TestStuckIsNotOK(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{}), nil)
	stuck := statusRow{Status: "kyc_initiated", Waits: true, Needs: cause{"9 entered", "yativocardkycstalled"}}
	for _, c := range []struct {
		state string
		rows  []statusRow
		want  string
	}{
		{"OK", []statusRow{{Status: "otp_requested"}}, "OK"},
		{"OK", []statusRow{{Status: "otp_requested"}, stuck}, "Stuck"},
		{"Degraded", []statusRow{stuck}, "Degraded"},
		{"Blind", nil, "Blind"},
	} {
		w := httptest.NewRecorder()
		e.render(w, http.StatusOK, "status", statusPage{Health: health{State: c.state}, Rows: c.rows})
		page := w.Body.String()
		for _, want := range []string{"<title>" + c.want + " –", `<section class="banner ` + c.want + `">`, "<strong>" + c.want + "</strong>"} {
			if strings.Count(page, want) != 1 {
				t.Errorf("%s with %v lacks %s: %s", c.state, c.rows, want, page)
			}
		}
		told := `kyc_initiated: 9 entered.</span> <a href="runbook#yativocardkycstalled">What to do</a> · <a href="stalled?flow_status=kyc_initiated">Who is stalled</a>`
		if got, want := strings.Count(page, told), min(1, len(c.rows)); c.want == "OK" && got != 0 || c.want != "OK" && got != want {
			t.Errorf("%s with %v tells %d times what is stuck", c.state, c.rows, got)
		}
	}
}

// An age past its limit stands out, in words too, as on paper.
func TestAnAgePastItsLimitStandsOut(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{}), nil)
	now := time.Now()
	page := func(at map[string]float64) string {
		n := numbers{now, map[string]map[string]float64{"yativo_exporter_staleness_limit_seconds": {"customers": 180, "balances": 900}}}
		for part, age := range at {
			n.families["yativo_exporter_"+part+"_timestamp_seconds"] = map[string]float64{"": float64(now.Unix()) - age}
		}
		w := httptest.NewRecorder()
		e.render(w, http.StatusOK, "status", statusPage{numbers: n})
		return w.Body.String()
	}
	for want, at := range map[string]map[string]float64{
		`<dt>Customers read</dt><dd>2m ago, limit 3m</dd>`:                             {"snapshot": 120},
		`<dt>Customers read</dt><dd class="bad">2h 3m ago, past the limit of 3m</dd>`:  {"snapshot": 7380},
		`<dt>Customers read</dt><dd>–, limit 3m</dd>`:                                  {},
		`<dt>Balances read</dt><dd>3m ago, limit 15m</dd>`:                             {"snapshot": 240, "balance": 180},
		`<dt>Balances read</dt><dd class="bad">15m 1s ago, past the limit of 15m</dd>`: {"snapshot": 1, "balance": 901},
	} {
		if got := page(at); !strings.Contains(got, want) {
			t.Errorf("of %v the page lacks %s: %s", at, want, got)
		}
	}
}

// Totals are money, so that they are shown to those who may see the list.
func TestTotalsAreForThoseWhoMaySeeTheList(t *testing.T) {
	for listen, want := range map[string]bool{":10101": false, "127.0.0.1:10101": true} {
		e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 100}), environ{"EXPORTER_LISTEN_ADDRESS": listen})
		e.refresher.Refresh(context.Background())
		_, page := e.get(t, "/", "localhost")
		if got := strings.Contains(page, "Totals") || strings.Contains(page, "EUR"); got != want {
			t.Errorf("on %s totals are shown: %t, want %t", listen, got, want)
		}
	}
}

func TestNumbersReadWell(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", time.Hour: "1h", 90 * time.Second: "1m 30s",
		25*time.Hour + time.Minute: "1d 1h", 24*time.Hour + time.Minute: "1d",
	} {
		if got := span(d); got != want {
			t.Errorf("%s is shown as %q, want %q", d, got, want)
		}
	}
	for v, want := range map[float64]string{
		0: "0.00", 999.5: "999.50", 1234567.891: "1,234,567.89", -999.99: "-999.99", -1000: "-1,000.00", -123456: "-123,456.00",
		-9876543210.98: "-9,876,543,210.98", 9007199254740992: "9,007,199,254,740,992.00", -0.001: "0.00",
	} {
		if got := grouped(v, 2); got != want {
			t.Errorf("%g is shown as %q, want %q", v, got, want)
		}
	}
}
