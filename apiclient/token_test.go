package apiclient_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

func TestOneMintHoweverManyPagesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3, Latency: time.Second})
		r := newRig(t, api, nil)
		fetchMany(t, r, 50)
		if got := r.arrived(sandbox.TokenEndpoint); got != 1 {
			t.Errorf("%d mints for 50 pages at once, want 1", got)
		}
		api.RevokeTokens()
		fetchMany(t, r, 50)
		if got := r.arrived(sandbox.TokenEndpoint); got != 2 {
			t.Errorf("%d mints after the token was revoked under 50 pages, want 2", got)
		}
		if got, want := r.value("yativo_api_retries_total", "reason", "auth"), 50.0; got != want {
			t.Errorf("%v repeats with a new token, want %v", got, want)
		}
	})
}

func fetchMany(t *testing.T, r *rig, n int) {
	t.Helper()
	var pages sync.WaitGroup
	for range n {
		pages.Go(func() {
			if _, err := r.Page(context.Background(), 1, false); err != nil {
				t.Error(err)
			}
		})
	}
	pages.Wait()
}

// A token is replaced five minutes before it dies, so that no request of a
// program's life meets a 401.
func TestTokenIsRefreshedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3})
		r := newRig(t, api, nil)
		start := time.Now()
		r.page()
		if got, want := r.value("yativo_api_token_expiry_timestamp_seconds"), float64(start.Add(time.Hour).Unix()); got != want {
			t.Errorf("the token's expiry is %v, want %v", got, want)
		}
		for _, step := range []struct {
			wait  time.Duration
			mints int
		}{{54*time.Minute + 59*time.Second, 1}, {time.Second, 2}, {54 * time.Minute, 2}, {time.Minute, 3}, {3 * time.Hour, 4}} {
			wait(step.wait)
			r.page()
			if got := r.arrived(sandbox.TokenEndpoint); got != step.mints {
				t.Errorf("%s after start: %d mints, want %d", time.Since(start), got, step.mints)
			}
		}
		if got := api.Counters().Answered[http.StatusUnauthorized]; got != 0 {
			t.Errorf("%d requests with a dead token", got)
		}
	})
}

// While the old token lives, a token endpoint that is down is asked again now
// and then, and nothing fails.
func TestRefreshAheadMayFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3})
		r := newRig(t, api, nil)
		r.page()
		wait(56 * time.Minute)
		remove := api.InjectFault(sandbox.Status(http.StatusForbidden).On(sandbox.TokenEndpoint))
		for range 60 { // of 3.5 s each
			r.page()
			wait(3500 * time.Millisecond)
		}
		if got := r.arrived(sandbox.TokenEndpoint); got < 6 || got > 9 {
			t.Errorf("%d mints, want one in 30 seconds", got)
		}
		wait(time.Minute)
		r.fails(apiclient.ReasonForbidden)
		remove()
		r.page()
	})
}

func TestRevokedTokenIsRenewedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3})
		r := newRig(t, api, nil)
		r.page()
		api.RevokeTokens()
		api.ResetRequests()
		r.page()
		if c := api.Counters(); c.Arrived[sandbox.CustomersEndpoint] != 2 || c.Arrived[sandbox.TokenEndpoint] != 1 {
			t.Errorf("a revoked token took %v", c.Arrived)
		}
		r.wantBreaker("closed")
	})
}

// An API that refuses every token is asked twice a page and minted once, and
// that is all, however often.
func TestUnauthorizedForEverIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3})
		r := newRig(t, api, func(o *apiclient.Options) { o.BreakerFailures = 1 })
		api.InjectFault(sandbox.Status(http.StatusUnauthorized).On(sandbox.CustomersEndpoint))
		for range 10 {
			api.ResetRequests()
			r.fails(apiclient.ReasonAuth)
			if c := api.Counters(); c.Arrived[sandbox.CustomersEndpoint] != 2 || c.Arrived[sandbox.TokenEndpoint] > 2 {
				t.Errorf("a refused token took %v", c.Arrived)
			}
		}
		r.wantBreaker("closed")
		api.InjectFault(sandbox.Status(http.StatusUnauthorized).On(sandbox.TokenEndpoint))
		api.ResetRequests()
		err := r.failure(apiclient.ReasonAuth)
		if c := api.Counters(); c.Arrived[sandbox.CustomersEndpoint] != 1 || c.Arrived[sandbox.TokenEndpoint] != 1 {
			t.Errorf("a refused key took %v", c.Arrived)
		}
		if !strings.Contains(err.Error(), "mint an access token") || !strings.Contains(err.Error(), "; see credentials") {
			t.Errorf("the error does not say what to do: %v", err)
		}
		r.wantBreaker("closed")
	})
}

// A renewal that fails leaves no token behind, not even an empty one: the next
// request mints, whatever the API would have answered to no token at all.
func TestFailedRenewalIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3})
		r := newRig(t, api, nil)
		r.page()
		api.RevokeTokens()
		remove := api.InjectFault(sandbox.Status(http.StatusServiceUnavailable).On(sandbox.TokenEndpoint))
		empty := 0
		api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) {
			if strings.TrimSpace(strings.TrimPrefix(q.Header.Get("Authorization"), "Bearer")) == "" {
				empty++
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			next.ServeHTTP(w, q)
		}})
		for range 3 {
			r.fails(apiclient.ReasonServer)
		}
		remove()
		r.page()
		if empty > 0 {
			t.Errorf("%d requests went out with an empty token", empty)
		}
	})
}

func TestKeyRotationNeedsNoRestart(t *testing.T) {
	key, secret := filepath.Join(t.TempDir(), "key"), filepath.Join(t.TempDir(), "secret")
	write(t, key, sandbox.DefaultAPIKey+"\n")
	write(t, secret, " "+sandbox.DefaultAPISecret+"\n")
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3})
		r := newRig(t, api, func(o *apiclient.Options) {
			o.APIKey, o.APISecret = apiclient.SecretFile(key), apiclient.SecretFile(secret)
		})
		r.page()
		api.RotateKey("key2", "secret2")
		api.RevokeTokens()
		r.fails(apiclient.ReasonAuth)
		write(t, key, "key2\n")
		r.fails(apiclient.ReasonAuth) // the two files are not replaced at once
		write(t, secret, "secret2")
		r.page()

		api.RevokeTokens()
		write(t, secret, "")
		err := r.failure(apiclient.ReasonClient)
		if !strings.Contains(err.Error(), "; see api_secret") || strings.Contains(err.Error(), secret) {
			t.Errorf("the error does not say what to check alone: %v", err)
		}
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		err = r.failure(apiclient.ReasonClient)
		if !strings.Contains(err.Error(), "; see api_key") {
			t.Errorf("the error does not say what to check: %v", err)
		}
		r.wantBreaker("closed")
	})
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestStaticToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3})
		write(t, path, api.MintToken()+"\n")
		r := newRig(t, api, func(o *apiclient.Options) {
			o.APIKey, o.APISecret, o.AccessToken = apiclient.Secret{}, apiclient.Secret{}, apiclient.SecretFile(path)
		})
		r.page()
		if r.find("yativo_api_token_expiry_timestamp_seconds") != nil {
			t.Error("a static token has an expiry")
		}
		api.RevokeTokens()
		api.ResetRequests()
		err := r.failure(apiclient.ReasonAuth)
		if got := r.arrived(sandbox.CustomersEndpoint); got != 1 {
			t.Errorf("a refused static token took %d requests, want 1", got)
		}
		if !strings.Contains(err.Error(), "; see credentials") {
			t.Errorf("the error does not say what to check: %v", err)
		}
		write(t, path, "")
		if err := r.failure(apiclient.ReasonClient); !strings.Contains(err.Error(), "; see access_token") {
			t.Errorf("the error does not say what to check: %v", err)
		}
		write(t, path, api.MintToken())
		r.page()
		if got := r.arrived(sandbox.TokenEndpoint); got != 0 {
			t.Errorf("%d mints with a static token", got)
		}
	})
}

// Whatever the answer says of the token's life, it is minted neither for each
// page nor never again.
func TestTokenLifetimes(t *testing.T) {
	for raw, want := range map[string]time.Duration{
		`3600`: time.Hour, `1800`: 30 * time.Minute, `60.5`: 60500 * time.Millisecond, `1`: time.Second, `0.001`: time.Second,
		`1e9`: 24 * time.Hour, `99999999999999999999`: 24 * time.Hour,
		// These say nothing, and expires_at is believed.
		``: 2 * time.Hour, `0`: 2 * time.Hour, `-1`: 2 * time.Hour, `null`: 2 * time.Hour, `"3600"`: 2 * time.Hour, `1e400`: 2 * time.Hour, `[]`: 2 * time.Hour, `{"a":1}`: 2 * time.Hour, `true`: 2 * time.Hour,
	} {
		t.Run(raw, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ttl := 2 * time.Hour
				if want > ttl {
					ttl = 30 * time.Hour
				}
				api := sandbox.New(sandbox.Options{Customers: 3, TokenTTL: ttl})
				api.InjectFault(sandbox.ExpiresIn(raw))
				r := newRig(t, api, nil)
				start := time.Now()
				for range 20 {
					r.page()
				}
				if got := r.arrived(sandbox.TokenEndpoint); got != 1 {
					t.Errorf("%d mints for 20 pages at once", got)
				}
				if got, want := r.value("yativo_api_token_expiry_timestamp_seconds"), start.Add(want).Unix(); got != float64(want) {
					t.Errorf("it dies at %v, want %v", got, want)
				}
				ahead := min(5*time.Minute, want/5)
				wait(want - ahead - time.Millisecond)
				r.page()
				if got := r.arrived(sandbox.TokenEndpoint); got != 1 {
					t.Errorf("it was minted again %s before its end", ahead+time.Millisecond)
				}
				wait(2 * time.Millisecond)
				r.page()
				if got := r.arrived(sandbox.TokenEndpoint); got != 2 {
					t.Errorf("it was not minted again %s before its end", ahead)
				}
			})
		})
	}
}

func TestTokenAnswers(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"smallest", `{"access_token":"t"}`, ""},
		{"expiry in the past", `{"access_token":"t","expires_at":"2001-01-01T00:00:00Z"}`, ""},
		{"expiry nonsense", `{"access_token":"t","expires_at":"soon","expires_in":"soon"}`, ""},
		{"web page", "<html>" + marker, "not the documented JSON"},
		{"empty", "", "not the documented JSON"},
		{"list", `["` + marker + `"]`, "not the documented JSON"},
		{"token number", `{"access_token":12345}`, "not the documented JSON"},
		{"truncated", `{"access_token":"` + marker, "not the documented JSON"},
		{"two objects", `{"access_token":"t"}{}`, "not the documented JSON"},
		{"null", `null`, "no access_token"},
		{"no token", `{"success":true,"message":"` + marker + `"}`, "no access_token"},
		{"token null", `{"access_token":null}`, "no access_token"},
		{"token empty", `{"access_token":""}`, "no access_token"},
		{"success false", `{"success":false,"access_token":"` + marker + `"}`, "success: false"},
		{"line break", `{"access_token":"` + marker + `\r\nX-Evil: 1"}`, "header can carry"},
		{"beyond ASCII", `{"access_token":"é"}`, "header can carry"},
		{"space", `{"access_token":"a b"}`, "header can carry"},
		{"huge", `{"access_token":"` + strings.Repeat("x", 1<<20) + `"}`, "larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Customers: 3})
			api.InjectFault(sandbox.Body(c.body).On(sandbox.TokenEndpoint))
			api.InjectFault(sandbox.Body(`{"data":{"customers":[],"total":0}}`).On(sandbox.CustomersEndpoint))
			r := newRig(t, api, nil)
			if c.want == "" {
				r.page()
				return
			}
			err := r.failure(apiclient.ReasonBadResponse)
			if !strings.Contains(err.Error(), "mint an access token: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			if strings.Contains(err.Error()+r.log.String(), "MARKER") {
				t.Errorf("the answer is quoted: %v", err)
			}
			if got := r.arrived(sandbox.CustomersEndpoint); got != 0 {
				t.Errorf("%d pages were asked for without a token", got)
			}
		})
	}
}

// No redirect is followed, neither with a token nor with a key.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with headers %v", r.Header)
	}))
	defer elsewhere.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		for _, endpoint := range []sandbox.Endpoint{sandbox.CustomersEndpoint, sandbox.TokenEndpoint} {
			for _, location := range []string{elsewhere.URL + "/steal", "//" + strings.TrimPrefix(elsewhere.URL, "http://"), "/api/v1/elsewhere", "http://[::1:bad", ""} {
				t.Run(fmt.Sprint(code, endpoint, location), func(t *testing.T) {
					api := sandbox.New(sandbox.Options{Customers: 3})
					server := httptest.NewServer(api)
					defer server.Close()
					api.InjectFault(sandbox.Fault{Endpoint: endpoint, Handle: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
						if location != "" {
							w.Header().Set("Location", location)
						}
						w.WriteHeader(code)
					}})
					r := newRig(t, api, func(o *apiclient.Options) {
						o.BaseURL = parse(t, server.URL+sandbox.BasePath)
						transport := apiclient.NewTransport(4, 5*time.Minute)
						t.Cleanup(transport.CloseIdleConnections)
						o.Transport = transport
						patient(o)
					})
					err := r.failure(apiclient.ReasonBadResponse)
					if !strings.Contains(err.Error(), "redirect") || location != "" && strings.Contains(err.Error(), location) {
						t.Errorf("error %v", err)
					}
					if got := api.Counters().Arrived; got[endpoint] != 1 || got[sandbox.Any] != 0 {
						t.Errorf("a redirect took %v", got)
					}
				})
			}
		}
	}
}

// Neither errors nor logs, at any level, hold a secret, a token or a customer.
func TestNothingSecretIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 300, APIKey: "planted-key", APISecret: "planted-s3cret"})
		r := newRig(t, api, func(o *apiclient.Options) {
			o.APIKey, o.APISecret = apiclient.SecretValue("planted-key"), apiclient.SecretValue("planted-s3cret")
			o.BreakerFailures = 5
		})
		var said strings.Builder
		for _, fault := range []sandbox.Fault{
			sandbox.Status(500), sandbox.Status(503, "Retry-After", "7"), sandbox.Status(401), sandbox.Status(403), sandbox.Status(404), sandbox.Status(422),
			sandbox.HTML(), sandbox.Truncate(), sandbox.ResetMidBody(), sandbox.Hang(), sandbox.Refuse(), sandbox.Redirect(302, "https://planted-key.test/"),
		} {
			for _, endpoint := range []sandbox.Endpoint{sandbox.TokenEndpoint, sandbox.CustomersEndpoint, sandbox.Any} {
				remove := api.InjectFault(fault.On(endpoint))
				api.RevokeTokens()
				_, err := r.walk(true)
				fmt.Fprintf(&said, "%v %+v %#v\n", err, err, err)
				remove()
				wait(time.Minute)
			}
		}
		if _, err := r.walk(true); err != nil {
			t.Fatal(err)
		}
		said.WriteString(r.log.String())
		leaks := []string{"planted", "eyJ", "Bearer", "@example.com", "usr_", "yativo_card_customer_", api.Customers()[0].ID}
		for _, leak := range leaks {
			if i := strings.Index(said.String(), leak); i >= 0 {
				t.Errorf("%q was said: …%s…", leak, said.String()[max(0, i-100):i+40])
			}
		}
		if !strings.Contains(said.String(), "list card customers, page 1") {
			t.Error("nothing was said at all")
		}
	})
}
