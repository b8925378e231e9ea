package rhythm

import "math"

// Silence learns in which hours of the week an event usually happens, and how
// many such hours have passed since the last one. Its fields are the state that
// outlives a restart; change them through the methods alone.
type Silence struct {
	// Usual is the share of the past weeks in which the event happened in this
	// hour of the week.
	Usual [HoursPerWeek]float32
	// Weeks is for how many weeks that was watched, at most memoryWeeks.
	Weeks [HoursPerWeek]uint8
	// Hour is the hour under way, counted from the epoch.
	Hour uint32
	// Watched is how many seconds of the hour under way were watched.
	Watched float32
	// Quiet is how likely it is that the event has not happened in the hour under
	// way: where two walks lie hours apart, the event may belong to any of them.
	Quiet float32
	// Missed is how many usual hours have passed since the last event.
	Missed float32
	// Stalled says that the silence was told as no chance. It ends once the event
	// happens to backShare of those to whom it usually does.
	Stalled bool
	// Pending are usual hours that count once the list is seen to change.
	Pending float32
	// Events, Entered and Hours are fading sums over the watched hours: how often
	// the event happened, how many customers were seen to come for whom it could,
	// and the hours themselves.
	Events, Entered, Hours float32
	// EnteredSince counts those who came since the last event. They are added to
	// Entered with the next one, so that a stall does not look like drop-outs.
	EnteredSince float32
	// RecentEvents and RecentEntered count events and those who came, fading within
	// hours. RecentEvents begins anew with a stall.
	RecentEvents, RecentEntered float32
	// Waits are fading counts of those of them for whom the event happened, by the
	// usual hours that they had waited: the first below waitBound(0), and so on.
	Waits [numWaits]float32
}

// Evidence says how sure a silence must be.
type Evidence struct {
	// Nats is how unlikely the silence must be by chance alone: by a factor of
	// e^Nats.
	Nats float64
	// MinHours is the least number of usual hours that must be missed where a day
	// off is not plausible, so that a short pause is no silence.
	MinHours float64
}

// secondsApart is how far apart events are at the least that do not belong
// together: a batch is one event, however many pass in it.
const secondsApart = 900

const (
	// backShare is the share of the usual events with which a stall is over: a few
	// who slip through are no cure.
	backShare = 1.0 / 3
	// minBackEvents is how many that are at the least where as many usually happen in
	// backHours: at night, one who slips through is a third of the usual.
	minBackEvents = 1.5
	backHours     = 2
	// recentHours is in how many hours what is recent fades.
	recentHours = 4
)

// Observe takes in a watched time in which the event happened so often, and
// reports whether that ends the silence.
func (s *Silence) Observe(w Watch, events int) (over bool) {
	if w.To <= w.From {
		return s.ObserveBlind(events)
	}
	s.Events += float32(events)
	whole := float64(w.To - w.From)
	fade := float32(math.Exp(-whole / (recentHours * secondsPerHour)))
	s.RecentEvents, s.RecentEntered = s.RecentEvents*fade, s.RecentEntered*fade
	over = s.isOver(events)
	apart := min(float64(events), 1+whole/secondsApart)
	for at := w.From; at < w.To; {
		hour := hourOf(at)
		end := min((hour+1)*secondsPerHour, w.To)
		s.enter(hour)
		piece := float64(end - at)
		s.Watched += float32(piece)
		if events > 0 {
			s.Quiet *= float32(math.Pow(1-piece/whole, apart))
		}
		if !over {
			s.Pending += s.Usual[slot(hour)] * float32(piece/secondsPerHour)
		}
		at = end
	}
	s.take(events, over) // after the hours of the silence are judged as such
	return over
}

// ObserveBlind takes in a time that was not watched, after which events were
// found: it teaches nothing. It reports whether they end the silence.
func (s *Silence) ObserveBlind(events int) (over bool) {
	over = s.isOver(events)
	s.take(events, over)
	return over
}

// isOver reports whether so many events end the silence.
func (s *Silence) isOver(events int) bool {
	if events == 0 || !s.Stalled {
		return events > 0
	}
	least := min(minBackEvents, s.eventsPerWeek()*backHours/HoursPerWeek)
	return float64(s.RecentEvents)+float64(events) >= max(least, backShare*float64(s.usualShare()*s.RecentEntered))
}

func (s *Silence) take(events int, over bool) {
	s.RecentEvents += float32(events)
	if over {
		s.Entered += s.EnteredSince
		s.Missed, s.Pending, s.EnteredSince, s.Stalled = 0, 0, 0, false
	}
}

// usualShare is for how many of the customers the event usually happens.
func (s *Silence) usualShare() float32 { return min(1, s.Events/max(1, s.Entered)) }

// Stall notes that the silence is told as no chance. What was recent before it does
// not end it.
func (s *Silence) Stall() {
	if !s.Stalled {
		s.Stalled, s.RecentEvents = true, 0
	}
}

// Exceeds reports whether more is missed than chance explains.
func (s *Silence) Exceeds(e Evidence) bool { return s.Known() && float64(s.Missed) >= s.Limit(e) }

// Enter counts customers for whom the event can now happen.
func (s *Silence) Enter(customers float64) {
	s.EnteredSince += float32(customers)
	s.RecentEntered += float32(customers)
}

// EnterUsual is Enter where nobody is seen to come before the event: as if as many
// had come in that time as there usually are events.
func (s *Silence) EnterUsual(seconds uint32) {
	s.Enter(s.eventsPerWeek() / HoursPerWeek * float64(seconds) / secondsPerHour)
}

// Confirm counts the pending hours: the list has changed since, so that the
// program is alive and what the API lists is not frozen.
func (s *Silence) Confirm() {
	s.Missed += s.Pending
	s.Pending = 0
}

// enter makes hour the one under way and learns from the one before.
func (s *Silence) enter(hour uint32) {
	if hour == s.Hour {
		return
	}
	if float64(s.Watched) >= minWatched*secondsPerHour {
		s.learn(slot(s.Hour), 1-s.Quiet)
	}
	s.Hour, s.Watched, s.Quiet = hour, 0, 1
	if s.teachesNothing() {
		return
	}
	const fade = 1 - 1.0/(memoryWeeks*HoursPerWeek)
	s.Events, s.Entered, s.Hours = s.Events*fade, s.Entered*fade, s.Hours*fade+1
	for i := range s.Waits {
		s.Waits[i] *= fade
	}
}

// teachesNothing reports whether the hours under way are those of a stall in which
// nothing happens, for five hours of late. One in which a little does may be how it
// is from now on.
func (s *Silence) teachesNothing() bool { return s.Stalled && s.RecentEvents < 0.25 }

// learn moves the usual share of an hour of the week toward what was seen.
func (s *Silence) learn(slot int, happened float32) {
	if happened < 0.5 && s.teachesNothing() {
		return
	}
	s.Weeks[slot] = min(s.Weeks[slot]+1, memoryWeeks)
	s.Usual[slot] += (happened - s.Usual[slot]) / float32(s.Weeks[slot])
}

// Known reports whether enough weeks were watched and the event is frequent
// enough for a silence to mean anything.
func (s *Silence) Known() bool {
	known, hours := 0, float32(0)
	for slot, weeks := range s.Weeks {
		if weeks >= minWeeks {
			known++
		}
		hours += s.Usual[slot]
	}
	return known >= minKnownHours && hours >= minUsualHours
}

// minUsualHours is how many usual hours a week has at least. Of a program with
// fewer, a silence of weeks would say nothing.
const minUsualHours = 2

const (
	// certainty bounds what four weeks can teach: an event in each of them may
	// still fail to happen now and then.
	certainty = 0.9
	// frequentEvents is the number of events a week from which on the full
	// evidence is asked for. Rarer events begin fewer silences, so that each may
	// be believed sooner for the same number of false ones a quarter.
	frequentEvents = 22
	// minEvidence is the share of the evidence that is asked for at the least,
	// and minNightEvidence the same where nothing happens at night: the hours of
	// a day's work depend on one another.
	minEvidence      = 0.6
	minNightEvidence = 0.75
	// dayOffMargin is what must be missed beyond the busiest day where a day off is
	// plausible: the hour in which work begins again, and a little.
	dayOffMargin = 1.05
)

// Limit is how many usual hours have to be missed before the silence says that
// something is wrong. It follows from the program's own week:
//
//   - By chance alone such a silence has to be as unlikely as the evidence asks.
//     Where an event is certain in a usual hour, each missed one says much; where
//     it is rare, little.
//   - A program that rests at night is run by people, and people have holidays:
//     a whole busy day has to be missed, and an hour of the next.
//   - Everywhere else it is at least the evidence's MinHours.
func (s *Silence) Limit(e Evidence) float64 {
	week := summarize(&s.Usual)
	if week.hours == 0 {
		return math.Inf(1)
	}
	frequency := min(1, s.eventsPerWeek()/frequentEvents)
	if week.restsAtNight() {
		asked := e.Nats * max(minNightEvidence, frequency)
		return max(asked/week.natsByPair, dayOffMargin+week.usualDay)
	}
	asked := e.Nats * max(minEvidence, frequency)
	return max(asked/week.nats, e.MinHours*week.density)
}

// eventsPerWeek extrapolates nothing from less than a week.
func (s *Silence) eventsPerWeek() float64 {
	return float64(s.Events) / max(HoursPerWeek, float64(s.Hours)) * HoursPerWeek
}
