package onboarding

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrLocked says that another process holds the state file.
var ErrLocked = errors.New("another process holds it: run one exporter per state file")

// ErrNewerFormat says that a later version wrote the state file.
var ErrNewerFormat = errors.New("a newer version of the exporter wrote it: run that version, or name another file")

const (
	// keepGone is for how long the record of a customer who is gone is kept.
	keepGone = 24 * time.Hour
	// trustAfter is for how long a clock that was set back has to run before
	// dates that lie ahead of it are held to be wrong.
	trustAfter = time.Hour
	// leastGap is the shortest time without a walk that can count as a gap.
	leastGap = 10 * time.Minute
)

// Options configure a Tracker.
type Options struct {
	Thresholds Thresholds
	// RefreshInterval is the time from one walk to the next. More than two of
	// them, and more than 10 minutes, from one walk to the next are a gap.
	RefreshInterval time.Duration
	// Path is the state file; "" or "none" keeps the state in memory alone.
	Path string
	// Logger may be nil.
	Logger *slog.Logger
	// Registerer takes the metrics that the tracker itself exports; may be nil.
	Registerer prometheus.Registerer
}

// Tracker remembers when each customer entered its status. One goroutine at a
// time may use it; its metrics may be collected at any moment by others.
type Tracker struct {
	thresholds Thresholds
	gapLimit   int64 // seconds
	log        *slog.Logger
	metrics    *metrics
	store      *store // nil: memory alone

	key       [2]uint64 // of the hash that stands for a customer's id
	customers *table
	history   history
	walk      *Walk               // the one under way, or nil
	stalled   [NumStatuses]oldest // who may be listed when the walk ends
	leaving   [NumStatuses]oldest // the same, but may be abandoned by then
	walkTime  uint32              // seconds that the last walk took
	behind    uint32              // since when the clock lags behind dates of its own; 0 if it does not
	failing   bool                // the last write of the state file failed
}

// history is what is remembered of the program as a whole, in Unix seconds.
type history struct {
	since    uint32              // tracking began; 0 before the first walk
	lastWalk uint32              // end of the last committed walk
	latest   uint32              // no date in the records or here lies after it
	advanced [NumStatuses]uint32 // last advance past each waiting status
	settled  bool                // a complete walk was committed: who appears now is new
}

// Open reads the state file, or begins anew where there is none. A corrupt
// file is moved aside and reported. It fails with ErrLocked, ErrNewerFormat,
// or with what the file system says if the folder cannot be written.
func Open(o Options) (*Tracker, error) {
	for _, s := range WaitingStatuses() {
		if stalled := o.Thresholds.Stalled[s]; stalled <= 0 || o.Thresholds.Abandoned[s] <= stalled {
			return nil, fmt.Errorf("thresholds of %s: stalled has to be above 0 and below abandoned", s)
		}
	}
	t := &Tracker{
		thresholds: o.Thresholds,
		gapLimit:   int64(max(leastGap, 2*o.RefreshInterval) / time.Second),
		log:        o.Logger,
		key:        randomKey(),
		customers:  &table{},
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if o.Path != "" && o.Path != "none" {
		if err := t.load(o.Path); err != nil {
			return nil, fmt.Errorf("state file %q: %w", o.Path, err)
		}
	}
	t.metrics = newMetrics(o.Registerer, o.Thresholds)
	present := 0
	for r := range t.customers.all() {
		if !r.has(gone) {
			present++
		}
	}
	t.metrics.publish(t.history, present)
	return t, nil
}

// Close discards a walk under way, tries once more to write what a failing
// disk refused, and releases the state file.
func (t *Tracker) Close() error {
	t.walk.Discard()
	if t.store == nil {
		return nil
	}
	if t.failing {
		t.save()
	}
	err := t.store.close()
	t.store = nil
	return err
}

// load opens the state file and takes over what it holds, if anything.
func (t *Tracker) load(path string) error {
	s, found, err := openStore(path, t.key)
	if err != nil {
		return err
	}
	t.store, t.key, t.customers, t.history = s, s.key, found.customers, found.history
	anew := t.history.since == 0
	switch {
	case found.damage != nil && anew:
		t.log.Error("The state file is corrupt. It was moved aside and tracking starts anew.",
			"file", path, "kept", found.aside, "err", found.damage)
	case found.damage != nil:
		t.log.Error("The state file is damaged. It was moved aside and tracking goes on; the last walk before may be lost.",
			"file", path, "kept", found.aside, "err", found.damage)
	case anew:
		t.log.Info("The state file holds no walk yet. Tracking starts with the first one.", "file", path)
	}
	return nil
}

// save writes what changed. After a failure everything unwritten stays marked
// as such, so that the next walk's save writes it too.
func (t *Tracker) save() {
	written, err := t.store.save(t.history, t.customers)
	if written {
		for r := range t.customers.all() {
			r.flags &^= dirty
		}
	}
	if err != nil {
		t.metrics.stateErrors.Inc()
		if !t.failing {
			t.log.Error("The state file cannot be written. Metrics go on from memory, and each walk tries again.",
				"file", t.store.path, "err", err)
		}
	} else if t.failing {
		t.log.Info("The state file is written again.", "file", t.store.path)
	}
	t.failing = err != nil
}

// trust corrects dates that lie ahead of a clock that was set back. Such a
// clock may itself be the wrong one, as on a machine that has not yet asked
// for the time, so that only one that has run for a while is believed.
// Until then a stay that begins in the future has age 0.
func (t *Tracker) trust(now uint32) {
	h := &t.history
	if now >= h.latest {
		h.latest, t.behind = now, 0
		return
	}
	if t.behind == 0 || now < t.behind {
		t.behind = now
	}
	if now-t.behind < uint32(trustAfter/time.Second) {
		return
	}
	h.latest, t.behind = now, 0
	h.since = min(h.since, now)
	for s := range h.advanced {
		h.advanced[s] = min(h.advanced[s], now)
	}
	for r := range t.customers.all() {
		if r.entered > now && !r.has(fresh) {
			r.entered = now
			r.flags |= bound | dirty
		}
		if r.left > now {
			r.left = now
			r.flags |= dirty
		}
	}
}

// gap reports whether more time than a gap's limit lies between two moments,
// whichever way the clock ran.
func (t *Tracker) gap(a, b uint32) bool {
	d := int64(a) - int64(b)
	return max(d, -d) > t.gapLimit
}

// advance notes that a customer went from one step to another at now.
func (t *Tracker) advance(from, to int, now uint32) {
	for _, s := range WaitingStatuses() {
		if from <= s.Step() && s.Step() < to {
			t.history.advanced[s] = max(t.history.advanced[s], now)
		}
	}
}

// class is how long a wait has become.
type class uint8

const (
	waiting class = iota
	stalled
	abandoned
)

// classify judges a stay in a waiting status. created is 0, or the created_at
// of a customer who was in this status when tracking began: it has waited for
// longer than was seen, so that an old account counts as abandoned.
func (t *Tracker) classify(s Status, entered, created, now uint32) class {
	if created != 0 && s != SafeDeploying && age(created, now) > t.thresholds.Abandoned[s] {
		return abandoned
	}
	switch a := age(entered, now); {
	case a > t.thresholds.Abandoned[s]:
		return abandoned
	case a >= t.thresholds.Stalled[s]:
		return stalled
	}
	return waiting
}

// age is the time from a moment to now, never negative.
func age(since, now uint32) time.Duration {
	if since >= now {
		return 0
	}
	return time.Duration(now-since) * time.Second
}

// seconds is t as Unix seconds, within the years 1970 to 2106, and at least 1.
func seconds(t time.Time) uint32 { return uint32(min(max(t.Unix(), 1), math.MaxUint32)) }

// creation is a created_at as Unix seconds, 0 if it is absent or nonsense.
func creation(t time.Time) uint32 {
	if t.Unix() <= 0 {
		return 0
	}
	return seconds(t)
}

func moment(seconds uint32) time.Time { return time.Unix(int64(seconds), 0).UTC() }
