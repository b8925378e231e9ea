//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

// The exporter under a fault is configured so that a row of the table takes
// seconds; what it does is the same with the defaults, only slower.
const (
	faultInterval = 5 * time.Second
	faultCooldown = 8 * time.Second
	// faultTimeout is that of requests where a timeout is the fault; elsewhere a
	// busy machine must not make one.
	faultTimeout   = 3 * time.Second
	patientTimeout = 15 * time.Second
	// scrapePace is how often an exporter in a fault is scraped.
	scrapePace = 500 * time.Millisecond
	// faultSlack is what a machine with everything at once to do may add to a
	// recovery. How many refreshes that takes depends on no machine.
	faultSlack = 30 * time.Second
)

// The bounds that hold in every row.
const (
	// mostScrapeRatio is how much slower /metrics may be than that of an
	// exporter without a fault at the same moments, by the median of the latest
	// scrapesJudged; scrapeNoise is a time that a busy machine's scheduler alone
	// can take.
	mostScrapeRatio = 2.0
	scrapesJudged   = 20
	scrapeNoise     = 25 * time.Millisecond
	// mostGoroutines and mostDescriptors are how many more there may be after
	// the fault than before: idle connections, to the API and from scrapers.
	mostGoroutines  = 10
	mostDescriptors = 8
	// mostMemory is the most resident memory that the process ever had.
	mostMemory = 96 << 20
)

// row is a fault and what the exporter makes of it.
type row struct {
	group, name string
	options     sandbox.Options // beside the usual population
	// place serves the API, and whatever stands in front of it; nil is the
	// sandbox alone.
	place func(t *testing.T, api *sandbox.Sandbox) place
	// begin switches the fault on.
	begin func(t *testing.T, s *scene) (end func())
	want  effect
	// data, unless nil, objects to what the customers' series say during the
	// fault; otherwise they are those from before it.
	data func(now, before series) error
	// shows says the same in words, where no refresh fails.
	shows string
	// outlasts says that the exporter goes on waiting after the fault, for as
	// long as the API asked, so that the test does not wait for its recovery.
	outlasts bool
}

// place is where the API is to be had.
type place struct {
	baseURL string
	env     settings
	// command, unless nil, wraps the exporter's.
	command []string

	// What a row's begin may turn, where it is there.
	proxy  *proxy
	server *tlsServer
	hosts  string // path
}

// scene is an exporter in a fault.
type scene struct {
	*exporter
	api   *sandbox.Sandbox
	place place
}

// figures are what a row measured; the table's bounds hold for them.
type figures struct {
	scrapeRatio           float64
	recovery, bound       time.Duration
	memory                int
	goroutines, fds, logs int
}

// meet runs the row: an exporter that is well meets the fault, is watched in
// it, and afterwards.
func (r row) meet(t *testing.T, control *exporter) (effect, figures) {
	t.Helper()
	options := r.options
	options.Seed, options.Customers, options.Quota = 7, 230, -1
	api := sandbox.New(options)
	at := place{}
	if r.place == nil {
		at.baseURL = serveSandbox(t, api)
	} else {
		at = r.place(t, api)
	}
	timeout := patientTimeout
	if r.want.reason == "timeout" {
		timeout = faultTimeout
	}
	env := settingsFor(t, at.baseURL).with(settings{
		"YATIVO_TIMEOUT":            timeout.String(),
		"YATIVO_RATE_LIMIT":         "600",
		"EXPORTER_REFRESH_INTERVAL": faultInterval.String(),
		"EXPORTER_BREAKER_FAILURES": "3",
		"EXPORTER_BREAKER_COOLDOWN": faultCooldown.String(),
		"EXPORTER_LOG_LEVEL":        "info",
	}).with(at.env)
	s := &scene{exporter: startExporterBy(t, at.command, env), api: api, place: at}

	healthy := truth(t, api)
	well := func(now series) error {
		return errors.Join(now.agree(healthy), now.is("yativo_up", 1), now.is(breakerState("closed"), 1))
	}
	s.await(time.Minute, "the exporter is well before the fault, and the next refresh is not near", func(now series) error {
		begun := now["yativo_exporter_last_refresh_timestamp_seconds"] - now["yativo_exporter_refresh_duration_seconds"]
		if since := time.Since(time.UnixMilli(int64(begun * 1e3))); since > faultInterval-2*time.Second {
			return fmt.Errorf("the last refresh began %s ago", since)
		}
		return well(now)
	})
	before := s.metrics()
	quiet := len(s.Stderr.String())
	api.ResetRequests()

	end := r.begin(t, s)
	during, f := r.watch(t, s, control, before)
	sent := s.requests(before, during)
	begun := s.metrics()[refreshesEnded] - before[refreshesEnded] + 1 // by when that was counted
	seen := s.effect(t, before, during, quiet)
	seen.wait = r.want.wait
	r.judge(t, &seen, sent, begun)
	lines := logLines(t, s.Stderr.String()[quiet:])
	oneLineEach(t, lines)
	end()

	f.logs = len(lines)
	if !r.outlasts {
		r.recover(t, s, well, &f)
	}
	f.goroutines, f.fds = s.backTo(before, faultSlack)
	f.memory = peakMemory(t, s.process)
	if f.memory > mostMemory {
		t.Errorf("it took %d MiB at its peak, more than %d", f.memory>>20, mostMemory>>20)
	}
	return seen, f
}

// recover waits until the exporter is well after the fault. Only a refresh that
// was under way may still fail, and those that meet an open breaker.
func (r row) recover(t *testing.T, s *scene, well func(series) error, f *figures) {
	t.Helper()
	cured, atCure := time.Now(), s.metrics()[refreshesEnded]
	f.bound = faultInterval + r.want.wait
	most := 1.0
	if r.want.breaker {
		f.bound += faultCooldown
		most += math.Ceil(faultCooldown.Seconds() / faultInterval.Seconds())
	}
	s.await(f.bound+faultSlack, "the exporter is well after the fault", func(now series) error {
		ended := now[refreshesEnded] - atCure
		err := errors.Join(well(now), now.above(refreshesEnded, atCure))
		if err != nil && ended > most {
			t.Fatalf("%v refreshes after the fault, the exporter is not well: %v", ended, err)
		}
		return err
	})
	f.recovery = time.Since(cured)
}

// watch scrapes the exporter in its fault, and in turn the one that has none,
// until the fault has shown all that it does.
func (r row) watch(t *testing.T, s *scene, control *exporter, before series) (during series, f figures) {
	t.Helper()
	var here, there []time.Duration
	var now series
	pace := time.NewTicker(scrapePace)
	defer pace.Stop()
	eventually(t, 4*time.Minute, "the fault shows", func() error {
		<-pace.C
		there = append(there, control.timedScrape(t, nil))
		here = append(here, s.timedScrape(t, &now))
		if r.want.reason == "" || now["yativo_up"] == 0 {
			if err := r.holds(now, before); err != nil && r.want.reason != "" {
				t.Fatalf("in the fault: %v", err)
			} else if err != nil {
				return err
			}
		}
		if err := r.shown(now, before); err != nil {
			return err
		}
		if len(here) < scrapesJudged {
			return fmt.Errorf("%d scrapes so far", len(here))
		}
		// A fault that slows the scrapes down does so for as long as it lasts;
		// what a busy machine does to one process of the two passes by.
		slow, usual := latestMedian(here), latestMedian(there)
		f.scrapeRatio = float64(slow) / float64(usual)
		if f.scrapeRatio > mostScrapeRatio && slow > scrapeNoise {
			return fmt.Errorf("/metrics takes %v, %.1f times as long as without the fault", slow, f.scrapeRatio)
		}
		return nil
	})
	return now, f
}

// shown objects until the fault has done to the refreshes what it does.
func (r row) shown(now, before series) error {
	refreshes := now[refreshesEnded] - before[refreshesEnded]
	failed := now[failures(r.want.reason)] - before[failures(r.want.reason)]
	switch {
	case r.outlasts && (failed == 0 || now[throttled("retry_after")] <= 2):
		return errors.New("the wait has not been reported yet")
	case r.outlasts:
		return nil
	case refreshes < 2:
		return fmt.Errorf("%v refreshes ended so far", refreshes)
	case r.want.reason != "" && failed == 0:
		return fmt.Errorf("no refresh failed by %s: %v", r.want.reason, refreshFailures(now))
	case r.want.breaker && now[failures("breaker_open")] == before[failures("breaker_open")]:
		return errors.New("no refresh has met an open breaker yet")
	}
	return nil
}

// holds objects unless the customers' series are what the row wants of them.
func (r row) holds(now, before series) error {
	if r.data != nil {
		return r.data(now, before)
	}
	for name, value := range before {
		if strings.HasPrefix(name, "yativo_card_") && !strings.Contains(name, "time_in_status") && now[name] != value {
			return fmt.Errorf("%s was %v and is %v", name, value, now[name])
		}
	}
	return nil
}

// timedScrape scrapes and says how long it took.
func (e *exporter) timedScrape(t *testing.T, to *series) time.Duration {
	t.Helper()
	begun := time.Now()
	code, body, _ := testutil.Get(t, "http://"+e.address+"/metrics")
	took := time.Since(begun)
	if code != 200 {
		t.Fatalf("/metrics answers %d: %s", code, body)
	}
	if to != nil {
		*to = parseSeries(t, body)
	}
	return took
}

// latestMedian is the median of the latest scrapes.
func latestMedian(all []time.Duration) time.Duration {
	latest := slices.Sorted(slices.Values(all[max(0, len(all)-scrapesJudged):]))
	return latest[len(latest)/2]
}

const refreshesEnded = "yativo_exporter_refreshes_total"

func breakerState(state string) string {
	return fmt.Sprintf("yativo_api_circuit_breaker_state{state=%q}", state)
}

func throttled(cause string) string {
	return fmt.Sprintf("yativo_api_throttled_seconds_total{cause=%q}", cause)
}
