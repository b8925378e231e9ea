package exporter

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

// webConfig writes a web configuration and returns its path.
func webConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStalledIsGuarded(t *testing.T) {
	users := webConfig(t, "basic_auth_users:\n  ops: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n")
	headersOnly := webConfig(t, "http_server_config:\n  headers:\n    X-Frame-Options: deny\n")
	tests := map[string]struct {
		listen, webConfig, host string
		want                    int
	}{
		"loopback by name":                  {"127.0.0.1:10101", "", "localhost:10101", 200},
		"loopback by address":               {"localhost:10101", "", "127.0.0.1:10101", 200},
		"loopback without a port":           {"127.0.0.1:10101", "", "LOCALHOST", 200},
		"loopback of version 6":             {"[::1]:10101", "", "[::1]:10101", 200},
		"loopback of version 6, no port":    {"[::1]:10101", "", "[::1]", 200},
		"a name that resolves to loopback":  {"127.0.0.1:10101", "", "evil.example:10101", 403},
		"a lookalike":                       {"127.0.0.1:10101", "", "localhost.evil.example", 403},
		"no host":                           {"127.0.0.1:10101", "", "", 403},
		"every address":                     {":10101", "", "localhost:10101", 403},
		"every address of version 4":        {"0.0.0.0:10101", "", "127.0.0.1:10101", 403},
		"a web configuration without users": {":10101", headersOnly, "localhost", 403},
		"users":                             {":10101", users, "exporter.example", 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 10}), environ{
				"EXPORTER_LISTEN_ADDRESS": test.listen, "EXPORTER_WEB_CONFIG_FILE": test.webConfig,
			})
			e.refresher.Refresh(context.Background())
			status, body := e.get(t, "/stalled", test.host)
			if status != test.want {
				t.Errorf("status %d, want %d: %s", status, test.want, body)
			}
			if status == http.StatusForbidden && !strings.Contains(body, "EXPORTER_WEB_CONFIG_FILE") {
				t.Errorf("the refusal does not say what to do: %s", body)
			}
		})
	}
}

// A reverse proxy on the same machine comes from loopback and may name it, for
// whoever asks the proxy.
func TestStalledIsNotForTheClientsOfAProxy(t *testing.T) {
	users := webConfig(t, "basic_auth_users:\n  ops: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n")
	for webConfig, want := range map[string]int{"": http.StatusForbidden, users: http.StatusOK} {
		e := newTestExporter(t, sandbox.New(sandbox.Options{}), environ{"EXPORTER_LISTEN_ADDRESS": "127.0.0.1:10101", "EXPORTER_WEB_CONFIG_FILE": webConfig})
		e.refresher.Refresh(context.Background())
		for _, header := range []string{
			"X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1", "Via: 1.1 proxy", "X-Forwarded-Host: cards.example", "X-Forwarded-Proto: https",
			"X-Forwarded-Port: 443", "X-Client-IP: 192.0.2.1", "True-Client-IP: 192.0.2.1", "CF-Connecting-IP: 192.0.2.1", "X-Forwarded-For: ",
		} {
			name, value, _ := strings.Cut(header, ": ")
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/stalled", nil)
			r.Host = "127.0.0.1:10101"
			r.Header.Set(name, value)
			w := httptest.NewRecorder()
			e.Handler().ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("with %s and the web configuration %q: status %d, want %d", header, webConfig, w.Code, want)
			}
		}
	}
}

func TestStalledStopsWhenTheUsersAreRemoved(t *testing.T) {
	path := webConfig(t, "basic_auth_users:\n  ops: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n")
	e := newTestExporter(t, sandbox.New(sandbox.Options{}), environ{"EXPORTER_WEB_CONFIG_FILE": path})
	e.refresher.Refresh(context.Background())
	if status, _ := e.get(t, "/stalled", "any"); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	for _, text := range []string{"", "not: [valid", "unknown_key: 1\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, _ := e.get(t, "/stalled", "any"); status != http.StatusForbidden {
			t.Errorf("with %q: status %d", text, status)
		}
	}
}

func TestStalledAnswers(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 10}), environ{"EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0"})
	if status, _ := e.get(t, "/stalled", "localhost"); status != http.StatusServiceUnavailable {
		t.Errorf("status %d without a snapshot", status)
	}
	e.refresher.Refresh(context.Background())
	for _, unknown := range []string{"active", "unknown", "x"} {
		if status, _ := e.get(t, "/stalled?flow_status="+unknown, "localhost"); status != http.StatusBadRequest {
			t.Errorf("flow_status=%s answers %d", unknown, status)
		}
	}
	_, body := e.get(t, "/stalled?flow_status=kyc_initiated", "localhost")
	var list map[string]any
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	if customers, ok := list["customers"].([]any); !ok || len(customers) != 0 || list["total"] != 0.0 || list["generated_at"] == nil {
		t.Errorf("nobody is stalled, but the list says: %s", body)
	}
}

// ask asks an exporter on loopback for a page in a form.
func (e *Exporter) ask(t *testing.T, path, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Host = "localhost"
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	return w
}

func TestStalledIsForProgramsUnlessABrowserAsks(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 10}), environ{"EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0"})
	e.refresher.Refresh(context.Background())
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, c := range []struct{ query, accept, want string }{
		{"", "", "application/json"},
		{"", "*/*", "application/json"},
		{"?format=json", browser, "application/json"},
		{"?format=csv", browser, "text/csv; charset=utf-8"},
		{"", browser, "text/html; charset=utf-8"},
		{"?format=xml", browser, "text/plain; charset=utf-8"},
	} {
		w := e.ask(t, "/stalled"+c.query, c.accept)
		if got := w.Header().Get("Content-Type"); got != c.want {
			t.Errorf("%s for %q is %s, want %s", c.query, c.accept, got, c.want)
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Vary") != "Accept" {
			t.Errorf("%s for %q may be kept: %v", c.query, c.accept, w.Header())
		}
	}
}

// Who is refused with a browser gets a page that leads on, back to the status
// page from however deep; a program gets the same words in plain text.
func TestRefusalsLeadABrowserOn(t *testing.T) {
	api := sandbox.New(sandbox.Options{Seed: 1, Customers: 10})
	public := newTestExporter(t, api, environ{"EXPORTER_PRIVATE_ADDRESS": "127.0.0.1:20202"})
	local := newTestExporter(t, api, environ{"EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0"})
	const port = "kubectl port-forward deploy/yativo-card-exporter 20202"
	for _, c := range []struct {
		from          *Exporter
		path          string
		status        int
		root          string
		words, onPage string
	}{
		{public, "/stalled", 403, "./", port, `<pre class="id">` + port + `</pre>`},
		{public, "/stalled?flow_status=kyc_initiated", 403, "./", "open\n\n  http://localhost:20202/stalled?flow_status=kyc_initiated\n", `<a href="http://localhost:20202/stalled?flow_status=kyc_initiated">`},
		{
			public, `/stalled?flow_status=%22%3E%3Cscript%3Ealert(1)%3C/script%3E%0A%20%20javascript:alert(1)`, 403, "./", port,
			`<a href="http://localhost:20202/stalled?flow_status=%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E%0A&#43;&#43;javascript%3Aalert%281%29">`,
		},
		{local, "/stalled?flow_status=%3Cscript%3E", 400, "./", "flow_status must be one of [otp_requested ", "<p>flow_status must be one of [otp_requested "},
		{local, "/stalled", 503, "./", "no current snapshot. The first refresh is running.", "<p>There is no current snapshot. The first refresh"},
		{local, "/-/ready", 503, "./../", "no first snapshot yet. The first refresh is running.", "<p>There is no first snapshot yet."},
		{local, "/-/healthy", 200, "./../", "The process is alive", "<p>The process is alive"},
		{local, "/a/%3Cscript%3E/%2F/x", 404, "./../../../", "No such page.", "<p>No such page.</p>"},
	} {
		for accept, want := range map[string][2]string{
			"":                                    {"text/plain; charset=utf-8", c.words},
			"application/json":                    {"text/plain; charset=utf-8", c.words},
			"text/html,application/xml;q=0.9,*/*": {"text/html; charset=utf-8", c.onPage},
		} {
			w := c.from.ask(t, c.path, accept)
			body := w.Body.String()
			if w.Code != c.status || w.Header().Get("Content-Type") != want[0] || w.Header().Get("Vary") != "Accept" || !strings.Contains(body, want[1]) {
				t.Errorf("%s for %q answers %d, %v, want %d and %s: %s", c.path, accept, w.Code, w.Header(), c.status, want[1], body)
			}
			isPage := strings.Contains(want[0], "html")
			if isPage != strings.Contains(body, `<a href="`+c.root+`">Status</a>`) || isPage != strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s for %q leads not back to %s, or has no policy: %v %s", c.path, accept, c.root, w.Header(), body)
			}
			if strings.Contains(body, "<script") || strings.Contains(body, `"javascript:`) || strings.Contains(body, "ZgotmplZ") {
				t.Errorf("%s is not escaped: %s", c.path, body)
			}
		}
	}
}

// hostile are ids that somebody chose to do harm.
func hostile() []string {
	return []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `=HYPERLINK("http://evil.example","x")`,
		"+1+1", "-1+1", "\t=1", "\r=1", "javascript:alert(1)", "a,b\"c\nd", "</code></td></table>",
	}
}

func TestHostileIdsAreEscaped(t *testing.T) {
	report := &onboarding.Report{At: time.Now()}
	for _, id := range hostile() {
		customer := onboarding.StalledCustomer{ID: id, ExternalID: id, Status: onboarding.KYCInitiated, Since: report.At.Add(-90 * time.Minute), EnteredBeforeTracking: true}
		report.StalledCustomers[onboarding.KYCInitiated] = append(report.StalledCustomers[onboarding.KYCInitiated], customer)
		report.Stalled[onboarding.KYCInitiated]++
	}
	list := listStalled(report, onboarding.WaitingStatuses())
	e := newTestExporter(t, sandbox.New(sandbox.Options{}), nil)
	w := httptest.NewRecorder()
	e.render(w, http.StatusOK, "stalled", stalledPage{stalledList: list, Statuses: onboarding.WaitingStatuses(), Stalled: report.Stalled})
	page := w.Body.String()
	for _, tag := range []string{"<script", "<img", "</code></td></table></"} {
		if strings.Contains(page, tag) {
			t.Errorf("the page holds %s", tag)
		}
	}
	for _, want := range []string{"at least 1h 30m", "10 in all", "&lt;script&gt;", `class="id">javascript:alert(1)<`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}

	var text strings.Builder
	list.writeCSV(&text)
	rows, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	if err != nil || len(rows) != 1+len(hostile()) {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("a spreadsheet may compute %q", cell)
			}
		}
	}
}

// The list holds a thousand, and says so.
func TestStalledPageTellsOfItsCap(t *testing.T) {
	report := &onboarding.Report{At: time.Now()}
	for _, s := range []onboarding.Status{onboarding.KYCInitiated, onboarding.KYCCompleted} {
		report.StalledCustomers[s] = make([]onboarding.StalledCustomer, 600)
		report.Stalled[s] = 600
	}
	e := newTestExporter(t, sandbox.New(sandbox.Options{}), nil)
	w := httptest.NewRecorder()
	e.render(w, http.StatusOK, "stalled", stalledPage{stalledList: listStalled(report, onboarding.WaitingStatuses())})
	if !strings.Contains(w.Body.String(), "The 1000 customers who wait longest, of 1200 in all") {
		t.Errorf("the page does not say so: %.3000s", w.Body.String())
	}
}

// Who was just told of newcomers who wait learns why they are not listed yet.
func TestStalledPageTellsWhomItLists(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{}), environ{
		"EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0", "EXPORTER_STALLED_AFTER": "kyc_initiated:90m", "EXPORTER_ABANDONED_AFTER": "kyc_initiated:36h",
	})
	e.refresher.Refresh(context.Background())
	for path, tells := range map[string]bool{"/stalled?flow_status=kyc_initiated": true, "/stalled": false} {
		page := e.ask(t, path, "text/html").Body.String()
		want := "Customers are listed when they have been in this status for 1h 30m, and until 1d 12h."
		if !strings.Contains(page, "Nobody is stalled here.") || strings.Contains(page, want) != tells {
			t.Errorf("%s: tells %t, want %t: %s", path, !tells, tells, page)
		}
	}
}

// The private address lists customers where the public one does not, and is
// told by the refusal.
func TestPrivateAddressListsCustomers(t *testing.T) {
	e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 10}), environ{
		"EXPORTER_LISTEN_ADDRESS": ":0", "EXPORTER_PRIVATE_ADDRESS": "127.0.0.1:0",
	})
	e.refresher.Refresh(context.Background())
	listeners, err := Listen(t.Context(), e.options.Config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.Run(ctx, listeners) }()
	for i, want := range []int{http.StatusForbidden, http.StatusOK} {
		_, port, _ := strings.Cut(strings.TrimPrefix(listeners[i].Addr().String(), "[::]"), ":")
		for path, want := range map[string]int{"/stalled": want, "/": http.StatusOK} {
			status, body, _ := testutil.Get(t, "http://127.0.0.1:"+port+path)
			if status != want {
				t.Errorf("listener %d answers %d to %s, want %d: %s", i, status, path, want, body)
			}
			if status == http.StatusForbidden && !strings.Contains(body, "served at EXPORTER_PRIVATE_ADDRESS. Reach it from your machine with one of these\n\n  kubectl port-forward deploy/yativo-card-exporter 0\n") {
				t.Errorf("the refusal names no way: %s", body)
			}
			if path == "/" && strings.Contains(body, "<h2>Totals") != (want == http.StatusOK && i == 1) {
				t.Errorf("listener %d shows totals: %t", i, i == 0)
			}
		}
		if status, _, _ := testutil.Get(t, "http://127.0.0.1:"+port+"/stalled", "Host", "evil.example"); status != http.StatusForbidden {
			t.Errorf("listener %d answers %d to a browser that was told to ask for evil.example", i, status)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
