package sandbox_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

func number(t *testing.T, r reply, header string) int {
	t.Helper()
	n, err := strconv.Atoi(r.header.Get(header))
	if err != nil {
		t.Fatalf("%s: %v", header, err)
	}
	return n
}

func TestQuotaIsARollingMinute(t *testing.T) {
	c := newClock()
	s := sandbox.New(sandbox.Options{Now: c.Now, Quota: 3})
	start := int(c.Now().Unix())
	// Each request: when, and what the answer says.
	for _, step := range []struct{ at, code, remaining, reset, retry int }{
		{0, 200, 2, 60, 0},
		{10, 200, 1, 60, 0},
		{50, 200, 0, 60, 0},
		{51, 429, 0, 60, 9},
		{59, 429, 0, 60, 1},
		{60, 200, 0, 70, 0}, // the first has left the window
		{61, 429, 0, 70, 9},
		{200, 200, 2, 260, 0},
	} {
		c.set(time.Unix(int64(start+step.at), 0))
		r := mint(t, s, sandbox.DefaultAPIKey, sandbox.DefaultAPISecret)
		got := []int{r.code, number(t, r, "X-RateLimit-Limit"), number(t, r, "X-RateLimit-Remaining"), number(t, r, "X-RateLimit-Reset") - start}
		want := []int{step.code, 3, step.remaining, step.reset}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("at %d s: status, limit, remaining, reset are %v, want %v", step.at, got, want)
		}
		body := fmt.Sprintf(`{"error":"rate_limit_exceeded","message":"Too many requests. Please wait before retrying.","retry_after":%d}`, step.retry)
		if step.code == 429 && (number(t, r, "Retry-After") != step.retry || r.body != body) {
			t.Errorf("at %d s: Retry-After %s, body %s, want %d", step.at, r.header.Get("Retry-After"), r.body, step.retry)
		}
	}
}

func TestNoQuota(t *testing.T) {
	c := newClock()
	s := sandbox.New(sandbox.Options{Now: c.Now, Quota: -1})
	for range 2000 {
		if r := list(t, s, ""); r.code != 200 || number(t, r, "X-RateLimit-Remaining") < 2000 {
			t.Fatalf("status %d, remaining %s", r.code, r.header.Get("X-RateLimit-Remaining"))
		}
	}
}

// In the rate-limit scenario the quota sinks although nobody but production
// traffic uses it, some requests are turned away, and afterwards it recovers.
func TestRateLimitScenario(t *testing.T) {
	c := newClock()
	s := sandbox.New(sandbox.Options{Now: c.Now, Scenario: sandbox.RateLimit})
	at := func(elapsed time.Duration) reply {
		c.set(newClock().Now().Add(elapsed))
		return do(t, s, http.MethodGet, customersPath, s.MintToken(), "")
	}
	for cycle := range 2 {
		begin := sandbox.RateLimitDelay + time.Duration(cycle)*(sandbox.RateLimitFor+sandbox.RateLimitCure)
		if left := number(t, at(begin), "X-RateLimit-Remaining"); left < 590 {
			t.Errorf("cycle %d: %d left before the trouble", cycle, left)
		}
		if left := number(t, at(begin+30*time.Second), "X-RateLimit-Remaining"); left > 300 || left < 100 {
			t.Errorf("cycle %d: %d left half a minute into the trouble, want it to have sunk", cycle, left)
		}
		codes := map[int]int{}
		for i := range 60 {
			codes[at(begin+time.Minute+time.Duration(i)*997*time.Millisecond).code]++
		}
		if codes[429] < 6 || codes[200] < 6 {
			t.Errorf("cycle %d: answers by status %v, want some turned away and some not", cycle, codes)
		}
		if left := number(t, at(begin+sandbox.RateLimitFor+time.Minute), "X-RateLimit-Remaining"); left < 590 {
			t.Errorf("cycle %d: %d left a minute after the trouble, want it recovered", cycle, left)
		}
	}
}
