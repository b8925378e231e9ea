//go:build e2e

package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	kernel "golang.org/x/sys/unix"

	"yativo-card-exporter/internal/sandbox"
)

// ownFault is a fault of the machine, of the exporter's own files, or of those
// who scrape it.
type ownFault struct {
	name string
	does string // what the exporter does, which meet proves
	meet func(t *testing.T)
}

func ownFaults() []ownFault {
	return slices.Concat(stateFaults(), processFaults(), logFaults(), scraperFaults(), writtenFaults())
}

// Whatever goes wrong in itself, the exporter goes on serving, or says at the
// start why it cannot.
func TestOwnFaults(t *testing.T) {
	t.Parallel()
	faults := ownFaults()
	met := make([]bool, len(faults))
	var running sync.WaitGroup
	for i, f := range faults {
		running.Go(func() {
			t.Run(f.name, func(t *testing.T) {
				f.meet(t)
				met[i] = true
			})
		})
	}
	running.Wait()
	if t.Failed() || slices.Contains(met, false) {
		return
	}
	var b strings.Builder
	b.WriteString("\n| fault | what the exporter does |\n|---|---|\n")
	for _, f := range faults {
		fmt.Fprintf(&b, "| %s | %s |\n", f.name, f.does)
	}
	documented(t, "own", b.String()+"\n")
}

// processFaults are what the kernel does to the process.
func processFaults() []ownFault {
	return []ownFault{
		{
			"out of file descriptors",
			"serves scrapers that are connected; refreshes fail with `network`, and the error names the limit; is right again one refresh after the limit is no longer reached",
			outOfDescriptors,
		},
		{"SIGTERM in any phase", "exits 0, and logs `clean shutdown`; a scraper that does not read delays this by at most 5 s", terminatedInAnyPhase},
		{"`kill -9` in the middle of its writes, 20 times", "goes on after the last finished walk: nobody is new, no file is damaged", killedWhileWriting},
		{"`kill -9` every 2 s for half a minute", "sends no more than `YATIVO_RATE_LIMIT` in all", killedOverAndOver},
		{"`GOMEMLIMIT=48MiB`, and answers of 5 GB", "takes at most 80 MiB in all, including the binary itself, and works normally afterwards", littleMemory},
	}
}

func outOfDescriptors(t *testing.T) {
	t.Helper()
	api := stillPopulation()
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, api)).with(settings{
		"EXPORTER_BREAKER_COOLDOWN": "5s", "YATIVO_MAX_CONCURRENCY": "1",
	}))
	exporter.awaitReady()
	// One connection, which no client's pool gives up.
	conn := connect(t, exporter.address)
	answers := bufio.NewReader(conn)
	scrape := func() series {
		t.Helper()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("/metrics answers %d, %v", resp.StatusCode, err)
		}
		return parseSeries(t, string(body))
	}
	scrape()
	lift := limit(t, exporter.Cmd.Process.Pid, kernel.RLIMIT_NOFILE, 3)
	api.InjectFault(sandbox.Refuse().First(1)) // so that it needs a new connection
	want := truth(t, api)
	eventually(t, 30*time.Second, "the failure is told", func() error {
		now := scrape()
		return errors.Join(now.is("yativo_up", 0), now.above(failures("network"), 0), now.agree(want))
	})
	eventually(t, faultSlack, "the log tells the reason", func() error {
		if !strings.Contains(exporter.Stderr.String(), "too many open files") {
			return errors.New("it does not say that there are too many open files")
		}
		return nil
	})
	lift()
	eventually(t, 30*time.Second, "the exporter is well", func() error {
		now := scrape()
		return errors.Join(now.is("yativo_up", 1), now.agree(want))
	})
}

func killedOverAndOver(t *testing.T) {
	t.Helper()
	const most = 7
	api := stillPopulation()
	env := settingsFor(t, serveSandbox(t, api)).with(settings{
		"YATIVO_RATE_LIMIT": strconv.Itoa(most), "EXPORTER_STATE_FILE": filepath.Join(t.TempDir(), "state.db"),
	})
	pace := time.NewTicker(2 * time.Second)
	defer pace.Stop()
	for range 15 {
		exporter := startExporter(t, env)
		<-pace.C
		exporter.signal(syscall.SIGKILL)
		exporter.exit(10 * time.Second)
	}
	if busiest := sandbox.BusiestMinute(api.Requests()); busiest > most || busiest < most-1 {
		t.Errorf("%d requests arrived in the busiest minute, the limit is %d", busiest, most)
	}
}

// limit lowers a soft limit of a running process.
func limit(t *testing.T, pid, resource int, to uint64) (lift func()) {
	t.Helper()
	var before kernel.Rlimit
	if err := kernel.Prlimit(pid, resource, nil, &before); err != nil {
		t.Fatal(err)
	}
	set := func(l kernel.Rlimit) {
		if err := kernel.Prlimit(pid, resource, &l, nil); err != nil {
			t.Fatal(err)
		}
	}
	set(kernel.Rlimit{Cur: to, Max: before.Max})
	return func() { set(before) }
}

func terminatedInAnyPhase(t *testing.T) {
	t.Helper()
	phases := map[string]struct {
		env   settings
		fault sandbox.Fault
		in    func(now series) error // objects until the phase is there
		stuck bool                   // with a scraper that does not read
	}{
		"a mint that hangs": {fault: sandbox.Hang().On(sandbox.TokenEndpoint), in: func(series) error { return nil }},
		"a page that hangs": {fault: sandbox.Hang().When(sandbox.OnPage(3)), in: func(now series) error {
			return now.above(`yativo_api_requests_total{code="200",endpoint="customers"}`, 1)
		}},
		"a wait between retries": {fault: sandbox.Status(503), env: settings{"EXPORTER_BREAKER_FAILURES": "100"}, in: func(now series) error {
			return now.above(`yativo_api_retries_total{reason="server"}`, 0)
		}},
		"a wait that the API asked for": {fault: sandbox.Status(429, "Retry-After", "31536000"), in: func(now series) error {
			return now.above(throttled("retry_after"), 0)
		}},
		"a wait for its own limit": {env: settings{"YATIVO_RATE_LIMIT": "2"}, in: func(now series) error {
			return now.above(throttled("own_limit"), 0)
		}},
		"an open breaker": {fault: sandbox.Status(400 + 100), env: settings{"EXPORTER_BREAKER_FAILURES": "1"}, in: func(now series) error {
			return now.is(breakerState("open"), 1)
		}},
		"the start":                       {in: func(series) error { return nil }},
		"a scrape by one who never reads": {in: func(now series) error { return now.is("yativo_up", 1) }, stuck: true},
	}
	for name, phase := range phases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := stillPopulation()
			if phase.fault.Handle != nil {
				api.InjectFault(phase.fault)
			}
			exporter := startExporter(t, settingsFor(t, serveSandbox(t, api)).with(phase.env))
			exporter.await(30*time.Second, "the phase is there", phase.in)
			if phase.stuck {
				stuckScraper(t, exporter)
			}
			exporter.endCleanly(syscall.SIGTERM, 10*time.Second)
			// A scrape that was cut off may have the last word.
			eventually(t, 5*time.Second, "the log says that it ended in order", func() error {
				lines := logLines(t, exporter.Stderr.String())
				for _, line := range lines {
					if line.Msg == "clean shutdown" {
						return nil
					}
				}
				return fmt.Errorf("its last line is %+v", lines[len(lines)-1])
			})
		})
	}
}

func littleMemory(t *testing.T) {
	t.Helper()
	api := stillPopulation()
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, api)).with(settings{
		"GOMEMLIMIT": "48MiB", "EXPORTER_BREAKER_FAILURES": "1000",
	}))
	exporter.awaitReady()
	for _, bomb := range []sandbox.Fault{
		sandbox.HugeBody(5_000_000_000).On(sandbox.CustomersEndpoint), sandbox.GzipBomb(5_000_000_000).On(sandbox.CustomersEndpoint),
	} {
		before := exporter.metrics()
		end := api.InjectFault(bomb)
		exporter.await(30*time.Second, "three answers are refused", func(now series) error {
			return now.above(failures("bad_response"), before[failures("bad_response")]+1)
		})
		end()
	}
	want := truth(t, api)
	exporter.await(30*time.Second, "the exporter is well", func(now series) error {
		return errors.Join(now.is("yativo_up", 1), now.agree(want))
	})
	// The limit is the runtime's; the binary itself comes on top of it.
	const most = 80 << 20
	peak := peakMemory(t, exporter.process)
	if peak > most {
		t.Errorf("it took %d MiB at its peak, more than %d", peak>>20, most>>20)
	}
	t.Logf("peak resident memory: %d MiB", peak>>20)
}
