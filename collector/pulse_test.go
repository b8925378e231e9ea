package collector_test

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

// hanging lists nothing until its context ends.
type hanging struct{}

func (hanging) Walk(ctx context.Context, _ apiclient.WalkOptions) iter.Seq2[*apiclient.Page, error] {
	return func(yield func(*apiclient.Page, error) bool) {
		<-ctx.Done()
		yield(nil, ctx.Err())
	}
}

// A refresher that hangs is told from one that waits for its next turn.
func TestIsTurning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sandbox.New(sandbox.Options{}), func(s *settings) {
			s.refresher.Client, s.refresher.BalanceInterval = hanging{}, 0
		})
		wait(time.Hour)
		if !r.IsTurning() {
			t.Error("not turning before Run")
		}
		stop := r.run()
		wait(5 * time.Minute)
		if !r.IsTurning() {
			t.Error("not turning after three intervals and the least time of a walk")
		}
		wait(time.Second)
		if r.IsTurning() {
			t.Error("turning although nothing has come for longer")
		}
		stop()
	})
}

// A first walk of 87 pages, one a minute, takes longer than any interval and
// turns all the same.
func TestSlowWalksTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 865, PageCap: 10, Quota: -1})
		r := newRig(t, api, func(s *settings) { s.client.RateLimit, s.refresher.RefreshInterval = 1, 5*time.Second })
		stop := r.run()
		defer stop()
		for minute := range 90 {
			wait(time.Minute)
			if !r.IsTurning() {
				t.Fatalf("not turning in minute %d", minute)
			}
		}
	})
}

func TestRecentRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 250, Quota: -1, Latency: time.Second})
		r := newRig(t, api, func(s *settings) { s.client.MaxConcurrency, s.refresher.BalanceInterval = 1, 0 })
		if got := r.RecentRefreshes(); len(got) > 0 {
			t.Errorf("%v before the first", got)
		}
		var starts []time.Time
		for i := range 25 {
			if i == 24 {
				api.InjectFault(sandbox.Status(403).On(sandbox.CustomersEndpoint))
			}
			starts = append(starts, time.Now())
			r.refresh()
			wait(time.Minute)
		}
		got := r.RecentRefreshes()
		if len(got) != 20 {
			t.Fatalf("%d refreshes, want 20", len(got))
		}
		for i, p := range got {
			want := struct {
				took   time.Duration
				pages  int
				up     bool
				reason apiclient.Reason
			}{3 * time.Second, 3, true, ""}
			if i == 19 {
				want.took, want.pages, want.up, want.reason = 0, 0, false, apiclient.ReasonForbidden
			}
			if !p.Start.Equal(starts[5+i]) || p.Duration != want.took || p.Pages != want.pages || p.Up != want.up || p.Reason != want.reason {
				t.Errorf("refresh %d is %+v, want one from %s with %+v", i, p, starts[5+i], want)
			}
		}
	})
}
