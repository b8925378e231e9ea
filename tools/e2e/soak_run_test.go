//go:build e2e

package e2e_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

const (
	// soakBriefly is how long the soak of `make test` is; SOAK_DURATION is how
	// long another one is.
	soakBriefly = 2 * time.Minute
	// soakBeat is the time from one change of the population to the next.
	soakBeat = 100 * time.Millisecond
	// soakPace is how often each scraper scrapes.
	soakPace = 250 * time.Millisecond
	// soakSlack is what a busy machine may add to a recovery.
	soakSlack = 12 * time.Second
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
	for i, odd := range oddStatuses() {
		api.Update(s.ids[i], odd.apply) // so that each has its label from the first walk on
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

	want := s.truth()
	cured := time.Now()
	s.await(faultInterval+soakCooldown+soakSlack, "the exporter is well, to the cent", func(now series) error {
		return errors.Join(now.is("yativo_up", 1), now.agree(want))
	})
	s.slowest = max(s.slowest, time.Since(cured))
	// A whole refresh in health changes nothing.
	refreshes := s.metrics()["yativo_exporter_refreshes_total"]
	s.await(2*faultInterval+soakSlack, "a refresh in health", func(now series) error {
		if err := errors.Join(now.is("yativo_up", 1), now.agree(want)); err != nil {
			s.t.Fatalf("wrong while healthy: %v", err)
		}
		return now.above("yativo_exporter_refreshes_total", refreshes+1)
	})
	if lines := strings.Count(s.Stderr.String(), "\n") - logged; lines > soakLines {
		s.t.Errorf("one round of trouble made %d lines of log, more than %d", lines, soakLines)
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
