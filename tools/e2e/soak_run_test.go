//go:build e2e

package e2e_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

const (
	// soakBriefly is how long the soak of `make test` is; SOAK_DURATION is how
	// long another one is.
	soakBriefly = 2 * time.Minute
	// soakBeat is the time from one change of the population to the next.
	soakBeat = 100 * time.Millisecond
	// soakCooldown is that of the breaker.
	soakCooldown = 5 * time.Second
	// soakLimit is YATIVO_RATE_LIMIT.
	soakLimit = 600
	// soakLines is the most lines of log in one round of trouble and recovery.
	soakLines = 12
)

// soak is an exporter that goes from trouble to trouble, over a population that
// moves.
type soak struct {
	*exporter
	t      *testing.T
	api    *sandbox.Sandbox
	chance *rand.Rand
	ids    []string
	born   int
	gone   atomic.Int64 // customers who were removed

	rounds, faults int
	slowest        time.Duration // recovery
}

// Under random troubles and a moving population, with two scrapers, every
// snapshot is one that the population had, each recovery is in time and to the
// cent, and nothing piles up.
func TestSoak(t *testing.T) {
	t.Parallel()
	lasts, seed := soakParameters(t)
	api := sandbox.New(sandbox.Options{Seed: seed, Customers: 350, Quota: -1, TokenTTL: 20 * time.Second})
	s := &soak{t: t, api: api, chance: rand.New(rand.NewPCG(seed, 2026))}
	for _, c := range api.Customers() {
		s.ids = append(s.ids, c.ID)
	}
	s.exporter = startExporter(t, settingsFor(t, serveSandbox(t, api)).with(settings{
		"YATIVO_TIMEOUT": faultTimeout.String(), "YATIVO_RATE_LIMIT": strconv.Itoa(soakLimit),
		"EXPORTER_REFRESH_INTERVAL": faultInterval.String(), "EXPORTER_BREAKER_COOLDOWN": soakCooldown.String(), "EXPORTER_LOG_LEVEL": "info",
	}))
	s.awaitReady()
	scrapers := []*scraper{{e: s.exporter, s: s, checks: true}, {e: s.exporter, s: s}}
	stop := make(chan struct{})
	done := make(chan struct{}, len(scrapers))
	for _, sc := range scrapers {
		go func() {
			defer func() { done <- struct{}{} }()
			sc.run(stop)
		}()
	}

	begun := time.Now()
	s.round()
	settled, settledMemory := s.metrics(), residentMemory(t, s.process)
	for time.Since(begun) < lasts && !t.Failed() {
		s.round()
	}
	close(stop)
	for range scrapers {
		<-done
	}
	s.backTo(settled, time.Minute)
	s.report(lasts, seed, scrapers, settled, settledMemory)
	s.endCleanly(syscall.SIGTERM, 10*time.Second)
}

// soakParameters are how long the soak lasts, and its seed.
func soakParameters(t *testing.T) (lasts time.Duration, seed uint64) {
	t.Helper()
	lasts, err := time.ParseDuration(cmp.Or(os.Getenv("SOAK_DURATION"), soakBriefly.String()))
	if err != nil {
		t.Fatalf("SOAK_DURATION: %v", err)
	}
	seed, err = strconv.ParseUint(cmp.Or(os.Getenv("SOAK_SEED"), "1"), 10, 64)
	if err != nil {
		t.Fatalf("SOAK_SEED: %v", err)
	}
	return lasts, seed
}

// round is a trouble, and the recovery from it.
func (s *soak) round() {
	s.t.Helper()
	s.rounds++
	logged := strings.Count(s.Stderr.String(), "\n")
	beat := time.NewTicker(soakBeat)
	defer beat.Stop()
	var ends []func()
	for range 1 + s.chance.IntN(3) {
		ends = append(ends, s.api.InjectFault(s.fault()))
		s.faults++
	}
	if s.chance.IntN(3) == 0 {
		s.api.RevokeTokens()
	}
	for range 30 + s.chance.IntN(120) { // beats: 3 to 15 s
		<-beat.C
		s.move()
	}
	for _, end := range ends {
		end()
	}

	want := truthOf(s.t, s.api.Truth())
	cured := time.Now()
	s.await(faultInterval+soakCooldown+faultSlack, "the exporter is well, to the cent", func(now series) error {
		return errors.Join(now.is("yativo_up", 1), now.agree(want))
	})
	s.slowest = max(s.slowest, time.Since(cured))
	// A whole refresh in health changes nothing.
	refreshes := s.metrics()["yativo_exporter_refreshes_total"]
	s.await(2*faultInterval+faultSlack, "a refresh in health", func(now series) error {
		if err := errors.Join(now.is("yativo_up", 1), now.agree(want)); err != nil {
			s.t.Fatalf("wrong while healthy: %v", err)
		}
		return now.above("yativo_exporter_refreshes_total", refreshes+1)
	})
	if lines := strings.Count(s.Stderr.String(), "\n") - logged; lines > soakLines {
		s.t.Errorf("one round of trouble made %d lines of log, more than %d", lines, soakLines)
	}
}

// fault draws a fault that may spoil refreshes and must never spoil data: for
// one endpoint or both, for all requests or some of them.
func (s *soak) fault() sandbox.Fault {
	faults := []sandbox.Fault{
		sandbox.Refuse(), sandbox.ResetMidBody(), sandbox.Hang(), sandbox.Drip(100, 50*time.Millisecond),
		sandbox.Status(500), sandbox.Status(502), sandbox.Status(503, "Retry-After", "1"), sandbox.Status(504),
		sandbox.Status(429), sandbox.Status(429, "Retry-After", "1"), sandbox.Status(400), sandbox.Status(401), sandbox.Status(403), sandbox.Status(404),
		sandbox.Status(403, "Retry-After", "1"), sandbox.Status(429, "Retry-After", "1_0"), idBeside(), shuffled(), sandbox.Status(404).When(sandbox.OnPage(5)),
		sandbox.Redirect(302, "http://127.0.0.1:1/"), sandbox.HTML(), sandbox.Truncate(), sandbox.SuccessFalse(), sandbox.Body(`{"data":[]}`),
		sandbox.HugeBody(64 << 20), sandbox.GzipBomb(1 << 30), sandbox.DeepNesting(50_000),
		sandbox.SamePage(), sandbox.IgnoreLimit(), sandbox.EmptyPage(2), sandbox.ExpiresIn("0"), sandbox.ExpiresIn(""), noHTTP(), hugeHeader(), brokenGzip(),
	}
	f := faults[s.chance.IntN(len(faults))]
	if f.Endpoint == "" {
		f = f.On([]sandbox.Endpoint{sandbox.Any, sandbox.CustomersEndpoint, sandbox.TokenEndpoint}[s.chance.IntN(3)])
	}
	switch s.chance.IntN(3) {
	case 0:
		return f.First(1 + s.chance.IntN(10))
	case 1:
		if f.Match == nil {
			return f.When(sandbox.OnPage(1 + s.chance.IntN(4)))
		}
	}
	return f
}

// idBeside puts an id that is not the customer's before each customer_id.
func idBeside() sandbox.Fault {
	return sandbox.RewriteBody(func(body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(`{"customer_id":`), []byte(`{"id":"0","_id":"","customer_id":`))
	}).On(sandbox.CustomersEndpoint)
}

// shuffled lists another page than the one asked for, and another each time.
func shuffled() sandbox.Fault {
	var asked atomic.Int64
	return sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		query := r.URL.Query()
		query.Set("page", strconv.FormatInt(1+asked.Add(1)%4, 10))
		r.URL.RawQuery = query.Encode()
		next.ServeHTTP(w, r)
	}}
}

// move changes the population: a sign-up, a departure, or somebody's status and
// balances.
func (s *soak) move() {
	statuses := []onboarding.Status{
		onboarding.OTPRequested, onboarding.OTPVerified, onboarding.KYCInitiated, onboarding.KYCCompleted,
		onboarding.SafeDeploying, onboarding.CardCreated, onboarding.Active,
	}
	switch which := s.chance.IntN(len(s.ids)); s.chance.IntN(20) {
	case 0:
		s.born++
		c := plain("born-" + strconv.Itoa(s.born))
		s.ids = append(s.ids, c.ID)
		s.api.Add(c)
	case 1:
		s.gone.Add(1)
		s.api.Remove(s.ids[which])
		s.ids = slices.Delete(s.ids, which, which+1)
	default:
		status, cents := statuses[s.chance.IntN(len(statuses))], s.chance.IntN(1_000_000)
		s.api.Update(s.ids[which], func(c *sandbox.Customer) {
			c.Status, c.SafeDeployed = status, status.Step() == 6
			c.Currency, c.Ledger, c.Available, c.Pending, c.Freshness, c.Cards = "", "", "", "", "", 0
			if c.SafeDeployed {
				c.Currency, c.Cards = []string{"USD", "EUR", "GBP"}[cents%3], cents%3
				c.Ledger = fmt.Sprintf("%d.%02d", cents/100, cents%100)
				c.Freshness, c.Available = "on_chain", c.Ledger
				if cents%2 == 0 {
					c.Freshness, c.Pending = "realtime", "0"
				}
			}
		})
	}
}

// report judges what only the whole run can tell, and records its figures.
func (s *soak) report(lasts time.Duration, seed uint64, scrapers []*scraper, settled series, settledMemory int) {
	s.t.Helper()
	peak, memory := peakMemory(s.t, s.process), residentMemory(s.t, s.process)
	if peak > mostMemory {
		s.t.Errorf("it took %d MiB at its peak, more than %d", peak>>20, mostMemory>>20)
	}
	busiest := sandbox.BusiestMinute(s.api.Requests())
	if busiest > soakLimit {
		s.t.Errorf("%d requests arrived in one minute, more than YATIVO_RATE_LIMIT", busiest)
	}
	var took []time.Duration
	snapshots, wrong := 0, 0
	for _, sc := range scrapers {
		took = append(took, sc.took...)
		snapshots += sc.snapshots
		wrong += sc.wrong
	}
	slices.Sort(took)
	now := s.metrics()
	row := fmt.Sprintf("| %v | %d | %d | %d | %d | %d | %d | %.1f s | %.1f / %.1f ms | %d / %d / %d MiB | %+.0f / %+.0f | %d |\n",
		lasts, seed, s.rounds, s.faults, len(took), snapshots, wrong, s.slowest.Seconds(),
		took[len(took)/2].Seconds()*1e3, took[len(took)*99/100].Seconds()*1e3, settledMemory>>20, memory>>20, peak>>20,
		now["go_goroutines"]-settled["go_goroutines"], now["process_open_fds"]-settled["process_open_fds"], busiest)
	s.t.Logf("duration, seed, rounds, faults, scrapes, snapshots checked, wrong values, slowest recovery, /metrics p50 / p99, "+
		"memory after the first round / at the end / at the peak, goroutines / descriptors more, requests in the busiest minute:\n%s", row)
	if s.t.Failed() || os.Getenv("DOCS") != "write" {
		return
	}
	same := fmt.Sprintf("| %v | %d |", lasts, seed)
	var rows strings.Builder
	for line := range strings.Lines(faultsSection(s.t, "soak").Text) {
		if !strings.HasPrefix(line, same) {
			rows.WriteString(line)
		}
	}
	documented(s.t, "soak", rows.String()+row)
}
