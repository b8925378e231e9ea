//go:build e2e

package e2e_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// inject is a row's begin that switches faults of the sandbox on.
func inject(faults ...sandbox.Fault) func(*testing.T, *scene) func() {
	return func(_ *testing.T, s *scene) (end func()) {
		var removes []func()
		for _, f := range faults {
			removes = append(removes, s.api.InjectFault(f))
		}
		return func() {
			for _, remove := range removes {
				remove()
			}
		}
	}
}

// apiFaults are the faults of the customers endpoint.
func apiFaults(t *testing.T) []row {
	t.Helper()
	var rows []row
	for _, f := range answers(t) {
		rows = append(rows, row{
			group: "customers endpoint", name: f.name, begin: inject(f.fault.On(sandbox.CustomersEndpoint)),
			want: f.want, outlasts: f.outlasts,
		})
	}
	return append(rows,
		row{
			group: "customers endpoint", name: "401 forever", begin: inject(sandbox.Status(http.StatusUnauthorized).On(sandbox.CustomersEndpoint)),
			// The page, a new token, and the page once more.
			want: effect{reason: "auth", says: refusedCredentials, requests: 3},
		},
		row{
			group: "customers endpoint", name: "401 once", begin: inject(sandbox.Status(http.StatusUnauthorized).On(sandbox.CustomersEndpoint).First(1)),
			want: effect{requests: 5}, shows: "the token is renewed and the page repeated, once",
		},
	)
}

// tokenFaults are the faults of the token endpoint, for a token that is dead
// at each refresh.
func tokenFaults(t *testing.T) []row {
	t.Helper()
	short := sandbox.Options{TokenTTL: 4 * time.Second}
	var rows []row
	for _, f := range answers(t) {
		if f.elsewhere != "" {
			f.want.says = f.elsewhere
		}
		rows = append(rows, row{
			group: "token endpoint", name: f.name, options: short, begin: inject(f.fault.On(sandbox.TokenEndpoint)),
			want: f.want, outlasts: f.outlasts,
		})
	}
	rows = append(rows,
		row{
			group: "token endpoint", name: "401 forever", options: short, begin: inject(sandbox.Status(http.StatusUnauthorized).On(sandbox.TokenEndpoint)),
			want: effect{reason: "auth", says: refusedCredentials, requests: 1},
		},
		row{
			group: "token endpoint", name: "401 once", options: short, begin: inject(sandbox.Status(http.StatusUnauthorized).On(sandbox.TokenEndpoint).First(1)),
			want: effect{reason: "auth", says: refusedCredentials, requests: 4},
		},
		row{
			group: "token endpoint", name: "a token that is not a string", options: short,
			begin: inject(sandbox.Body(`{"success":true,"access_token":{"a":1}}`).On(sandbox.TokenEndpoint)),
			want:  effect{reason: "bad_response", says: "the answer is not the documented JSON object; check YATIVO_TOKEN_PATH", breaker: true, requests: 2},
		},
		row{
			group: "token endpoint", name: "a token with a line break in it", options: short,
			begin: inject(sandbox.Body(`{"success":true,"access_token":"a\r\nb: c"}`).On(sandbox.TokenEndpoint)),
			want:  effect{reason: "bad_response", says: "the answer's access_token is not one that an HTTP header can carry", breaker: true, requests: 2},
		},
	)
	for _, expiry := range []struct{ name, raw string }{
		{"0", "0"},
		{"negative", "-3600"},
		{"absent", ""},
		{"text", `"soon"`},
		{"null", "null"},
		// The token is dead long before, and a 401 says so.
		{"10^18", "1000000000000000000"},
	} {
		rows = append(rows, row{
			group: "token endpoint", name: "expires_in " + expiry.name, options: short, begin: inject(sandbox.ExpiresIn(expiry.raw)),
			want: effect{requests: 6},
		})
	}
	return rows
}

// webPage is an error as a proxy or a CDN makes it.
func webPage(status int) sandbox.Fault {
	return sandbox.Fault{Handle: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<!DOCTYPE html><title>Attention required</title>"))
	}}
}

const refusedCredentials = "the API answered 401: the credentials are refused; check YATIVO_API_KEY and YATIVO_API_SECRET, or YATIVO_ACCESS_TOKEN"

// badAnswer is a fault that either endpoint can have.
type badAnswer struct {
	name      string
	fault     sandbox.Fault
	want      effect
	elsewhere string // what the log says of the token endpoint, if not the same
	outlasts  bool
}

// answers are the faults that either endpoint can have.
func answers(t *testing.T) []badAnswer {
	t.Helper()
	// Three failures open the breaker: all in one refresh, where the request
	// is repeated; where it is not, a refresh makes two requests, with balances
	// and without, and the next one is the third.
	repeated := func(reason, says string) effect {
		return effect{reason: reason, says: says, breaker: true, requests: 3}
	}
	once := func(reason, says string) effect {
		return effect{reason: reason, says: says, requests: 2}
	}
	bad := func(says string) effect {
		return effect{reason: "bad_response", says: says, breaker: true, requests: 2}
	}
	// A wait beyond the refresh interval is not sat out within the refresh.
	limited := func(requests int, wait time.Duration) effect {
		return effect{reason: "rate_limited", says: "the API answered 429: the key's quota is used up", requests: requests, wait: wait}
	}
	const (
		notJSON   = "the answer is not JSON, or is cut off; check YATIVO_BASE_URL and any proxy in between"
		notObject = "the answer is not a JSON object; check YATIVO_BASE_URL and any proxy in between"
		notToken  = "the answer is not the documented JSON object; check YATIVO_TOKEN_PATH"
		tooLarge  = "the answer is larger than 8 MiB, far beyond a page of customers"
		noToken   = "the answer holds no access_token; check YATIVO_TOKEN_PATH"
		bigToken  = "the answer is larger than 256 KiB, far beyond a token"
		redirect  = ": a redirect, which is never followed; check YATIVO_BASE_URL"
		closed    = "the connection was closed in the middle of the answer"
		noAnswer  = "no whole answer within the timeout; check YATIVO_TIMEOUT"
	)
	faults := []badAnswer{
		{name: "the connection is closed without an answer", fault: sandbox.Refuse(), want: repeated("network", closed)},
		{name: "the connection breaks in the middle of the body", fault: sandbox.ResetMidBody(), want: repeated("network", closed)},
		{name: "a black hole: it accepts and never answers", fault: sandbox.Hang(), want: repeated("timeout", noAnswer)},
		{name: "one byte a second", fault: sandbox.Drip(1, time.Second), want: repeated("timeout", noAnswer)},
		{name: "headers of 1 MiB", fault: hugeHeader(), want: repeated("network", "the HTTP exchange failed: the other side does not speak HTTP as expected")},
		{name: "no HTTP at all", fault: noHTTP(), want: repeated("network", "the HTTP exchange failed: the other side does not speak HTTP as expected")},
		{name: "503 with Retry-After 1", fault: sandbox.Status(http.StatusServiceUnavailable, "Retry-After", "1"), want: repeated("server", "the API answered 503")},
		{
			name: "503 with Retry-After a year", fault: sandbox.Status(http.StatusServiceUnavailable, "Retry-After", "31536000"),
			want: effect{reason: "server", says: "the API answered 503", requests: 1, wait: 5 * time.Minute}, outlasts: true,
		},
		{name: "429", fault: sandbox.Status(http.StatusTooManyRequests), want: limited(4, 0)},
		{name: "429 with Retry-After 1", fault: sandbox.Status(http.StatusTooManyRequests, "Retry-After", "1"), want: limited(4, time.Second)},
		{name: "429 with Retry-After a year", fault: sandbox.Status(http.StatusTooManyRequests, "Retry-After", "31536000"), want: limited(1, 5*time.Minute), outlasts: true},
		{name: "429 with Retry-After -5", fault: sandbox.Status(http.StatusTooManyRequests, "Retry-After", "-5"), want: limited(4, 0)},
		{name: "429 with Retry-After a past date", fault: sandbox.Status(http.StatusTooManyRequests, "Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"), want: limited(4, 0)},
		{name: "429 with Retry-After 1_0", fault: sandbox.Status(http.StatusTooManyRequests, "Retry-After", "1_0"), want: limited(4, 0)},
		{
			name: "403 with Retry-After 1", fault: sandbox.Status(http.StatusForbidden, "Retry-After", "1"),
			want: effect{reason: "rate_limited", says: "the API answered 403 and asks to wait", requests: 4, wait: time.Second},
		},
		{name: "403 with a web page", fault: webPage(http.StatusForbidden), want: bad("the API answered 403, but not in its own form; check YATIVO_BASE_URL and any proxy in between")},
		{name: "400", fault: sandbox.Status(http.StatusBadRequest), want: once("client", "the API answered 400: it does not accept the request")},
		{name: "403", fault: sandbox.Status(http.StatusForbidden), want: once("forbidden", `the API answered 403: the key lacks a permission; grant it "read"`)},
		{name: "404", fault: sandbox.Status(http.StatusNotFound), want: once("client", "the API answered 404: the program or the path does not exist; check YATIVO_BASE_URL and YATIVO_TOKEN_PATH")},
		{name: "HTML with 200", fault: sandbox.HTML(), want: bad(notObject), elsewhere: notToken},
		{name: "no body", fault: sandbox.Body(""), want: bad(notObject), elsewhere: notToken},
		{name: "JSON that is cut off", fault: sandbox.Truncate(), want: bad(notJSON), elsewhere: notToken},
		{name: "success: false with 200", fault: sandbox.SuccessFalse(), want: bad("the answer says success: false")},
		{name: "wrong types", fault: sandbox.Body(`{"success":true,"data":{"customers":"none","total":"87"},"access_token":[]}`), want: bad("the answer's data.customers is not a list"), elsewhere: notToken},
		{name: "5 GB of JSON", fault: sandbox.HugeBody(5_000_000_000), want: bad(tooLarge), elsewhere: bigToken},
		{name: "a gzip bomb of 5 GB", fault: sandbox.GzipBomb(5_000_000_000), want: bad(tooLarge), elsewhere: bigToken},
		{name: "a million nested arrays", fault: sandbox.DeepNesting(1_000_000), want: bad(notJSON), elsewhere: bigToken},
		{name: "compression that is broken", fault: brokenGzip(), want: bad("the answer's compression is broken")},
	}
	elsewhere := trap(t)
	for _, status := range []int{301, 302, 307} {
		faults = append(faults, badAnswer{
			name: strconv.Itoa(status) + " to another host", fault: sandbox.Redirect(status, elsewhere),
			want: bad("the API answered " + strconv.Itoa(status) + redirect),
		})
	}
	for _, status := range []int{500, 502, 503, 504} {
		faults = append(faults, badAnswer{
			name: strconv.Itoa(status), fault: sandbox.Status(status),
			want: repeated("server", "the API answered "+strconv.Itoa(status)),
		})
	}
	return faults
}

// answering is a fault that writes its answer itself.
func answering(write func(w http.ResponseWriter)) sandbox.Fault {
	return sandbox.Fault{Handle: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { write(w) }}
}

func hugeHeader() sandbox.Fault {
	return answering(func(w http.ResponseWriter) { w.Header().Set("X-Request-Id", strings.Repeat("x", 1<<20)) })
}

func noHTTP() sandbox.Fault {
	return answering(func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = conn.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n"))
		_ = conn.Close()
	})
}

func brokenGzip() sandbox.Fault {
	return answering(func(w http.ResponseWriter) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte(strings.Repeat("not compressed at all", 10)))
	})
}
