package onboarding

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// hangingDisk takes what is written to it once it is released.
type hangingDisk struct {
	hangs   chan struct{}
	written bytes.Buffer
	writes  int
}

func (d *hangingDisk) replace(content io.Reader) error {
	<-d.hangs
	d.written.Reset()
	d.writes++
	_, err := io.Copy(&d.written, content)
	return err
}

// trackerOn returns a tracker that writes to a disk.
func trackerOn(t *testing.T, d *hangingDisk, log *bytes.Buffer) *Tracker {
	t.Helper()
	tracker, err := Open(Options{
		Thresholds: DefaultThresholds(), Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	tracker.store = newStore(&stateFile{path: "state.db"})
	tracker.store.replace, tracker.store.close = d.replace, func() error { return nil }
	return tracker
}

func commit(tracker *Tracker, id string) *Report {
	w := tracker.Begin(time.Now())
	w.Observe(Observation{ID: id, Status: KYCInitiated})
	return w.Commit(time.Now(), true)
}

// A disk that hangs holds up the walk that meets it for a moment, and no other.
func TestHangingDiskStopsNoWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		disk := &hangingDisk{hangs: make(chan struct{})}
		tracker := trackerOn(t, disk, &log)
		begun := time.Now()
		for range 3 {
			if report := commit(tracker, "a"); report.Tracked != 1 {
				t.Errorf("%d are tracked", report.Tracked)
			}
		}
		if took := time.Since(begun); took != writeTimeout {
			t.Errorf("three walks were held up for %v, want %v", took, writeTimeout)
		}
		if n := testutil.ToFloat64(tracker.metrics.stateErrors); n != 3 {
			t.Errorf("%v state errors, want 3", n)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d errors are logged: %s", n, log.String())
		}

		close(disk.hangs)
		synctest.Wait()
		commit(tracker, "b")
		if !strings.Contains(log.String(), "is written again") {
			t.Errorf("nothing says that writing goes on: %s", log.String())
		}
		found, err := decode(&disk.written)
		if err != nil || len(found.customers) != 2 {
			t.Errorf("the disk holds %+v, %v; want both customers", found, err)
		}
		if err := tracker.Close(); err != nil || disk.writes != 2 {
			t.Errorf("Close says %v after %d writes, want 2", err, disk.writes)
		}
	})
}

func TestHangingDiskDoesNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &hangingDisk{hangs: make(chan struct{})}
		tracker := trackerOn(t, disk, &bytes.Buffer{})
		commit(tracker, "a")
		begun := time.Now()
		if err := tracker.Close(); !errors.Is(err, errHangs) {
			t.Errorf("Close says %v", err)
		}
		if took := time.Since(begun); took != writeTimeout {
			t.Errorf("Close took %v, want %v", took, writeTimeout)
		}
		close(disk.hangs)
		synctest.Wait()
	})
}

// What a hanging disk missed is written at the end, if it has come back by then.
func TestTheEndWritesWhatADiskMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &hangingDisk{hangs: make(chan struct{})}
		tracker := trackerOn(t, disk, &bytes.Buffer{})
		commit(tracker, "a")
		commit(tracker, "b")
		close(disk.hangs)
		synctest.Wait()
		if err := tracker.Close(); err != nil {
			t.Error(err)
		}
		if found, err := decode(&disk.written); err != nil || len(found.customers) != 2 {
			t.Errorf("the disk holds %+v, %v; want both customers", found, err)
		}
	})
}
