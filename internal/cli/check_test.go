package cli_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"yativo-card-exporter/internal/sandbox"
)

// The check tells somebody who never saw the API how far it is as documented,
// and shows nothing of anybody.
func TestCheckSaysHowTheAPIDiffers(t *testing.T) {
	row := func(id, created, status, more string) sandbox.Customer {
		return sandbox.Customer{JSON: `{"customer_id":"` + id + `@","created_at":"2026-04-` + created + `T08:00:00Z","flow_status":"` + status + `",` +
			`"safe_deployed":true,"cards_count":0,"phone":"+43","a@example.com":1` + more + `}`}
	}
	people := map[string][]sandbox.Customer{
		"as documented": sandbox.Example(),
		"not":           {row("a", "20", "kyc_approved", `,"step":4`), row("b", "22", "active", `,"step":5`), row("c", "21", "a b", "")},
		"ascending":     {row("b", "20", "active", ""), row("a", "21", "active", "")},
		"nobody":        nil,
	}
	tests := map[string]struct {
		people string
		fault  sandbox.Fault
		header http.Header
		want   []string
	}{
		"as documented": {"as documented", sandbox.Fault{}, nil, []string{
			"fields         every documented one is there\n", "order          the oldest customer first", "               step 6  active           1 on page 1\n",
			"filter         status=kyc_initiated counts 1 of 2\n", "58 left, until ",
		}},
		"another form": {"not", sandbox.IgnoreLimit(), nil, []string{
			"attention      documented fields that page 1 lacks: yativo_card_id, external_customer_id, email, next_action, currency, ledger_balance,",
			"               not documented: (a name that is no plain word), phone\n", "attention      asked for 100 rows, page 1 lists 3; its limit of 20 and its total of 3 would make 3\n",
			"step 4  kyc_approved (not documented) 1 on page 1\n", "step 5  active (documented as step 6) 1 on page 1\n", "step 0  unknown (not documented) 1 on page 1\n",
			"order          not by created_at\n",
		}},
		"ascending": {"ascending", sandbox.Fault{}, nil, []string{"order          the oldest customer first"}},
		"nobody":    {"nobody", sandbox.Fault{}, nil, []string{"fields         unknown, since page 1 lists nobody"}},
		"a filter that is ignored": {"as documented", sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "status=", "x=")
			next.ServeHTTP(w, r)
		}}, nil, []string{"filter         status=kyc_initiated does not work: it counts 2 of 2 customers, but 1 of the 2 rows on page 1 have this status\n"}},
		"a filter that is refused": {
			"as documented", sandbox.Status(http.StatusUnprocessableEntity).When(func(r *http.Request) bool { return r.URL.Query().Has("status") }), nil,
			[]string{"filter         status=kyc_initiated: list card customers, page 1: the API answered 422"},
		},
		"no quota":  {"as documented", sandbox.Fault{}, http.Header{"X-Ratelimit-Limit": nil, "X-Ratelimit-Remaining": nil, "X-Ratelimit-Reset": nil}, []string{"attention      the API states no quota"}},
		"odd quota": {"as documented", sandbox.Fault{}, http.Header{"X-Ratelimit-Reset": {"soon"}}, []string{"58 left, until ", "attention      the API states its quota, or when it resets, in a form"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Seed: 1, Quota: 60})
			api.SetCustomers(people[test.people])
			if test.fault.Handle != nil {
				api.InjectFault(test.fault)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				api.ServeHTTP(answer, r)
				maps.Copy(w.Header(), answer.Header())
				maps.Copy(w.Header(), test.header)
				w.WriteHeader(answer.Code)
				_, _ = w.Write(answer.Body.Bytes())
			}))
			defer server.Close()
			env := serveSandbox(t, api)
			env["YATIVO_BASE_URL"] = server.URL + sandbox.BasePath
			code, out, errs := command(t, env, "check")
			if code != exitOK || strings.Contains(out, "@") || strings.Contains(out, "+43") {
				t.Errorf("exit code %d, %s", code, errs)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q", want)
				}
			}
			if t.Failed() {
				t.Log("\n" + out)
			}
		})
	}
}
