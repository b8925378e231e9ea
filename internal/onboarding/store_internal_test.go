package onboarding

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// disk is where a tracker writes to, in place of a file.
type disk interface {
	replace(content io.Reader) error
}

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
func trackerOn(t *testing.T, d disk, log *bytes.Buffer) *Tracker {
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
		if took := time.Since(begun); took != walkPatience {
			t.Errorf("three walks were held up for %v, want %v", took, walkPatience)
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
		if took := time.Since(begun); took != closePatience {
			t.Errorf("Close took %v, want %v", took, closePatience)
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

// slowDisk takes a while for each piece, and another to make a write durable.
type slowDisk struct {
	piece, sync time.Duration
	err         error // of the write, at its end
	written     bytes.Buffer
}

func (d *slowDisk) Write(b []byte) (int, error) {
	time.Sleep(d.piece)
	return d.written.Write(b)
}

func (d *slowDisk) replace(content io.Reader) error {
	d.written.Reset()
	_, err := io.Copy(d, content)
	time.Sleep(d.sync)
	return errors.Join(err, d.err)
}

// A disk that takes a large program's state slowly is waited for, since the walk
// took far longer.
func TestSlowDiskIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const customers = 20_000
		disk := &slowDisk{piece: walkPatience - time.Second}
		tracker := trackerOn(t, disk, &bytes.Buffer{})
		w := tracker.Begin(time.Now())
		for i := range customers {
			w.Observe(Observation{ID: strconv.Itoa(i), Status: KYCInitiated})
		}
		begun := time.Now()
		w.Commit(begun, true)
		if took := time.Since(begun); took < 2*walkPatience {
			t.Errorf("writing took %v only", took)
		}
		if n := testutil.ToFloat64(tracker.metrics.stateErrors); n != 0 {
			t.Errorf("%v state errors", n)
		}
		if found, err := decode(&disk.written); err != nil || len(found.customers) != customers {
			t.Errorf("the disk holds %+v, %v; want everybody", found, err)
		}
		if err := tracker.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A write that outlasts its walk and ends before the next one is no error.
func TestLateWriteIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &slowDisk{sync: walkPatience + time.Second}
		tracker := trackerOn(t, disk, &bytes.Buffer{})
		for _, id := range []string{"a", "b"} {
			begun := time.Now()
			commit(tracker, id)
			if took := time.Since(begun); took != walkPatience {
				t.Errorf("a walk was held up for %v, want %v", took, walkPatience)
			}
			time.Sleep(time.Minute)
		}
		if n := testutil.ToFloat64(tracker.metrics.stateErrors); n != 0 {
			t.Errorf("%v state errors", n)
		}
		begun := time.Now()
		if err := tracker.Close(); err != nil || time.Since(begun) != 0 {
			t.Errorf("Close says %v after %v; want nothing to be left to write", err, time.Since(begun))
		}
		if found, err := decode(&disk.written); err != nil || len(found.customers) != 2 {
			t.Errorf("the disk holds %+v, %v; want both customers", found, err)
		}
	})
}

// A write that outlasts its walk and then fails is counted with the next one,
// or tried again at the end.
func TestLateFailureIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		disk := &slowDisk{sync: walkPatience + time.Second, err: errors.New("bad sector")}
		tracker := trackerOn(t, disk, &log)
		commit(tracker, "a")
		time.Sleep(time.Minute)
		synctest.Wait()
		disk.sync, disk.err = 0, nil
		commit(tracker, "b")
		if n := testutil.ToFloat64(tracker.metrics.stateErrors); n != 1 || !strings.Contains(log.String(), "bad sector") {
			t.Errorf("%v state errors, want 1; the log says %s", n, log.String())
		}
		commit(tracker, "c")
		if n := testutil.ToFloat64(tracker.metrics.stateErrors); n != 1 || !strings.Contains(log.String(), "is written again") {
			t.Errorf("%v state errors, want 1; the log says %s", n, log.String())
		}

		disk.sync, disk.err = walkPatience+time.Second, errors.New("bad sector")
		commit(tracker, "d")
		time.Sleep(time.Minute)
		synctest.Wait()
		disk.sync, disk.err = 0, nil
		if err := tracker.Close(); err != nil {
			t.Error(err)
		}
		if found, err := decode(&disk.written); err != nil || len(found.customers) != 4 {
			t.Errorf("the disk holds %+v, %v; want all customers", found, err)
		}
	})
}
