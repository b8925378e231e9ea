package onboarding

import (
	"time"

	"yativo-card-exporter/internal/rhythm"
)

// numWaiting is the number of waiting statuses, which are the first ones.
const numWaiting = 5

// rhythms are what was learned of the program's usual hours, by waiting status.
type rhythms struct {
	Advances [numWaiting]rhythm.Silence // of customers who go past the status
	Cohorts  [numWaiting]rhythm.Cohort
	SignUps  rhythm.Silence
	Changes  rhythm.Silence // of anything in the list
}

// minFastOnboarding is the least age at which a customer who is first seen
// beyond a step may have passed it. A back office adds younger ones.
const minFastOnboarding = 10 * time.Minute

// minImportAge is the age of an account from which on one who is first seen beyond a
// step may have been there for long: the list is hardly ever late by so much.
const minImportAge = 24 * time.Hour

// fastShare is the least share of a walk's new customers who are first seen
// beyond a step, one in so many, for that to be the pace of the program and not
// the work of a back office.
const fastShare = 10

// findings are what one walk found that the rhythms are learned from, by waiting
// status.
type findings struct {
	advances     [numWaiting]int     // customers who went past the status
	advanced     [numWaiting]bool    // whether those end the silence
	entries      [numWaiting]int     // customers who entered it, and were seen there
	unseen       [numWaiting]int     // customers who entered and passed it between two walks
	enteredSince [numWaiting]int     // customers who wait and entered after the last advance
	surprise     [numWaiting]float64 // that all of those still wait, in nats
	signUps      int
	changed      bool

	clocks       [numWaiting]rhythm.Clock
	newCustomers int
	fast         [NumStatuses]int // first seen in this status, old enough to have come there by themselves
}

func index(waiting Status) int { return int(waiting - OTPRequested) }

// advance notes that customers went from one step to another, 0 being before
// the first.
func (f *findings) advance(from, to, customers int) {
	for _, s := range WaitingStatuses() {
		if from <= s.Step() && s.Step() < to {
			f.advances[index(s)] += customers
			if from < s.Step() {
				f.unseen[index(s)] += customers
			}
		}
	}
}

// first notes a customer whom no walk has shown before. since is the start of
// the walk before, which may already have read the page where it would stand. One
// that is imported or added may have entered at any time.
func (f *findings) first(c *customer, since, now uint32) {
	f.changed = true
	f.newCustomers++
	recent := c.created >= since
	if !recent && c.created != 0 && age(c.created, now) > minImportAge && c.status != OTPRequested {
		c.flags |= imported
	}
	switch {
	case c.status == OTPRequested:
		f.signUps++
	case c.status == OTPVerified:
		f.signUps++
		if recent {
			f.advance(0, OTPVerified.Step(), 1)
		}
	case recent && age(c.created, now) >= minFastOnboarding:
		f.fast[c.status]++
	default:
		c.flags |= entryUncertain
	}
	if c.status.Waits() && c.teaches() {
		f.entries[index(c.status)]++
	}
}

// countSince counts a customer who entered its status after the last advance past
// it and waits. That one who was imported waits is no surprise.
func (f *findings) countSince(t *Tracker, c customer, now uint32) {
	if !t.enteredSinceAdvance(c, now) {
		return
	}
	i := index(c.status)
	f.enteredSince[i]++
	if !c.has(imported) {
		f.surprise[i] += f.clocks[i].Surprise(c.entered, now, t.history.advanced[c.status])
	}
}

// countWait notes how long a customer has waited who goes past its status.
func (f *findings) countWait(t *Tracker, c customer, to Status, now uint32) {
	if c.status.Waits() && to.Step() > c.status.Step() && c.teaches() {
		i := index(c.status)
		t.rhythms.Advances[i].Passed(1, f.clocks[i].Between(c.entered, now))
	}
}

// countFast takes those who were first seen far on for sign-ups and advances, if
// they are too many for a back office that adds a few a day.
func (f *findings) countFast() {
	fast := 0
	for _, customers := range f.fast {
		fast += customers
	}
	if fast*fastShare < f.newCustomers {
		return
	}
	for s, customers := range f.fast {
		f.advance(0, Status(s).Step(), customers)
	}
	f.signUps += fast
}

// enter counts a customer into the cohorts of its status, if it is known when it
// entered.
func (r *rhythms) enter(c customer) {
	if c.status.Waits() && c.teaches() {
		r.Cohorts[index(c.status)].Enter(c.entered, 1)
	}
}

// enterFirst does so for one whom no walk has shown before. Who was created since then
// and is beyond the OTP has entered that too.
func (r *rhythms) enterFirst(c customer, since uint32) {
	if c.status != OTPRequested && c.created >= since {
		r.Cohorts[index(OTPRequested)].Enter(c.created, 1)
	}
	r.enter(c)
}

func (r *rhythms) clocks() (clocks [numWaiting]rhythm.Clock) {
	for i := range r.Advances {
		clocks[i] = r.Advances[i].Clock()
	}
	return clocks
}

// learn takes in what a walk found that began at start and ended at now, after
// one that ended at lastWalk. Where too much time lies between the two, it was
// not watched.
func (r *rhythms) learn(f *findings, lastWalk, now uint32, watched bool) {
	// What a frozen list hid is no silence.
	thawed := f.changed && r.Changes.Exceeds(evidenceChanges())
	observe := func(s *rhythm.Silence, events int, confirmed bool) (over bool) {
		if watched {
			over = s.Observe(rhythm.Watch{From: lastWalk, To: now}, events)
		} else {
			over = s.ObserveBlind(events)
		}
		switch {
		case thawed:
			s.Pending = 0
		case confirmed:
			s.Confirm()
		}
		return over
	}
	changes := 0
	if f.changed {
		changes = 1
	}
	for i := range numWaiting {
		r.Advances[i].Enter(float64(f.entries[i] + f.unseen[i]))
		r.Advances[i].Passed(f.unseen[i], 0)
		if watched && i != index(OTPRequested) {
			r.Cohorts[i].Enter(now, f.unseen[i])
		}
		f.advanced[i] = observe(&r.Advances[i], f.advances[i], f.changed)
		r.Cohorts[i].Walked(watched, f.advances[i] > 0)
	}
	if watched {
		r.SignUps.EnterUsual(now - lastWalk)
	}
	observe(&r.SignUps, f.signUps, f.changed)
	observe(&r.Changes, changes, true)
}

// judge notes which silences are no chance, once those who came since are counted.
func (r *rhythms) judge(f *findings) {
	for i := range r.Advances {
		a := &r.Advances[i]
		if a.Exceeds(evidencePastStep()) && float64(f.enteredSince[i]) >= a.EnteredLimit(f.enteredSince[i], f.surprise[i]) {
			a.Stall()
		}
		if a.Stalled {
			r.Cohorts[i].Yield()
		}
	}
	if r.SignUps.Exceeds(evidenceSignUps()) {
		r.SignUps.Stall()
	}
	if r.Changes.Exceeds(evidenceChanges()) {
		r.Changes.Stall()
	}
}

// How sure a silence has to be. A list that has not changed says little of a
// small program.
func evidencePastStep() rhythm.Evidence { return rhythm.Evidence{Nats: 3, MinHours: 5} }
func evidenceSignUps() rhythm.Evidence  { return rhythm.Evidence{Nats: 9, MinHours: 5} }
func evidenceChanges() rhythm.Evidence  { return rhythm.Evidence{Nats: 14, MinHours: 4} }
