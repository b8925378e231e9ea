//go:build e2e

package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	kernel "golang.org/x/sys/unix"

	"yativo-card-exporter/internal/sandbox"
)

// scraperFaults are scrapers that are too many, or too slow.
func scraperFaults() []ownFault {
	return []ownFault{
		{
			"1,000 scrapers at once",
			"answers all, sends the API no further request, and releases memory, goroutines and descriptors",
			thousandScrapers,
		},
		{"a scraper that sends one byte a second", "closes the connection after 5 s", slowRequest},
		{"a scraper that reads one byte a second", "closes the connection 30 s after the request", slowReader},
	}
}

func thousandScrapers(t *testing.T) {
	t.Helper()
	const scrapers = 1000
	api := stillPopulation()
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, api)).with(settings{"EXPORTER_REFRESH_INTERVAL": "1h", "EXPORTER_BALANCE_INTERVAL": "1h"}))
	exporter.awaitReady()
	before, arrived := exporter.metrics(), api.Counters().Arrived[sandbox.CustomersEndpoint]

	transport := &http.Transport{}
	client := &http.Client{Transport: transport}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	errs := make([]error, scrapers)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = scrapeBy(ctx, client, exporter.address) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Errorf("not every scraper was served: %.500s", err.Error())
	}
	transport.CloseIdleConnections()
	if now := api.Counters().Arrived[sandbox.CustomersEndpoint]; now != arrived {
		t.Errorf("%d requests reached the API meanwhile", now-arrived)
	}
	exporter.backTo(before, time.Minute)
	peak := peakMemory(t, exporter.process)
	if peak > 2*mostMemory {
		t.Errorf("it took %d MiB at its peak, more than %d", peak>>20, 2*mostMemory>>20)
	}
	t.Logf("peak resident memory: %d MiB", peak>>20)
}

func scrapeBy(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if lines.Text() == "yativo_up 1" {
			return nil
		}
	}
	return fmt.Errorf("status %d without yativo_up 1", resp.StatusCode)
}

// backTo waits until goroutines and descriptors are back where they were, and
// returns how many more there are still.
func (e *exporter) backTo(before series, within time.Duration) (goroutines, fds int) {
	e.t.Helper()
	e.await(within, "goroutines and descriptors are back where they were", func(now series) error {
		goroutines = int(now["go_goroutines"] - before["go_goroutines"])
		fds = int(now["process_open_fds"] - before["process_open_fds"])
		if goroutines > mostGoroutines || fds > mostDescriptors {
			return fmt.Errorf("%d goroutines and %d descriptors more than before", goroutines, fds)
		}
		return nil
	})
	return goroutines, fds
}

func slowRequest(t *testing.T) {
	t.Helper()
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, stillPopulation())))
	exporter.awaitReady()
	conn := connect(t, exporter.address)
	begun := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for _, letter := range []byte("GET /metrics HTTP/1.1\r\nHost: localhost\r\n") {
		if _, err := conn.Write([]byte{letter}); err != nil {
			if took := time.Since(begun); took > 15*time.Second {
				t.Errorf("it closed the connection after %v only", took)
			}
			return
		}
		<-tick.C
	}
	t.Error("it read the whole request")
}

func slowReader(t *testing.T) {
	t.Helper()
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, stillPopulation())))
	exporter.awaitReady()
	before := exporter.metrics()
	conn := stuckScraper(t, exporter)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	begun, letter := time.Now(), make([]byte, 1)
	for established(t, conn) {
		if took := time.Since(begun); took > time.Minute {
			t.Fatalf("the connection is still open after %v", took)
		}
		<-tick.C
		_, _ = conn.Read(letter)
	}
	if took := time.Since(begun); took < 20*time.Second {
		t.Errorf("the connection was closed after %v already, so the test proves little", took)
	}
	exporter.backTo(before, time.Minute)
}

// stuckScraper asks for more than fits into the buffers of the sockets, as one
// answer would, reads nothing, and returns once the buffers are full.
func stuckScraper(t *testing.T, e *exporter) *net.TCPConn {
	t.Helper()
	const finished = `promhttp_metric_handler_requests_total{code="200"}`
	last, begun := e.metrics()[finished], false
	conn := connect(t, e.address)
	go func() {
		_, _ = conn.Write([]byte(strings.Repeat("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 2000)))
	}()
	e.await(15*time.Second, "answers are finished, and then no more", func(now series) error {
		others := now[finished] - last - 1 // which is this test's own
		last = now[finished]
		if others > 0 {
			begun = true
		}
		if !begun || others > 0 {
			return fmt.Errorf("%v were, begun: %t", others, begun)
		}
		return nil
	})
	return conn
}

// established reports whether the other side still holds a connection. It may
// have closed it although there is much left to read.
func established(t *testing.T, conn *net.TCPConn) bool {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *kernel.TCPInfo
	if controlErr := raw.Control(func(fd uintptr) {
		info, err = kernel.GetsockoptTCPInfo(int(fd), kernel.IPPROTO_TCP, kernel.TCP_INFO)
	}); controlErr != nil || err != nil {
		t.Fatal(controlErr, err)
	}
	return info.State == kernel.BPF_TCP_ESTABLISHED
}

func connect(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	to, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTCP("tcp", nil, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
