package onboarding_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/internal/onboarding"
)

// Tests that need a process of their own start this binary again, with what it
// is to do and the state file in the environment.
const (
	childTask = "ONBOARDING_TEST_CHILD"
	childFile = "ONBOARDING_TEST_FILE"
)

func TestMain(m *testing.M) {
	tasks := map[string]func(path string) error{"walk": walkForEver, "full disk": fillTheDisk}
	task, ok := tasks[os.Getenv(childTask)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := task(os.Getenv(childFile)); err != nil {
		fmt.Println("child:", err)
		os.Exit(1)
	}
}

// Each customer of the doomed process changes its status in one walk of ten,
// back and forth between two, so that its state follows from the walk's number.
const doomedCustomers = 3000

func doomedTime(walk int) time.Time { return start.Add(time.Duration(walk) * time.Minute) }

func doomedStatus(customer, walk int) onboarding.Status {
	if (walk+customer%10)/10%2 == 0 {
		return kyc
	}
	return funds
}

// doomedEntry is the walk at which the customer entered its present status.
func doomedEntry(customer, walk int) int { return max(0, (walk+customer%10)/10*10-customer%10) }

func doomedWalk(tracker *onboarding.Tracker, walk int, end time.Time) *onboarding.Report {
	w := tracker.Begin(end)
	for i := range doomedCustomers {
		w.Observe(onboarding.Observation{ID: fmt.Sprint("customer ", i), Status: doomedStatus(i, walk)})
	}
	return w.Commit(end, true)
}

func openDoomed(path string) (tracker *onboarding.Tracker, registry *prometheus.Registry, err error) {
	registry = prometheus.NewRegistry()
	tracker, err = onboarding.Open(onboarding.Options{
		Thresholds: onboarding.DefaultThresholds(), RefreshInterval: time.Minute, Path: path, Registerer: registry,
	})
	return tracker, registry, err
}

// walkForEver goes on with the walk that it is told, and prints the number of each walk before and after it is committed.
func walkForEver(path string) error {
	tracker, _, err := openDoomed(path)
	if err != nil {
		return err
	}
	var first int
	if _, err := fmt.Sscan(os.Getenv("ONBOARDING_TEST_WALK"), &first); err != nil {
		return err
	}
	for walk := first; ; walk++ {
		fmt.Println("begun", walk)
		doomedWalk(tracker, walk, doomedTime(walk))
		fmt.Println("finished", walk)
	}
}

// fillTheDisk walks while files may not grow any more, and after.
func fillTheDisk(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds: onboarding.DefaultThresholds(), RefreshInterval: time.Minute, Path: path, Registerer: registry,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		return err
	}
	walk := func(minutes, customers int) *onboarding.Report {
		now := start.Add(time.Duration(minutes) * time.Minute)
		w := tracker.Begin(now)
		for i := range customers {
			w.Observe(onboarding.Observation{ID: fmt.Sprint(i), Status: kyc})
		}
		return w.Commit(now, true)
	}
	walk(0, 100)
	log.Reset()
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	small := syscall.Rlimit{Cur: uint64(info.Size()) + 1000, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		return err
	}
	walk(1, 5000)
	report := walk(2, 5000)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if report.Tracked != 5000 || report.TimeInStatus[kyc].Sum != 4900*60+100*120 {
		return fmt.Errorf("with a full disk %d are tracked who wait %v s", report.Tracked, report.TimeInStatus[kyc].Sum)
	}
	if n, err := stateErrors(registry); n != 2 || err != nil {
		return fmt.Errorf("%v state errors are counted, want 2; %w", n, err)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		return fmt.Errorf("%d errors are logged, want 1: %s", n, log.String())
	}
	walk(3, 5000)
	if n, err := stateErrors(registry); n != 2 || err != nil {
		return fmt.Errorf("%v state errors are counted after the disk has room again; %w", n, err)
	}
	if !strings.Contains(log.String(), "written again") {
		return errors.New("nothing says that writing goes on")
	}
	if err := tracker.Close(); err != nil {
		return err
	}
	if tracker, _, err = openDoomed(path); err != nil {
		return err
	}
	if report := walk(4, 5000); report.TimeInStatus[kyc].Sum != 4900*180+100*240 {
		return fmt.Errorf("after a restart they wait %v s", report.TimeInStatus[kyc].Sum)
	}
	return tracker.Close()
}

func stateErrors(registry *prometheus.Registry) (float64, error) {
	families, err := registry.Gather()
	for _, family := range families {
		if family.GetName() == "yativo_exporter_state_errors_total" {
			return family.GetMetric()[0].GetCounter().GetValue(), err
		}
	}
	return 0, errors.Join(errors.New("no state errors are exported"), err)
}
