// Package drive runs the exporter's own tracker over a program's customers, as
// the refresher would, in simulated time.
package drive

import (
	"slices"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/tools/oncall/model"
)

const (
	rowsPerPage = 100
	// pageTime is what a page takes where no quota slows the walk down.
	pageTime = 50 * time.Millisecond
)

// Span is a stretch of time, in Unix seconds; its end lies outside.
type Span struct{ Start, End int64 }

func (s Span) holds(at int64) bool { return at >= s.Start && at < s.End }

// Config is one run.
type Config struct {
	Customers []model.Customer
	Length    time.Duration

	RefreshInterval   time.Duration // 60 s if it is 0
	RequestsPerMinute float64       // that the quota grants; 30 if it is 0
	Thresholds        onboarding.Thresholds
	// IdleWalk is how long walks that would find nothing new are left out; 0
	// walks always.
	IdleWalk time.Duration
	// Spent returns whether a balance differs between two moments; nil is never.
	Spent func(from, to int64) bool
	// KeepActive and KeepDropOuts are for how long after their last move
	// customers stay in the list, so that a walk stays short; 0 is for good.
	// Those who moved at or after KeepFrom, if that is set, and wait stay for good.
	KeepActive, KeepDropOuts time.Duration
	KeepFrom                 int64

	Frozen       []Span        // the API serves the list of the start
	Away         []Span        // the exporter does not run
	RestartEvery time.Duration // 0 is never

	// Past, if it is set, is a run to go on from. Its Config and what it knows of
	// Customers must be the same until then.
	Past *Past

	// Step is called at every multiple of StepEvery with what the exporter shows
	// then. It may be nil.
	Step      func(at int64, shown *Shown)
	StepEvery time.Duration
	// Walked is called after every walk. It may be nil.
	Walked func(at int64, shown *Shown)
}

// Run runs the exporter from Epoch on, or from where Past ended.
func Run(c Config) error {
	r := newRun(c)
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.walks(r.end); err != nil {
		return err
	}
	r.steps(r.end)
	return r.stop()
}

// walks walks until a moment.
func (r *run) walks(until int64) error {
	for r.now < until {
		if back := r.downUntil(r.now); back > r.now {
			if err := r.restart(back); err != nil {
				return err
			}
			r.now = back
			continue
		}
		took := r.walkTime(r.now)
		if r.interrupted(r.now, r.now+took) {
			r.now = r.nextDown(r.now) // The walk under way is lost.
			continue
		}
		r.walk(r.now, took)
		r.now = r.next(r.now, took)
	}
	return nil
}

// run is a run under way. All times are Unix seconds.
type run struct {
	Config

	now, end    int64
	interval    int64
	tracker     *onboarding.Tracker
	stops       bool   // it needs a state file, since it goes on later
	folder      string // of the state file
	state       []byte // the state file, when the exporter stops
	shown       *Shown
	nextStep    int64
	nextRestart int64

	live     []row   // rows in the list
	upcoming int     // index of the first customer who is not in the list yet
	moves    []int64 // every move of everybody, in order
	moved    int     // how many of them the last walk may have seen
	lastWalk int64
}

// row is a customer in the list.
type row struct {
	customer *model.Customer
	number   int // its place in the list
	at       int // index of its latest move
}

func newRun(c Config) *run {
	if c.RefreshInterval == 0 {
		c.RefreshInterval = time.Minute
	}
	if c.RequestsPerMinute == 0 {
		c.RequestsPerMinute = 30
	}
	if c.StepEvery == 0 {
		c.StepEvery = 5 * time.Minute
	}
	r := &run{Config: c, now: model.At(0), end: model.At(c.Length), interval: int64(c.RefreshInterval / time.Second)}
	r.nextStep = r.now + int64(c.StepEvery/time.Second)
	for _, customer := range c.Customers {
		for _, m := range customer.Moves {
			r.moves = append(r.moves, m.At)
		}
	}
	slices.Sort(r.moves)
	r.stops = c.Past != nil || c.RestartEvery > 0 || len(c.Away) > 0
	r.nextRestart = r.end
	if c.RestartEvery > 0 {
		r.nextRestart = r.now + int64(c.RestartEvery/time.Second)
	}
	return r
}

// downUntil is when the exporter runs again if it stops at a moment, and that
// moment if it does not.
func (r *run) downUntil(at int64) int64 {
	for _, away := range r.Away {
		if away.holds(at) {
			return min(away.End, r.end)
		}
	}
	if at >= r.nextRestart {
		r.nextRestart += int64(r.RestartEvery / time.Second)
		return at + 10
	}
	return at
}

// nextDown is when the exporter stops next after a moment.
func (r *run) nextDown(after int64) int64 {
	next := r.nextRestart
	for _, away := range r.Away {
		if away.Start > after {
			next = min(next, away.Start)
		}
	}
	return max(next, after+1)
}

func (r *run) interrupted(start, end int64) bool { return r.nextDown(start) < min(end, r.end) }

// steps calls Step for every moment before a walk ends.
func (r *run) steps(until int64) {
	for ; r.nextStep < until; r.nextStep += int64(r.StepEvery / time.Second) {
		if r.Step != nil {
			r.Step(r.nextStep, r.shown)
		}
	}
}
