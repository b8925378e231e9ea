package onboarding_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

func child(t *testing.T, task, path string, extra ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = append(append(os.Environ(), childTask+"="+task, childFile+"="+path), extra...)
	return cmd
}

// TestKilledAtAnyMoment kills a process that writes one walk after the other,
// and compares all that the file then says with what was finished.
func TestKilledAtAnyMoment(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 14))
	folder := t.TempDir()
	path := filepath.Join(folder, "state.db")
	next, finished, between := 0, -1, 0
	for kill := range 60 {
		cmd := child(t, "walk", path, fmt.Sprint("ONBOARDING_TEST_WALK=", next))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		read := func() bool {
			if !lines.Scan() {
				return false
			}
			if _, err := fmt.Sscanf(lines.Text(), "finished %d", &finished); err != nil && !strings.HasPrefix(lines.Text(), "begun") {
				t.Fatalf("the child says: %s", lines.Text())
			}
			return true
		}
		for range random.IntN(14) {
			read()
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for read() {
		}
		_ = cmd.Wait() // It was killed.

		known := checkDoomed(t, path, filepath.Join(folder, "copy.db"), finished)
		if known > finished {
			between++
		}
		next = known + 1
		if t.Failed() {
			t.Fatalf("after kill %d", kill+1)
		}
	}
	t.Logf("%d walks, %d of them written but not yet said to be when the process died", next, between)
}

// checkDoomed finds out which walk a killed process left as the last one: the
// last finished one or, if it died before it could say so, the one after.
func checkDoomed(t *testing.T, path, copied string, finished int) int {
	t.Helper()
	for walk := max(0, finished); walk <= finished+1; walk++ {
		contents, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied, contents, 0o600); err != nil {
			t.Fatal(err)
		}
		if matchesDoomed(t, copied, walk) {
			return walk
		}
	}
	if finished >= 0 {
		t.Errorf("walk %d was finished, and the file knows neither it nor the one after", finished)
	}
	return -1
}

// matchesDoomed reports whether a file knows, as of a walk, everybody and when
// each of them entered its status.
func matchesDoomed(t *testing.T, path string, walk int) bool {
	t.Helper()
	tracker, registry, err := openDoomed(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tracker.Close() }()
	if gather(t, registry)["yativo_exporter_tracked_customers"] != doomedCustomers {
		return false
	}
	asked := doomedTime(walk + 1)
	w := tracker.Begin(asked)
	var want [onboarding.NumStatuses]float64
	for i := range doomedCustomers {
		s := doomedStatus(i, walk)
		w.Observe(onboarding.Observation{ID: fmt.Sprint("customer ", i), Status: s})
		want[s] += asked.Sub(doomedTime(doomedEntry(i, walk))).Seconds()
	}
	report := w.Commit(asked, true)
	return report.TimeInStatus[kyc].Sum == want[kyc] && report.TimeInStatus[funds].Sum == want[funds]
}

func TestFullDisk(t *testing.T) {
	out, err := child(t, "full disk", filepath.Join(t.TempDir(), "state.db")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func open(path string) (*onboarding.Tracker, error) {
	tracker, _, err := openDoomed(path)
	return tracker, err
}

func TestLocked(t *testing.T) {
	r := newRig(t)
	if _, err := open(r.path); !errors.Is(err, onboarding.ErrLocked) || !strings.Contains(err.Error(), r.path) {
		t.Errorf("Open says %v", err)
	}
	// The lock stays when the file is written anew.
	r.walk(0, nil)
	for i := range 4 {
		people := population{}
		for n := range 3000 {
			people[fmt.Sprint(n)] = onboarding.Status(1 + i%2)
		}
		r.walk(time.Minute, people)
	}
	if _, err := open(r.path); !errors.Is(err, onboarding.ErrLocked) {
		t.Errorf("Open says %v", err)
	}
	r.restart()
}

func TestUnwritable(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(folder, "blocked.db")
	if err := os.MkdirAll(blocked+".new/x", 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(file, "state.db"): "folder cannot be made",
		folder:                          "cannot be opened for writing",
		os.DevNull:                      "not a regular file",
		blocked:                         "folder cannot be written",
	} {
		if _, err := open(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("for %s Open says %v", path, err)
		}
	}
}

func TestPermissions(t *testing.T) {
	r := newRig(t)
	for path, want := range map[string]os.FileMode{r.path: 0o600, filepath.Dir(r.path): 0o700 | os.ModeDir} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

func TestHoldsNoPlainID(t *testing.T) {
	r := newRig(t)
	w := r.tracker.Begin(start)
	w.Observe(onboarding.Observation{ID: "planted-id", ExternalID: "planted-external", Status: kyc})
	w.Commit(start, true)
	contents, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(contents, []byte("planted")) {
		t.Error("the file holds a plain id")
	}
}

func TestFileRemovedOrReplaced(t *testing.T) {
	r := newRig(t)
	r.walk(0, population{"a": kyc})
	if err := os.Remove(r.path); err != nil {
		t.Fatal(err)
	}
	r.walk(time.Minute, population{"a": kyc})
	if err := r.tracker.Close(); err != nil {
		t.Fatal(err)
	}
	r.open()
	ages(t, r.walk(time.Minute, population{"a": kyc}), kyc, 1, 2*time.Minute)

	if err := os.Rename(r.path, r.path+".mine"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.path, []byte("another's"), 0o600); err != nil {
		t.Fatal(err)
	}
	ages(t, r.walk(time.Minute, population{"a": kyc}), kyc, 1, 3*time.Minute)
	if n := r.metric("yativo_exporter_state_errors_total"); n != 1 {
		t.Errorf("%v state errors", n)
	}
	if contents, err := os.ReadFile(r.path); err != nil || string(contents) != "another's" {
		t.Errorf("another's file was overwritten: %v", err)
	}
}

func TestFileThatCannotBeShortenedGoesOnGrowing(t *testing.T) {
	r := newRig(t)
	if err := os.MkdirAll(r.path+".new/x", 0o700); err != nil {
		t.Fatal(err)
	}
	people := func(round int) population {
		all := population{}
		for n := range 3000 {
			all[fmt.Sprint(n)] = onboarding.Status(1 + round%2)
		}
		return all
	}
	for round := range 5 {
		r.walk(time.Minute, people(round))
	}
	if n := r.metric("yativo_exporter_state_errors_total"); n != 3 {
		t.Errorf("%v state errors", n)
	}
	if err := os.RemoveAll(r.path + ".new"); err != nil {
		t.Fatal(err)
	}
	r.restart()
	ages(t, r.walk(time.Minute, people(4)), otp, 3000, 3000*time.Minute)
}

func TestCorruptFileIsMovedAside(t *testing.T) {
	r := newRig(t)
	for range 2 {
		r.walk(time.Minute, population{"a": kyc})
		if err := r.tracker.Close(); err != nil {
			t.Fatal(err)
		}
		contents, err := os.ReadFile(r.path)
		if err != nil {
			t.Fatal(err)
		}
		contents[len(contents)-5] ^= 1
		if err := os.WriteFile(r.path, contents, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		tracker, err := onboarding.Open(onboarding.Options{
			Thresholds: onboarding.DefaultThresholds(), Path: r.path, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.tracker = tracker
		kept, err := filepath.Glob(r.path + ".corrupt-*")
		if err != nil || len(kept) == 0 {
			t.Fatalf("nothing was kept, %v", err)
		}
		last := kept[len(kept)-1]
		if saved, err := os.ReadFile(last); err != nil || !bytes.Equal(saved, contents) {
			t.Errorf("%s is not the corrupt file, %v", last, err)
		}
		if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), last) {
			t.Errorf("the log says %s", log.String())
		}
		report := r.walk(time.Minute, population{"a": kyc})
		ages(t, report, kyc, 1, 0)
	}
}

// A link to a file that is not there yet stays a link.
func TestStateBehindALink(t *testing.T) {
	target, path := filepath.Join(t.TempDir(), "state.db"), filepath.Join(t.TempDir(), "state.db")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	tracker, err := onboarding.Open(onboarding.Options{Thresholds: onboarding.DefaultThresholds(), Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := tracker.Close(); err != nil {
		t.Fatal(err)
	}
	if led, err := os.Readlink(path); led != target || err != nil {
		t.Errorf("the link leads to %q, %v", led, err)
	}
	if info, err := os.Lstat(target); err != nil || info.Size() == 0 {
		t.Errorf("there is nothing where it leads: %v", err)
	}
}

func TestDamagedSlotCostsNoClock(t *testing.T) {
	for _, slot := range []int64{4096, 8192} {
		r := newRig(t)
		for range 4 {
			r.walk(time.Minute, population{"a": kyc})
		}
		if err := r.tracker.Close(); err != nil {
			t.Fatal(err)
		}
		contents, err := os.ReadFile(r.path)
		if err != nil {
			t.Fatal(err)
		}
		contents[slot+9] ^= 1
		if err := os.WriteFile(r.path, contents, 0o600); err != nil {
			t.Fatal(err)
		}
		r.open()
		if kept, err := os.ReadFile(r.path + ".corrupt-1"); err != nil || !bytes.Equal(kept, contents) {
			t.Errorf("the damaged file is not kept, %v", err)
		}
		ages(t, r.walk(time.Minute, population{"a": kyc}), kyc, 1, 4*time.Minute)
	}
}
