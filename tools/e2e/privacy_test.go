//go:build e2e

package e2e_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

// planted is in everything that must never be shown: identifiers, e-mails,
// credentials, and whatever else the API sends.
const planted = "planted"

// plantedCustomers are customers whose every text is planted, well-formed rows
// and broken ones, as well as the rows of a still population.
func plantedCustomers() *sandbox.Sandbox {
	api := sandbox.New(sandbox.Options{
		Seed: 7, Customers: 30, Quota: -1, APIKey: planted + "-key", APISecret: planted + "-secret",
	})
	waiting := sandbox.Customer{
		ID: planted + "-id", CardID: planted + "-card", ExternalID: planted + "-external",
		Email: planted + "-mail@example.com", Status: onboarding.KYCInitiated, CreatedAt: time.Now(),
		Raw: map[string]string{"next_action": `"planted\u001b[31m action"`},
	}
	api.Add(waiting)
	waiting.ID, waiting.ExternalID = planted+"-second", planted+"-address@example.com"
	api.Add(waiting)
	for field, raw := range map[string]string{
		"customer_id":       `{"planted":1}`,
		"flow_status":       `"planted status"`,
		"currency":          `"planted-currency"`,
		"ledger_balance":    `"planted"`,
		"balance_freshness": `"planted"`,
		"safe_deployed":     `"planted"`,
		"created_at":        `"planted"`,
		"cards_count":       `"planted"`,
	} {
		broken := waiting
		broken.ID, broken.Raw = planted+"-broken-"+field, map[string]string{field: raw}
		api.Add(broken)
	}
	return api
}

// plantingFaults are failures in which the API, or whoever stands in its
// place, says a lot.
func plantingFaults(elsewhere string) map[string]sandbox.Fault {
	const says = `{"success":false,"error":"planted","message":"planted","details":{"email":"planted@example.com"}}`
	answer := func(code int, body string, headers ...string) sandbox.Fault {
		return sandbox.Fault{Handle: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}}
	}
	return map[string]sandbox.Fault{
		"success false with 200":       answer(http.StatusOK, says),
		"an HTML page":                 answer(http.StatusOK, "<html><title>planted</title></html>"),
		"JSON that breaks off":         answer(http.StatusOK, `{"success":true,"data":{"customers":[{"customer_id":"planted`),
		"customers are a string":       answer(http.StatusOK, `{"success":true,"data":{"customers":"planted","total":1}}`),
		"total is a string":            answer(http.StatusOK, `{"success":true,"data":{"customers":[],"total":"planted"}}`),
		"400":                          answer(http.StatusBadRequest, says),
		"403":                          answer(http.StatusForbidden, says),
		"500 with headers":             answer(http.StatusInternalServerError, says, "Retry-After", planted, "X-RateLimit-Reset", planted, "Date", planted),
		"401 from the list":            answer(http.StatusUnauthorized, says).On(sandbox.CustomersEndpoint),
		"a redirect elsewhere":         answer(http.StatusTemporaryRedirect, says, "Location", elsewhere+"/planted"),
		"a redirect to no address":     answer(http.StatusFound, says, "Location", "://planted\x7f"),
		"a token that is not a string": answer(http.StatusOK, `{"success":true,"access_token":{"planted":1}}`).On(sandbox.TokenEndpoint),
		"a token no header can bear":   answer(http.StatusOK, `{"success":true,"access_token":"planted\nX: y"}`).On(sandbox.TokenEndpoint),
		"no HTTP at all": {Handle: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(conn, "planted/1.1 planted planted\r\nplanted\r\n\r\n")
			_ = conn.Close()
		}},
		"a header that is none": {Handle: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nplanted planted\r\n\r\n")
			_ = conn.Close()
		}},
	}
}

// No identifier, e-mail, credential or word of the API's answers is in the
// metrics, the log at its most talkative, the status page or the output of
// check, and no request leaves for another host, whatever goes wrong.
func TestNothingPrivateIsShown(t *testing.T) {
	t.Parallel()
	faults := plantingFaults(trap(t))
	faults["nothing at all"] = sandbox.Fault{Handle: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(w, r)
	}}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := plantedCustomers()
			recorder := &recorder{next: api}
			env := settingsFor(t, serveSandbox(t, recorder)).with(settings{
				"YATIVO_API_KEY": planted + "-key", "YATIVO_API_SECRET": planted + "-secret",
				"EXPORTER_BREAKER_COOLDOWN": "1s",
			})
			remove := api.InjectFault(fault)
			exporter := startExporter(t, env)
			exporter.await(40*time.Second, "a refresh ends", func(now series) error {
				if now["yativo_up"] == 1 || len(refreshFailures(now)) > 0 {
					return nil
				}
				return errors.New("neither well nor failed yet")
			})
			during := inspect(t, exporter, env)
			remove()
			exporter.await(30*time.Second, "the exporter is well", func(now series) error { return now.is("yativo_up", 1) })
			after := inspect(t, exporter, env)

			secrets := append(recorder.tokens(), planted)
			for where, text := range during {
				mustNotShow(t, where+" during the fault", text, secrets)
			}
			for where, text := range after {
				mustNotShow(t, where+" afterwards", text, secrets)
			}
		})
	}
}

// inspect collects everything that the exporter shows, by where.
func inspect(t *testing.T, e *exporter, env settings) map[string]string {
	t.Helper()
	check := runExporter(t, env, "check")
	shown := map[string]string{"check": check.stdout + check.stderr}
	for _, path := range []string{"/", "/metrics", "/-/healthy", "/-/ready", "/nonexistent"} {
		_, shown[path] = e.get(path)
	}
	_, shown["OpenMetrics"], _ = testutil.Get(t, "http://"+e.address+"/metrics", "Accept", "application/openmetrics-text;version=1.0.0")
	shown["the log"] = e.Stdout.String() + e.Stderr.String()
	return shown
}

func mustNotShow(t *testing.T, where, text string, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%s shows %q: …%s…", where, secret, text[max(0, at-100):min(len(text), at+100)])
		}
	}
}

// The list of the stalled is what names customers. It holds their ids, and no
// e-mail even where one was used as an external id.
func TestStalledListHoldsNoEmail(t *testing.T) {
	t.Parallel()
	env := settingsFor(t, serveSandbox(t, plantedCustomers())).with(settings{
		"YATIVO_API_KEY": planted + "-key", "YATIVO_API_SECRET": planted + "-secret",
		"EXPORTER_STALLED_AFTER": "kyc_initiated:1s",
	})
	exporter := startExporter(t, env)
	exporter.awaitReady()
	eventually(t, 30*time.Second, "the planted customers are listed", func() error {
		code, list := exporter.get("/stalled?flow_status=kyc_initiated")
		if code != http.StatusOK {
			t.Fatalf("/stalled answers %d: %s", code, list)
		}
		if strings.Contains(list, "@") {
			t.Fatalf("/stalled holds an e-mail: %s", list)
		}
		for _, want := range []string{`"planted-id"`, `"planted-external"`, `"planted-second"`} {
			if !strings.Contains(list, want) {
				return errors.New("no " + want + " in " + list)
			}
		}
		return nil
	})
	mustNotShow(t, "the log", exporter.Stdout.String()+exporter.Stderr.String(), []string{planted})
}

// trap is the address of a host that nobody has any business with.
func trap(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s reached another host", r.Method, r.URL)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// recorder remembers the access tokens that pass.
type recorder struct {
	next http.Handler

	mu   sync.Mutex
	seen map[string]bool
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if token, found := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); found {
		r.mu.Lock()
		if r.seen == nil {
			r.seen = map[string]bool{}
		}
		r.seen[token] = true
		r.mu.Unlock()
	}
	r.next.ServeHTTP(w, req)
}

func (r *recorder) tokens() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for token := range r.seen {
		all = append(all, token)
	}
	return all
}
