package onboarding

import (
	"slices"
	"time"
)

// Observation is one row of a walk.
type Observation struct {
	ID, ExternalID string
	Status         Status
	CreatedAt      time.Time // the zero time if it is unknown
}

// Walk is one pass over the whole list, until it is committed or discarded.
type Walk struct {
	tracker   *Tracker
	start     uint32
	likelyEnd uint32 // if it takes as long as the walk before
	afterGap  bool   // too long since the walk before
	id        []byte
	names     []string // of the undocumented statuses

	findings findings
	// replaced are customers who were gone for too long to go on, in case the
	// walk is discarded.
	replaced map[uint64]customer
}

// Begin starts a walk. An unfinished former walk is discarded.
func (t *Tracker) Begin(start time.Time) *Walk {
	t.walk.Discard()
	w := &Walk{tracker: t, start: seconds(start), names: slices.Clone(t.undocumented), replaced: map[uint64]customer{}}
	w.likelyEnd = w.start + t.walkSeconds
	w.afterGap = t.gap(w.start, t.history.lastWalk)
	for s := range NumStatuses {
		t.stalled[s].reset()
		t.nearlyAbandoned[s].reset()
	}
	t.walk = w
	return w
}

// Observe records a row. It returns false if this walk has already seen the
// customer; the first row counts. A row without an id is always a first one,
// and is not tracked.
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
	key := t.hash(w.id)
	c, known := t.customers[key]
	switch {
	case c.seen != 0:
		return false
	case !known:
		c = w.newCustomer(o)
	case c.forgettable(w.start):
		w.replaced[key] = c
		c = w.newCustomer(o)
	}
	c.seen = 1 + uint8(o.Status)
	t.customers[key] = c
	if o.Status.Waits() && o.Status == c.status && c.entered != 0 {
		w.offerStalled(c, o)
	}
	return true
}

// offerStalled holds on to the plain id of a customer who may be stalled when
// the walk ends. Those who may be abandoned by then are held apart, so that many
// of them do not keep others off the list.
func (w *Walk) offerStalled(c customer, o Observation) {
	t := w.tracker
	switch {
	case t.classify(c, w.start) == abandoned:
	case t.classify(c, w.likelyEnd) == abandoned:
		t.nearlyAbandoned[c.status].offer(c, o)
	default:
		t.stalled[c.status].offer(c, o)
	}
}

// newCustomer is a customer who is seen for the first time.
func (w *Walk) newCustomer(o Observation) customer {
	t, created := w.tracker, creation(o.CreatedAt)
	c := customer{status: o.Status, flags: firstSeen}
	if o.Status == StatusUnknown {
		c.flags |= statusHidden
	}
	switch {
	case !t.history.settled && (t.history.since == 0 || created < t.history.since):
		// There when tracking began, or missed by walks with gaps since then.
		c.flags |= presentAtStart | entryUncertain
		c.entered, c.created = t.history.since, created
		return c
	case o.Status == OTPRequested && created != 0:
		c.entered = created
	case w.afterGap:
		c.flags |= entryUncertain
	}
	c.created = created // until the walk ends
	return c
}

// BalancesDiffer notes that a balance is not what it was in the walk before, so
// that the list is not frozen.
func (w *Walk) BalancesDiffer() { w.findings.changed = true }

// Commit ends the walk, remembers what it showed, and returns what that means, or
// nil if the walk has ended before. One that is not complete makes nobody gone.
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
	t.correctClock(now)
	w.findings.clocks = t.rhythms.clocks()
	for i := range t.rhythms.Cohorts {
		t.rhythms.Cohorts[i].Advance(w.start, now)
	}
	t.flow.advance(now)
	report := newTally(t, now)
	for key, c := range t.customers {
		if c.seen != 0 {
			w.applySeen(&c, now)
			report.add(c)
		} else {
			w.applyAbsent(&c, complete, now)
		}
		switch {
		case c.forgettable(now):
			delete(t.customers, key)
			continue
		case !c.has(gone):
			report.Tracked++
			w.countWaiting(c, now)
		}
		t.customers[key] = c
	}
	w.findings.countFast()
	t.rhythms.learn(&w.findings, t.history.lastWalk, now, !w.afterGap)
	for _, s := range WaitingStatuses() {
		if w.findings.advanced[index(s)] {
			t.history.advanced[s] = max(t.history.advanced[s], now)
			w.findings.enteredSince[index(s)], w.findings.surprise[index(s)] = 0, 0
		}
	}
	t.rhythms.judge(&w.findings)
	t.walkSeconds, t.history.lastWalk = now-w.start, now
	t.history.settled = t.history.settled || complete
	t.undocumented, report.Undocumented = w.names, w.names
	t.save()
	t.metrics.publish(t.history, report.Tracked)
	t.metrics.publishRhythms(&t.rhythms, &w.findings)
	return report.finish()
}

// countWaiting counts a customer who waits and is not gone.
func (w *Walk) countWaiting(c customer, now uint32) {
	t := w.tracker
	w.findings.countSince(t, c, now)
	if c.status.Waits() && !c.has(statusHidden) && c.teaches() {
		t.rhythms.Cohorts[index(c.status)].Wait(c.entered)
	}
}

// applySeen applies to c the rules for a customer whom the walk shows.
func (w *Walk) applySeen(c *customer, now uint32) {
	t, shown := w.tracker, Status(c.seen-1)
	c.seen = 0
	if c.has(firstSeen) {
		w.applyFirst(c, now)
		return
	}
	switch from := c.position(); {
	case from != position(shown):
		t.transition(from, position(shown))
	case c.left == 0:
		return
	}
	// A row with an unknown status, or an absence, does not end the stay: it
	// goes on if the customer is next seen where it was.
	if shown != StatusUnknown && shown != c.status {
		w.applyMove(c, shown, now)
	}
	c.left = 0
	c.flags &^= statusHidden | absentOnce | gone
	if shown == StatusUnknown {
		c.flags |= statusHidden
	}
}

// applyFirst applies the rules for a customer whom no walk has shown before.
func (w *Walk) applyFirst(c *customer, now uint32) {
	t := w.tracker
	c.flags &^= firstSeen
	if c.entered == 0 || c.entered > now {
		c.entered = now
	}
	if c.has(presentAtStart) {
		return
	}
	t.transition(positionNew, position(c.status))
	since := t.history.lastWalk - min(t.walkSeconds, t.history.lastWalk)
	w.findings.first(c, since, now)
	t.rhythms.enterFirst(*c, since)
	c.created = 0
}

// applyMove applies the rules for a customer who is in another status than
// before.
func (w *Walk) applyMove(c *customer, to Status, now uint32) {
	t := w.tracker
	lastSeen := t.history.lastWalk
	if c.left != 0 {
		lastSeen = c.left
	}
	watched := !c.has(statusHidden|gone) && !t.gap(w.start, lastSeen)
	if watched && !c.has(entryUncertain) && c.entered <= now {
		t.metrics.stay(c.status, age(c.entered, now))
	}
	w.findings.changed = true
	if c.status != StatusUnknown {
		w.findings.advance(c.status.Step(), to.Step(), 1)
	}
	w.findings.countWait(t, *c, to, now)
	*c = customer{status: to, entered: now}
	if !watched {
		c.flags = entryUncertain
	}
	if to.Waits() && watched {
		w.findings.entries[index(to)]++
	}
	t.rhythms.enter(*c)
}

// applyAbsent applies to c the rules for a customer whom the walk did not show.
func (w *Walk) applyAbsent(c *customer, complete bool, now uint32) {
	switch {
	case c.has(gone):
		return
	case c.left == 0:
		c.left = w.tracker.history.lastWalk
	}
	switch {
	case !complete:
	case !c.has(absentOnce):
		c.flags |= absentOnce
	default:
		w.tracker.transition(c.position(), positionGone)
		c.left = now
		c.flags = c.flags&^absentOnce | gone
	}
}

// Discard forgets the walk, as if it had not been.
func (w *Walk) Discard() {
	if w == nil || w.tracker.walk != w {
		return
	}
	t := w.tracker
	t.walk = nil
	for key, c := range t.customers {
		if replaced, ok := w.replaced[key]; ok {
			t.customers[key] = replaced
		} else if c.has(firstSeen) {
			delete(t.customers, key)
		} else if c.seen != 0 {
			c.seen = 0
			t.customers[key] = c
		}
	}
}
