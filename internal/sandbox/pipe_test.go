package sandbox_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// The real transport and server work in a bubble, with concurrent requests
// over kept connections and its clock, and end in it.
func TestPipeInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Options{Customers: 500, Speed: 1, Latency: time.Second, Quota: -1})
		client, token := viaPipe(t, s), s.MintToken()
		var wg sync.WaitGroup
		for n := range 25 {
			wg.Go(func() {
				r, err := fetch(t.Context(), client, token, fmt.Sprintf("page=%d", n+1))
				if err != nil || r.code != http.StatusOK {
					t.Errorf("page %d: %v, status %d", n+1, err, r.code)
				}
			})
		}
		wg.Wait()
		if n := s.Counters().Answered[200]; n != 25 {
			t.Errorf("%d answers, want 25", n)
		}
	})
}

func TestPipeClosed(t *testing.T) {
	dial, closeServer := sandbox.Pipe(http.NotFoundHandler())
	closeServer()
	if _, err := dial(t.Context(), "tcp", "api.test:443"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after close: %v, want connection refused", err)
	}
}

// Everything can be called at once; the race detector looks on.
func TestConcurrentUse(t *testing.T) {
	s := sandbox.New(sandbox.Options{Customers: 300, Speed: 1000, Quota: -1})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range 50 {
				list(t, s, fmt.Sprintf("page=%d", n%15+1))
				remove := s.InjectFault(sandbox.SamePage())
				s.Range(func() { s.Add(sandbox.Customer{ID: "x"}) })
				s.Update("x", func(c *sandbox.Customer) { c.Cards++ })
				s.Remove("x")
				s.Truth()
				s.Requests()
				s.Counters()
				remove()
			}
		})
	}
	wg.Wait()
	if n := s.Counters().Answered[200]; n != 200 {
		t.Errorf("%d pages were served, want 200", n)
	}
}

func BenchmarkPage(b *testing.B) {
	for _, customers := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(customers), func(b *testing.B) {
			s := sandbox.New(sandbox.Options{Customers: customers, Quota: -1})
			client, token := s.Client(), s.MintToken()
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n++
				if r, err := fetch(b.Context(), client, token, fmt.Sprintf("limit=100&page=%d", n%(customers/100)+1)); err != nil || r.code != 200 {
					b.Fatalf("page %d: %v, status %d", n, err, r.code)
				}
			}
		})
	}
}
