package rhythm

import (
	"math"
	"slices"
)

// week is what the shares of its 168 hours say of a program's week.
type week struct {
	hours      float64 // usual hours in a week
	nats       float64 // how unlikely one usual hour without an event is, on average
	natsByPair float64 // the same if two hours in a row share one event, as after a change to summer time
	density    float64 // the share of a usual hour, on average
	usualDay   float64 // usual hours of the busiest day
	byHour     [hoursPerDay]float64
}

func summarize(usual *[HoursPerWeek]float32) (w week) {
	var byPair [2]float64
	var days [HoursPerWeek / hoursPerDay]float64
	for hour, share := range usual {
		p, next := float64(share), float64(usual[(hour+1)%HoursPerWeek])
		w.hours += p
		w.nats -= math.Log1p(-certainty * p)
		byPair[hour%2] -= math.Log1p(-certainty * min(1, p+next))
		w.density += p * p
		w.byHour[hour%hoursPerDay] += p
		days[hour/hoursPerDay] += p
	}
	w.usualDay = slices.Max(days[:])
	if w.hours > 0 {
		w.natsByPair = max(w.nats, byPair[0], byPair[1]) / w.hours
		w.nats /= w.hours
		w.density /= w.hours
	}
	return w
}

// restsAtNight reports whether nothing happens in some eight hours of the day.
func (w *week) restsAtNight() bool {
	for first := range hoursPerDay {
		sum := 0.0
		for i := range nightHours {
			sum += w.byHour[(first+i)%hoursPerDay]
		}
		if sum <= nightShare*w.hours {
			return true
		}
	}
	return false
}

const (
	// nightHours is how long a night off is, and nightShare the share of the
	// events that it may hold.
	nightHours = 8
	nightShare = 0.02
)
