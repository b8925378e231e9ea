package rhythm

import (
	"math"
	"sort"
)

// numWaits is the number of ranges by which waits are told apart.
const numWaits = 12

// waitBound is the end of a range of waits, in usual hours.
func waitBound(i int) float64 { return math.Ldexp(1.0/32, i) }

// rangeOf is the number of the range that a wait is in.
func rangeOf(usualHours float64) int {
	return sort.Search(numWaits-1, func(i int) bool { return usualHours < waitBound(i) })
}

// Clock tells how many usual hours lie between two moments, and what a wait of
// them says.
type Clock struct {
	hours     [HoursPerWeek + 1]float64 // usual ones since the week began
	surprises [numWaits]float64
	known     bool
}

// Clock is the one of what is usual now. It counts each hour as the mean of it
// and those beside it: of a small program, four weeks know only a few hours.
func (s *Silence) Clock() Clock {
	c := Clock{surprises: s.surprises(), known: s.Known()}
	for hour, share := range s.Usual {
		before, after := s.Usual[(hour+HoursPerWeek-1)%HoursPerWeek], s.Usual[(hour+1)%HoursPerWeek]
		c.hours[hour+1] = c.hours[hour] + float64(before+share+after)/3
	}
	return c
}

// Between is the number of usual hours between two moments in Unix seconds.
func (c *Clock) Between(from, to uint32) float64 {
	if to <= from {
		return 0
	}
	return c.since(to) - c.since(from)
}

func (c *Clock) since(unix uint32) float64 {
	hour := hourOf(unix)
	at, within := slot(hour), float64(unix%secondsPerHour)/secondsPerHour
	return float64(hour/HoursPerWeek)*c.hours[HoursPerWeek] + c.hours[at] + within*(c.hours[at+1]-c.hours[at])
}

// Surprise is [Silence.Surprise] of one who has waited between two moments in
// Unix seconds, in a silence that began at another. Before the usual hours are known,
// a wait says nothing that is shorter than half of the silence and than a weekend.
func (c *Clock) Surprise(from, to, quietSince uint32) float64 {
	if !c.known && to-from < min(weekendSeconds, (to-quietSince)/2) {
		return 0
	}
	return c.surprises[rangeOf(c.Between(from, to))]
}

// Passed notes for how many usual hours customers had waited who were seen to
// come and for whom the event happened.
func (s *Silence) Passed(customers int, usualHours float64) {
	s.Waits[rangeOf(usualHours)] += float32(customers)
}

const (
	// minDropOut and maxDropOut bound the share of customers for whom the event
	// never happens, beyond which four weeks teach nothing reliable.
	minDropOut = 0.02
	maxDropOut = 0.6
)

// Surprise is how unlikely it is, in nats, that one still waits after so many
// usual hours. It begins at 0 and ends at what the share says that never passes:
// one who just came says nothing, and three say much where nearly everybody passes.
func (s *Silence) Surprise(usualHours float64) float64 {
	return s.surprises()[rangeOf(usualHours)]
}

// surprises are those of each range of waits.
func (s *Silence) surprises() (nats [numWaits]float64) {
	known, passed := s.Known(), 0.0
	for _, customers := range s.Waits {
		passed += float64(customers)
	}
	among := max(1, passed)
	if !known { // Nor are usual hours, and most of those who pass were there at the start.
		passed = float64(s.Events)
	}
	entered := float64(s.Entered) // and three more, of whom one drops out
	dropOut := min(max((entered-passed+1)/(entered+3), minDropOut), maxDropOut)
	within := 0.0
	for i, customers := range s.Waits {
		share := within / among
		if !known {
			share = 1
		}
		nats[i] = -math.Log(1 - (1-dropOut)*share)
		within += float64(customers)
	}
	return nats
}

const (
	// minEntered is how many customers must have come since the last event at
	// the least for a silence to concern anybody.
	minEntered = 5
	// rareEvents is the number of events a week below which it is one more: four
	// weeks of so few hardly show what share drops out.
	rareEvents = 3.5
	// falseQuarters is in how many quarters chance alone may once reach
	// EnteredLimit, and weeksPerQuarter what a quarter is.
	falseQuarters   = 2.2
	weeksPerQuarter = 13
	// Before the usual hours are known, only a silence of four days is told, of which
	// a quarter holds at most longSilences. Who has waited for less than a weekend,
	// from the end of work to that of Monday's, may have had no chance to pass yet.
	longSilences   = weeksPerQuarter * 7 / 4.0
	weekendSeconds = 72 * secondsPerHour
	// stalledShare is what is still asked once it was reached, so that it is not
	// told twice.
	stalledShare = 0.9
)

// EnteredLimit is how many customers have to come in a row without the event
// before that is no chance, if each says as much as those did who came since the
// last event: so many of them, with so much surprise in all.
func (s *Silence) EnteredLimit(customers int, surprise float64) float64 {
	each := surprise / float64(customers)
	if customers == 0 {
		each = s.Surprise(math.Inf(1))
	}
	if each == 0 {
		return math.Inf(1)
	}
	silences := s.eventsPerWeek() * weeksPerQuarter
	if !s.Known() {
		silences = min(silences, longSilences)
	}
	asked := math.Log(max(1, falseQuarters*silences))
	if s.Stalled {
		asked *= stalledShare
	}
	least := float64(minEntered)
	if s.Events > 0 && s.eventsPerWeek() < rareEvents {
		least++
	}
	return max(least, math.Ceil(asked/each))
}
