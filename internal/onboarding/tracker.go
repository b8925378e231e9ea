package onboarding

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/dchest/siphash"
	"github.com/prometheus/client_golang/prometheus"
)

// ErrLocked says that another process holds the state file.
var ErrLocked = errors.New("another process holds it: run one exporter per state file")

// ErrNewerFormat says that a later version wrote the state file.
var ErrNewerFormat = errors.New("a newer version of the exporter wrote it: run that version, or name another file")

const (
	// keepGone is for how long the record of a customer who is gone is kept.
	keepGone = 24 * time.Hour
	// clockDoubt is for how long a clock that was set back has to run before
	// dates that lie ahead of it are held to be wrong.
	clockDoubt = time.Hour
	// minGap is the shortest time without a walk that can count as a gap.
	minGap = 10 * time.Minute
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

	state
	flow            flow
	walk            *Walk               // the one under way, or nil
	stalled         [NumStatuses]oldest // who may be listed when the walk ends
	nearlyAbandoned [NumStatuses]oldest // the same, but may be abandoned by then
	walkSeconds     uint32              // how long the last walk took
	clockBackSince  uint32              // since when the clock lags behind dates of its own; 0 if it does not
	failing         bool                // the last write of the state file failed
}

// Open reads the state file, or begins anew where there is none. A corrupt file
// is moved aside and reported, and the one before it is read. It fails with
// ErrLocked, ErrNewerFormat, or with what the file system says if the folder
// cannot be written.
func Open(o Options) (*Tracker, error) {
	for _, s := range WaitingStatuses() {
		if stalled := o.Thresholds.Stalled[s]; stalled <= 0 || o.Thresholds.Abandoned[s] <= stalled {
			return nil, fmt.Errorf("thresholds of %s: stalled has to be above 0 and below abandoned", s)
		}
	}
	t := &Tracker{
		thresholds: o.Thresholds,
		gapLimit:   int64(max(minGap, 2*o.RefreshInterval) / time.Second),
		log:        o.Logger,
		state:      state{key: randomKey(), customers: map[uint64]customer{}},
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
	present, found := 0, findings{clocks: t.rhythms.clocks()}
	for _, c := range t.customers {
		if c.has(gone) {
			continue
		}
		present++
		found.countSince(t, c, t.history.lastWalk)
	}
	if t.history.since != 0 {
		t.metrics.publish(t.history, present)
		t.metrics.publishRhythms(&t.rhythms, &found)
	}
	return t, nil
}

// Tracked is how many customers are remembered and not gone.
func (t *Tracker) Tracked() (customers int) {
	for _, c := range t.customers {
		if !c.has(gone) {
			customers++
		}
	}
	return customers
}

// Close discards a walk under way, tries once more to write what a failing
// disk refused, and releases the state file. It waits for a disk that hangs for
// a few seconds only.
func (t *Tracker) Close() error {
	t.walk.Discard()
	if t.store == nil {
		return nil
	}
	err := t.store.finish(&t.state)
	t.store = nil
	return err
}

// load opens the state file and takes over what it holds, if anything.
func (t *Tracker) load(path string) error {
	file, err := openStateFile(path)
	if err != nil {
		return err
	}
	found, damage, err := file.read()
	if err != nil {
		return errors.Join(err, file.close())
	}
	if found != nil {
		t.state = *found
	}
	t.store = newStore(file)
	if damage != nil {
		aside, err := file.keepAside()
		if err != nil {
			return errors.Join(fmt.Errorf("%w, and cannot be moved aside: %w", damage, err), file.close())
		}
		consequence := "tracking starts from the beginning"
		if t.history.since != 0 {
			consequence = "tracking goes on with the file before it, without the last walk"
		}
		t.log.Error("the state file is damaged and was moved aside", "consequence", consequence, "file", path, "kept", aside, "err", damage)
	} else if t.history.since == 0 {
		t.log.Info("the state file holds no walk yet; tracking starts with the first one", "file", path)
	}
	if found == nil || damage != nil {
		if err := t.store.save(&t.state, walkPatience); err != nil {
			return errors.Join(err, t.store.release())
		}
	}
	return nil
}

// save writes the state. After a failure the next walk's save writes all of it.
func (t *Tracker) save() {
	if t.store == nil {
		return
	}
	err := t.store.save(&t.state, walkPatience)
	if err != nil {
		t.metrics.stateErrors.Inc()
		if !t.failing {
			t.log.Error("the state file cannot be written; metrics go on from memory, and each walk tries again",
				"file", t.store.path, "err", err)
		}
	} else if t.failing {
		t.log.Info("the state file is written again", "file", t.store.path)
	}
	t.failing = err != nil
}

// randomKey makes the key of a new state.
func randomKey() [2]uint64 {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	return [2]uint64{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])}
}

// hash stands for a customer's id in memory and in the file. SipHash is made
// for short keyed inputs; at a million customers two ids of 64 bits collide
// once in forty million programs.
func (t *Tracker) hash(id []byte) uint64 {
	return max(1, siphash.Hash(t.key[0], t.key[1], id))
}

// correctClock corrects dates that lie ahead of a clock that was set back. Such
// a clock may itself be the wrong one, as on a machine that has not yet asked
// for the time, so that only one that has run for a while is believed. Until
// then a stay that begins in the future has age 0.
func (t *Tracker) correctClock(now uint32) {
	h := &t.history
	if now >= h.latestDate {
		h.latestDate, t.clockBackSince = now, 0
		return
	}
	if t.clockBackSince == 0 || now < t.clockBackSince {
		t.clockBackSince = now
	}
	if now-t.clockBackSince < uint32(clockDoubt/time.Second) {
		return
	}
	h.latestDate, t.clockBackSince = now, 0
	h.since = min(h.since, now)
	for s := range h.advanced {
		h.advanced[s] = min(h.advanced[s], now)
	}
	for key, c := range t.customers {
		if c.entered > now && !c.has(firstSeen) {
			c.entered = now
			c.flags |= entryUncertain
		}
		c.left = min(c.left, now)
		t.customers[key] = c
	}
}

// transition counts a customer who went from one position to another.
func (t *Tracker) transition(from, to position) {
	t.metrics.transitions[from][to].Inc()
	t.flow.add(from, to)
}

// gap reports whether more time than a gap's limit lies between two moments,
// whichever way the clock ran.
func (t *Tracker) gap(a, b uint32) bool {
	d := int64(a) - int64(b)
	return max(d, -d) > t.gapLimit
}

// enteredSinceAdvance reports whether a customer waits at now who entered after
// the last advance past its status.
func (t *Tracker) enteredSinceAdvance(c customer, now uint32) bool {
	return c.status.Waits() && !c.has(statusHidden) && min(c.entered, now) > t.history.advanced[c.status]
}

// class is how long a wait has become.
type class uint8

const (
	waiting class = iota
	stalled
	abandoned
)

// classify judges a stay in a waiting status. A customer who was in this status
// when tracking began has waited for longer than was seen, so that an old
// account counts as abandoned.
func (t *Tracker) classify(c customer, now uint32) class {
	s := c.status
	if c.has(presentAtStart) && c.created != 0 && s != SafeDeploying && age(c.created, now) > t.thresholds.Abandoned[s] {
		return abandoned
	}
	switch a := age(c.entered, now); {
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
