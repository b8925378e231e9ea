package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// viaPipe returns an HTTP client with the real transport, connected to a real
// server of the sandbox.
func viaPipe(t *testing.T, s *sandbox.Sandbox) *http.Client {
	t.Helper()
	dial, closeServer := sandbox.Pipe(s)
	transport := &http.Transport{DialContext: dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		closeServer()
	})
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetch asks for a page, and returns how far it came.
func fetch(ctx context.Context, client *http.Client, token, query string) (r reply, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://api.test"+customersPath+"?"+query, nil)
	if err != nil {
		return r, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(b)}, err
}

// faulty is a sandbox of 60 with one fault, the API's own answer to page 2, and
// what the faulty one is, in process and through a real server alike.
func faulty(t *testing.T, f sandbox.Fault, check func(t *testing.T, healthy, got reply, err error)) {
	t.Helper()
	s := sandbox.New(sandbox.Options{Customers: 60, Quota: -1, Now: newClock().Now})
	healthy := list(t, s, "page=2")
	token := s.MintToken()
	remove := s.InjectFault(f)
	for name, client := range map[string]*http.Client{"in process": s.Client(), "real server": viaPipe(t, s)} {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		t.Run(name, func(t *testing.T) {
			got, err := fetch(t.Context(), client, token, "page=2")
			check(t, healthy, got, err)
		})
	}
	remove()
	remove()
	if after := list(t, s, "page=2"); after.body != healthy.body {
		t.Errorf("the fault is still there after it was removed: %s", after.body)
	}
}

func TestFaultsThatAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		fault sandbox.Fault
		want  func(healthy, got reply) bool
	}{
		"status": {sandbox.Status(503, "Retry-After", "7"), func(_, got reply) bool {
			return got.code == 503 && got.header.Get("Retry-After") == "7" &&
				got.body == `{"error":"service_unavailable","message":"Service Unavailable."}`
		}},
		"html": {sandbox.HTML(), func(_, got reply) bool {
			return got.code == 200 && strings.HasPrefix(got.body, "<!DOCTYPE html>")
		}},
		"success false": {sandbox.SuccessFalse(), func(_, got reply) bool {
			return got.code == 200 && strings.HasPrefix(got.body, `{"success":false`)
		}},
		"redirect": {sandbox.Redirect(307, "https://elsewhere.test/"), func(_, got reply) bool {
			return got.code == 307 && got.header.Get("Location") == "https://elsewhere.test/"
		}},
		"truncate": {sandbox.Truncate(), func(healthy, got reply) bool {
			return got.code == 200 && got.body == healthy.body[:len(healthy.body)/2]
		}},
		"drip": {sandbox.Drip(1000, 0), func(healthy, got reply) bool { return got.body == healthy.body }},
		"body": {sandbox.Body("[]"), func(_, got reply) bool { return got.code == 200 && got.body == "[]" }},
		"total": {sandbox.Total(func(page int, actual int64) string {
			if page != 2 || actual != 60 {
				return "wrong"
			}
			return `"many"`
		}), func(healthy, got reply) bool {
			return got.body == strings.Replace(healthy.body, `"total":60`, `"total":"many"`, 1)
		}},
		"no total": {sandbox.Total(func(int, int64) string { return "" }), func(healthy, got reply) bool {
			return got.body == strings.Replace(healthy.body, `"total":60,`, "", 1)
		}},
		"same page": {sandbox.SamePage(), func(healthy, got reply) bool {
			return strings.HasSuffix(got.body, `"total":60,"page":1,"limit":20,"balances_included":true}}`) && got.body != healthy.body
		}},
		"empty page": {sandbox.EmptyPage(2), func(_, got reply) bool {
			return got.body == `{"success":true,"data":{"customers":[],"total":60,"page":2,"limit":20,"balances_included":true}}`
		}},
		"another empty page": {sandbox.EmptyPage(3), func(healthy, got reply) bool { return got.body == healthy.body }},
		"deep nesting": {sandbox.DeepNesting(1000), func(_, got reply) bool {
			return strings.Contains(got.body, strings.Repeat("[", 1000)+strings.Repeat("]", 1000)) && json.Valid([]byte(got.body))
		}},
		"huge body": {sandbox.HugeBody(5_000_000), func(_, got reply) bool { return len(got.body) > 5_000_000 }},
		"two faults": {sandbox.Fault{Handle: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			w.Header().Set("X-Met", "yes")
			sandbox.Truncate().Handle(w, r, next)
		}}, func(healthy, got reply) bool {
			return got.header.Get("X-Met") == "yes" && len(got.body) == len(healthy.body)/2
		}},
	} {
		t.Run(name, func(t *testing.T) {
			faulty(t, c.fault, func(t *testing.T, healthy, got reply, err error) {
				if err != nil || !c.want(healthy, got) {
					t.Errorf("%v, status %d, %v: %.300s", err, got.code, got.header, got.body)
				}
			})
		})
	}
}

func TestFaultsThatBreakTheConnection(t *testing.T) {
	faulty(t, sandbox.ResetMidBody(), func(t *testing.T, healthy, got reply, err error) {
		if !errors.Is(err, io.ErrUnexpectedEOF) || got.body != healthy.body[:len(healthy.body)/2] {
			t.Errorf("%v, %d bytes of %d", err, len(got.body), len(healthy.body))
		}
	})
	faulty(t, sandbox.Refuse(), func(t *testing.T, _, _ reply, err error) {
		if !errors.Is(err, io.EOF) {
			t.Errorf("error %v, want EOF", err)
		}
	})
}

// What compresses is decompressed by the real transport only.
func TestCompressedAnswers(t *testing.T) {
	s := sandbox.New(sandbox.Options{Customers: 60, Now: newClock().Now})
	healthy := list(t, s, "")
	client := viaPipe(t, s)
	s.InjectFault(sandbox.Gzip().First(1))
	if got, err := fetch(t.Context(), client, s.MintToken(), ""); err != nil || got.body != healthy.body {
		t.Errorf("gzip: %v, %.100s", err, got.body)
	}
	s.InjectFault(sandbox.GzipBomb(20_000_000).First(1))
	packed, err := fetch(t.Context(), s.Client(), s.MintToken(), "")
	if err != nil || len(packed.body) > 40_000 || packed.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("gzip bomb: %v, %d bytes, %v", err, len(packed.body), packed.header)
	}
}

// A hanging answer and a dripping one end when the client gives up, and leave
// nothing behind: a synctest bubble does not end while a goroutine is left.
func TestClientGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		fault   sandbox.Fault
		latency time.Duration
	}{
		"hang":    {fault: sandbox.Hang()},
		"drip":    {fault: sandbox.Drip(1, time.Second)},
		"latency": {fault: sandbox.RewriteBody(func(b []byte) []byte { return b }), latency: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sandbox.New(sandbox.Options{Customers: 60, Latency: c.latency})
				s.InjectFault(c.fault)
				for _, client := range []*http.Client{s.Client(), viaPipe(t, s)} {
					begin := time.Now()
					ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
					_, err := fetch(ctx, client, s.MintToken(), "")
					cancel()
					if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 15*time.Second {
						t.Errorf("%v after %s, want the client's deadline", err, time.Since(begin))
					}
				}
				synctest.Wait()
				if answered := s.Counters().Answered; answered[0]+answered[200] != 2 {
					t.Errorf("answers by status %v, want both requests ended", answered)
				}
			})
		})
	}
}

func TestLatencyIsAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Options{Latency: 50 * time.Millisecond})
		begin := time.Now()
		list(t, s, "")
		if took := time.Since(begin); took != 50*time.Millisecond {
			t.Errorf("an answer took %s, want 50ms", took)
		}
	})
}

// A fault is met by the requests that it is meant for, and the latest first.
func TestFaultSelection(t *testing.T) {
	s := sandbox.New(sandbox.Options{Customers: 60})
	s.InjectFault(sandbox.Status(500).On(sandbox.TokenEndpoint))
	s.InjectFault(sandbox.Status(502).First(2).When(sandbox.OnPage(2)))
	s.InjectFault(sandbox.IgnoreLimit())
	var got []int
	for _, query := range []string{"page=1&limit=7", "page=2", "page=2", "page=2", "", "page=2"} {
		got = append(got, list(t, s, query).code)
	}
	got = append(got, mint(t, s, "", "").code, do(t, s, http.MethodGet, "/", "", "").code)
	for i, want := range []int{200, 502, 502, 200, 200, 200, 500, 404} {
		if got[i] != want {
			t.Fatalf("status codes %v, request %d should be %d", got, i, want)
		}
	}
	if limit := decode(t, list(t, s, "limit=7")).Data.Limit; limit != 20 {
		t.Errorf("limit %d, want it ignored", limit)
	}
	s.InjectFault(sandbox.Status(418))
	s.InjectFault(sandbox.Status(404))
	if code := list(t, s, "").code; code != 404 {
		t.Errorf("status %d, want that of the latest fault", code)
	}
}

func TestExpiresIn(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	for raw, want := range map[string]string{`-1`: `"expires_in":-1,"expires_at"`, `"x"`: `"expires_in":"x","expires_at"`, ``: `"token_type":"Bearer","expires_at"`} {
		remove := s.InjectFault(sandbox.ExpiresIn(raw))
		if r := mint(t, s, sandbox.DefaultAPIKey, sandbox.DefaultAPISecret); !strings.Contains(r.body, want) {
			t.Errorf("%q: %s", raw, r.body)
		}
		remove()
	}
}
