package onboarding_test

import (
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

const million = 1_000_000

// ids are like the API's, 24 hexadecimal digits each, one after the other.
func ids(n int) []string {
	all := make([]string, n)
	var b [12]byte
	for i := range all {
		binary.BigEndian.PutUint64(b[4:], uint64(i)*0x9e3779b97f4a7c15)
		all[i] = hex.EncodeToString(b[:])
	}
	return all
}

func openAt(tb testing.TB, path string) *onboarding.Tracker {
	tb.Helper()
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds:      onboarding.DefaultThresholds(),
		RefreshInterval: time.Minute,
		Path:            path,
		Logger:          slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = tracker.Close() })
	return tracker
}

// observeAll walks over everybody. One customer in each `moving` is in another
// status than the others; which ones, round decides. 0 moves nobody.
func observeAll(w *onboarding.Walk, all []string, moving, round int, created time.Time) {
	for i, id := range all {
		s := onboarding.Active
		switch {
		case moving != 0 && i%moving == round%moving:
			s = onboarding.CardCreated
		case i%10 == 0:
			s = onboarding.KYCInitiated
		}
		w.Observe(onboarding.Observation{ID: id, Status: s, CreatedAt: created})
	}
}

// BenchmarkObserve gives the time of one row of a walk of a million.
func BenchmarkObserve(b *testing.B) {
	all := ids(million)
	tracker := openAt(b, "")
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	w := tracker.Begin(now)
	observeAll(w, all, 0, 0, now)
	w.Commit(now, true)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%million == 0 {
			w = tracker.Begin(now)
		}
		w.Observe(onboarding.Observation{ID: all[i%million], Status: onboarding.KYCInitiated, CreatedAt: now})
	}
}

// BenchmarkCommit gives the time of ending a walk of a million, the write of
// the file included.
func BenchmarkCommit(b *testing.B) {
	all := ids(million)
	for name, moving := range map[string]int{"quiet": 0, "one in 1000": 1000, "everybody": 2} {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "state.db")
			tracker := openAt(b, path)
			now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
			for round := 0; b.Loop(); round++ {
				b.StopTimer()
				now = now.Add(time.Minute)
				w := tracker.Begin(now)
				observeAll(w, all, moving, round, now)
				b.StartTimer()
				w.Commit(now, true)
			}
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(info.Size())/million, "disk-B/customer")
		})
	}
}

// TestSizePerCustomer holds the tracker to its budget of memory and disk.
func TestSizePerCustomer(t *testing.T) {
	const customers, budget = 200_000, 64
	all := ids(customers)
	path := filepath.Join(t.TempDir(), "state.db")
	before := heap()
	tracker := openAt(t, path)
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	largest := int64(0)
	for round := range 30 {
		now = now.Add(time.Minute)
		w := tracker.Begin(now)
		observeAll(w, all, 7, round, now)
		w.Commit(now, true)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	if perCustomer := float64(heap()-before) / customers; perCustomer > budget {
		t.Errorf("%.1f bytes of memory a customer, want at most %d", perCustomer, budget)
	} else {
		t.Logf("%.1f bytes of memory a customer", perCustomer)
	}
	if perCustomer := float64(largest) / customers; perCustomer > budget {
		t.Errorf("%.1f bytes of disk a customer, want at most %d", perCustomer, budget)
	} else {
		t.Logf("%.1f bytes of disk a customer", perCustomer)
	}
	runtime.KeepAlive(tracker)
	runtime.KeepAlive(all)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestObserveDoesNotAllocate guards the walk's cost.
func TestObserveDoesNotAllocate(t *testing.T) {
	all := ids(2000)
	tracker := openAt(t, "")
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	walk := func() {
		w := tracker.Begin(now)
		observeAll(w, all, 0, 0, now)
		w.Discard()
	}
	w := tracker.Begin(now)
	observeAll(w, all, 0, 0, now)
	w.Commit(now, true)
	now = now.Add(48 * time.Hour)
	walk()
	if perWalk := testing.AllocsPerRun(5, walk); perWalk > 50 {
		t.Errorf("a walk of %d rows allocates %v times", len(all), perWalk)
	}
}
