package onboarding

import "time"

// Observation is one row of a walk.
type Observation struct {
	ID, ExternalID string
	Status         Status
	CreatedAt      time.Time // the zero time if it is unknown
}

// Walk is one pass over the whole customer list. Once it is committed or
// discarded it takes no more rows.
type Walk struct {
	tracker *Tracker
	start   uint32
	likely  uint32 // when it will end if it takes as long as the walk before
	gap     bool   // too long since the walk before
	id      []byte

	replaced []record // too old to go on, in case the walk is discarded
}

// Begin starts a walk. An unfinished former walk is discarded.
func (t *Tracker) Begin(start time.Time) *Walk {
	t.walk.Discard()
	w := &Walk{tracker: t, start: seconds(start)}
	w.likely = w.start + t.walkTime
	w.gap = t.gap(w.start, t.history.lastWalk)
	for s := range NumStatuses {
		t.stalled[s].reset()
		t.leaving[s].reset()
	}
	t.walk = w
	return w
}

// Observe records a row. It returns false if this walk has already seen the
// customer; the first row counts. A row without an id is always a first one,
// and is not tracked. What o points to is not kept.
func (w *Walk) Observe(o Observation) (first bool) {
	t := w.tracker
	if t.walk != w {
		return false
	}
	if o.ID == "" {
		return true
	}
	if o.Status >= NumStatuses {
		o.Status = StatusUnknown
	}
	w.id = append(w.id[:0], o.ID...)
	r, isNew := t.customers.find(t.hash(w.id))
	if r.shown != 0 {
		return false
	}
	switch {
	case isNew:
		w.arrive(r, o)
	case forgettable(r, w.start):
		w.replaced = append(w.replaced, *r)
		w.arrive(r, o)
	}
	r.shown = 1 + uint8(o.Status)
	if o.Status.Waits() && o.Status == r.status && r.entered != 0 {
		w.list(r, o)
	}
	return true
}

// list holds on to the plain id of a customer who may be stalled when the walk
// ends. Those who may be abandoned by then are held apart, so that many of them
// do not keep others off the list.
func (w *Walk) list(r *record, o Observation) {
	t := w.tracker
	switch {
	case t.classify(r.status, r.entered, r.created, w.start) == abandoned:
	case t.classify(r.status, r.entered, r.created, w.likely) == abandoned:
		t.leaving[r.status].offer(r, o)
	default:
		t.stalled[r.status].offer(r, o)
	}
}

// arrive makes r the record of a customer who is seen for the first time.
func (w *Walk) arrive(r *record, o Observation) {
	t, created := w.tracker, creation(o.CreatedAt)
	*r = record{key: r.key, status: o.Status, flags: fresh | dirty}
	if o.Status == StatusUnknown {
		r.flags |= hidden
	}
	switch {
	case !t.history.settled && (t.history.since == 0 || created < t.history.since):
		// There when tracking began, or missed by walks with gaps since then.
		r.flags |= before | bound
		r.entered, r.created = t.history.since, created
		return
	case o.Status == OTPRequested && created != 0:
		r.entered = created
	case w.gap:
		r.flags |= bound
	}
	if int64(created) >= int64(t.history.lastWalk)-t.gapLimit {
		r.flags |= recent
	}
}

// Commit ends the walk at end, remembers what it showed, and returns what that
// means. A walk that is not complete makes nobody gone. It returns nil for a
// walk that was discarded or committed before.
func (w *Walk) Commit(end time.Time, complete bool) *Report {
	t := w.tracker
	if t.walk != w {
		return nil
	}
	t.walk = nil
	now := max(seconds(end), w.start)
	if t.history.since == 0 {
		t.history.since = now
		for _, s := range WaitingStatuses() {
			t.history.advanced[s] = now
		}
	}
	t.trust(now)

	report := newTally(t, now)
	expired := false
	for r := range t.customers.all() {
		if r.shown != 0 {
			w.saw(r, Status(r.shown-1), now)
			report.add(r)
			r.shown = 0
			r.flags &^= fresh | recent
		} else {
			w.lacked(r, complete, now)
			if forgettable(r, now) {
				r.forget()
				expired = true
			}
		}
		if !r.has(gone) {
			report.Tracked++
		}
	}
	t.walkTime = now - w.start
	t.history.lastWalk = now
	t.history.settled = t.history.settled || complete
	t.save()
	if expired {
		t.customers.drop(func(r *record) bool { return r.forgotten() && !r.has(dirty) })
	}
	t.metrics.publish(t.history, report.Tracked)
	return report.finish()
}

// forgettable reports whether a customer has been gone for long enough.
func forgettable(r *record, now uint32) bool {
	return r.forgotten() || r.has(gone) && age(r.left, now) > keepGone
}

// saw applies to r the rules for a customer whom the walk shows in status s.
func (w *Walk) saw(r *record, s Status, now uint32) {
	t := w.tracker
	if r.has(fresh) {
		if r.entered == 0 || r.entered > now {
			r.entered = now
		}
		if !r.has(before) {
			t.metrics.transition(whereNew, where(s))
		}
		if r.has(recent) {
			t.advance(0, s.Step(), now)
		}
		return
	}
	switch from := r.where(); {
	case from != where(s):
		t.metrics.transition(from, where(s))
	case r.left == 0:
		return
	}
	// A row with an unknown status, or an absence, does not end the stay: it
	// goes on if the customer is next seen where it was.
	if s != StatusUnknown && s != r.status {
		lastSeen := t.history.lastWalk
		if r.left != 0 {
			lastSeen = r.left
		}
		watched := !r.has(hidden|gone) && !t.gap(w.start, lastSeen)
		if watched && !r.has(bound) && r.entered <= now {
			t.metrics.stay(r.status, age(r.entered, now))
		}
		if r.status != StatusUnknown {
			t.advance(r.status.Step(), s.Step(), now)
		}
		*r = record{key: r.key, status: s, entered: now}
		if !watched {
			r.flags = bound
		}
	}
	r.left = 0
	r.flags = r.flags&^(hidden|missed|gone) | dirty
	if s == StatusUnknown {
		r.flags |= hidden
	}
}

// lacked applies to r the rules for a customer whom the walk did not show.
func (w *Walk) lacked(r *record, complete bool, now uint32) {
	switch {
	case r.has(gone):
		return
	case r.left == 0:
		r.left = w.tracker.history.lastWalk
		r.flags |= dirty
	}
	switch {
	case !complete:
	case !r.has(missed):
		r.flags |= missed | dirty
	default:
		w.tracker.metrics.transition(r.where(), whereGone)
		r.left = now
		r.flags = r.flags&^missed | gone | dirty
	}
}

// Discard forgets the walk, as if it had not been.
func (w *Walk) Discard() {
	if w == nil || w.tracker.walk != w {
		return
	}
	t := w.tracker
	t.walk = nil
	t.customers.drop(func(r *record) bool { return r.has(fresh) })
	for _, old := range w.replaced {
		r, _ := t.customers.find(old.key)
		*r = old
	}
	for r := range t.customers.all() {
		r.shown = 0
	}
}
