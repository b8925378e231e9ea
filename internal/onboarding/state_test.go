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
	"syscall"
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

// Whoever opens the file while it is being replaced may lock the old one, and has
// to notice.
func TestLockHoldsWhileTheFileIsReplaced(t *testing.T) {
	r := newRig(t)
	r.walk(0, population{"a": kyc})
	done := make(chan struct{})
	tries := make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			if _, err := open(r.path); !errors.Is(err, onboarding.ErrLocked) {
				tries <- fmt.Errorf("try %d: Open says %w", n, err)
				return
			}
			select {
			case <-done:
				tries <- nil
				return
			default:
			}
		}
	}()
	for range 100 {
		r.walk(time.Minute, population{"a": kyc})
	}
	close(done)
	if err := <-tries; err != nil {
		t.Error(err)
	}
	if n := r.metric("yativo_exporter_state_errors_total"); n != 0 {
		t.Errorf("%v state errors", n)
	}
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
		folder:                          "not a regular file",
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

func TestFileThatCannotBeReplacedLosesNothing(t *testing.T) {
	r := newRig(t)
	people := population{}
	for n := range 3000 {
		people[fmt.Sprint(n)] = kyc
	}
	r.walk(0, people)
	if err := os.MkdirAll(r.path+".new/x", 0o700); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.walk(time.Minute, people)
	}
	if n := r.metric("yativo_exporter_state_errors_total"); n != 3 {
		t.Errorf("%v state errors", n)
	}
	if err := os.RemoveAll(r.path + ".new"); err != nil {
		t.Fatal(err)
	}
	r.restart()
	ages(t, r.walk(time.Minute, people), kyc, 3000, 3000*4*time.Minute)
}

// damage flips a bit in the middle of a file and returns what is there now.
func damage(t *testing.T, path string) []byte {
	t.Helper()
	contents, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	contents[len(contents)/2] ^= 1
	if err := os.WriteFile(path, contents, 0o600); err != nil {
		t.Fatal(err)
	}
	return contents
}

// reopen opens the file of a closed tracker again and returns what it logs.
func (r *rig) reopen() string {
	r.t.Helper()
	var log bytes.Buffer
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds: onboarding.DefaultThresholds(), Path: r.path, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.tracker = tracker
	return log.String()
}

func TestDamageCostsOneWalk(t *testing.T) {
	r := newRig(t)
	r.walk(0, population{"a": kyc})
	r.walk(time.Minute, population{"a": kyc})
	r.walk(time.Minute, population{"a": kyc, "b": kyc})
	if err := r.tracker.Close(); err != nil {
		t.Fatal(err)
	}
	contents := damage(t, r.path)
	log := r.reopen()
	aside := r.path + ".corrupt-1"
	if saved, err := os.ReadFile(aside); err != nil || !bytes.Equal(saved, contents) {
		t.Errorf("%s is not the corrupt file, %v", aside, err)
	}
	if !strings.Contains(log, "level=ERROR") || !strings.Contains(log, aside) || !strings.Contains(log, "without the last walk") {
		t.Errorf("the log says %s", log)
	}
	// Only what the last walk found is forgotten, that there is a b.
	ages(t, r.walk(time.Minute, population{"a": kyc, "b": kyc}), kyc, 2, 3*time.Minute)
}

func TestDamageOfBothFilesBeginsAnew(t *testing.T) {
	r := newRig(t)
	for range 2 {
		r.walk(time.Minute, population{"a": kyc})
	}
	if err := r.tracker.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, r.path)
	damage(t, r.path+".previous")
	if log := r.reopen(); !strings.Contains(log, "tracking starts from the beginning") {
		t.Errorf("the log says %s", log)
	}
	ages(t, r.walk(time.Minute, population{"a": kyc}), kyc, 1, 0)
}

// Whoever empties the file, or loses it, loses one walk.
func TestEmptyFileCostsOneWalk(t *testing.T) {
	for what, spoil := range map[string]func(path string) error{
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"removed": os.Remove,
	} {
		r := newRig(t)
		for range 3 {
			r.walk(time.Minute, population{"a": kyc})
		}
		if err := r.tracker.Close(); err != nil {
			t.Fatal(err)
		}
		if err := spoil(r.path); err != nil {
			t.Fatal(err)
		}
		if log := r.reopen(); !strings.Contains(log, "level=ERROR") {
			t.Errorf("%s: the log says %q", what, log)
		}
		ages(t, r.walk(time.Minute, population{"a": kyc}), kyc, 1, 3*time.Minute)
		_ = r.tracker.Close()
	}
}

// A file that is spoiled under the running process is noticed by the next write
// and written again. The spoiled one does not become the previous.
func TestFileSpoiledWhileRunning(t *testing.T) {
	for what, spoil := range map[string]func(path string) error{
		"cut off":     func(path string) error { return os.Truncate(path, 10) },
		"overwritten": func(path string) error { return os.WriteFile(path, []byte("other"), 0o600) },
	} {
		r := newRig(t)
		r.walk(0, population{"a": kyc})
		if err := spoil(r.path); err != nil {
			t.Fatal(err)
		}
		r.walk(time.Minute, population{"a": kyc})
		if n := r.metric("yativo_exporter_state_errors_total"); n != 1 {
			t.Errorf("%s: %v state errors", what, n)
		}
		r.restart()
		ages(t, r.walk(time.Minute, population{"a": kyc}), kyc, 1, 2*time.Minute)
		if n := r.metric("yativo_exporter_state_errors_total"); n != 0 {
			t.Errorf("%s: %v state errors after a restart", what, n)
		}
		if previous, err := os.ReadFile(r.path + ".previous"); err != nil || len(previous) < 100 {
			t.Errorf("%s: the previous file holds %d bytes, %v", what, len(previous), err)
		}
	}
}

// Who may write to the folder may plant a link where the new file is written.
func TestPlantedLinkIsNotFollowed(t *testing.T) {
	r := newRig(t)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, planted := range []string{".new", ".previous"} {
		_ = os.Remove(r.path + planted)
		if err := os.Symlink(victim, r.path+planted); err != nil {
			t.Fatal(err)
		}
		r.walk(time.Minute, population{"a": kyc})
	}
	r.restart()
	r.walk(time.Minute, population{"a": kyc})
	if contents, err := os.ReadFile(victim); err != nil || string(contents) != "precious" {
		t.Errorf("the victim holds %q, %v", contents, err)
	}
}

// What is no regular file is left alone, and nothing is made beside it.
func TestIrregularTargetIsRefused(t *testing.T) {
	folder := t.TempDir()
	fifo, link := filepath.Join(folder, "fifo"), filepath.Join(folder, "link")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(fifo, link); err != nil {
		t.Fatal(err)
	}
	device, deviceLink := filepath.Join(folder, "device"), filepath.Join(folder, "device link")
	if err := os.Symlink(device, deviceLink); err != nil {
		t.Fatal(err)
	}
	names := []string{"fifo", "link"}
	// /dev/null's numbers; only root may make one.
	if err := syscall.Mknod(device, syscall.S_IFCHR|0o600, 1<<8|3); err == nil {
		names = append(names, "device", "device link")
	} else if !errors.Is(err, syscall.EPERM) {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(folder, name)
		if _, err := open(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("for a %s Open says %v", name, err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Type().IsRegular() {
			t.Errorf("there is a regular file %s", entry.Name())
		}
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
