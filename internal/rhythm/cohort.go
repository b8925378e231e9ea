package rhythm

// A cohort entered at least cohortMinHours whole hours before the hour under
// way and at most cohortMaxHours before.
const (
	cohortMinHours = 4
	cohortMaxHours = 23
)

// Cohort counts who entered a status in each hour of the last week. It learns for
// each hour of the week how many of those who entered 4 to 24 hours ago usually
// still wait, and what share of those who enter in that hour is late; by the
// latter it tells a loss. Its fields are the state that outlives a restart; change
// them through the methods alone.
type Cohort struct {
	// Hours are those of the last week, by the hour of the week.
	Hours [HoursPerWeek]Entrants
	// Hour is the hour under way, counted from the epoch.
	Hour uint32
	// Judged is the first hour that is not judged yet, and Due the first that the walk
	// under way does not judge either.
	Judged, Due uint32
	// Waiting is how many of the cohort the last walk saw waiting.
	Waiting uint32
	// Watched says that the hour under way was watched.
	Watched bool
	// UsualWaiting are those of cohorts who wait, by the hour in which they do.
	UsualWaiting [HoursPerWeek]Share
	// UsualLate are those who are late, by the hour in which they entered.
	UsualLate [HoursPerWeek]Share
	// Loss is what is told.
	Loss Loss
}

// Share is what was learned of an hour of the week: fading sums of customers, and of
// those of them who wait.
type Share struct {
	Customers, Waiting float32
	Weeks              uint8 // from how many weeks they are, at most memoryWeeks
}

func (s *Share) learn(customers, waiting uint32, weight float32) {
	fade := 1 - weight/memoryWeeks
	s.Customers = fade*s.Customers + weight*float32(customers)
	s.Waiting = fade*s.Waiting + weight*float32(min(waiting, customers))
	s.Weeks = min(s.Weeks+1, memoryWeeks)
}

// of is the share itself: as if one more of two had waited, since what little is
// known is no certainty.
func (s *Share) of() float64 { return float64(s.Waiting+1) / float64(s.Customers+2) }

// Advance takes in that a walk began at start and ends now. It makes the hour of now
// the one under way, and learns from the hours that end. If the clock was set back,
// or a week passed, it counts anew.
func (c *Cohort) Advance(start, now uint32) {
	hour := hourOf(now)
	switch {
	case hour-c.Hour >= HoursPerWeek: // Or it was set back, which is as far ahead in a uint32.
		c.Hours, c.Judged, c.Loss, c.Watched = [HoursPerWeek]Entrants{}, hour, Loss{}, false
	case hour > c.Hour:
		if c.Watched {
			weight := float32(1)
			if c.Loss.Since != 0 {
				weight = lossyWeight
			}
			c.UsualWaiting[slot(c.Hour)].learn(uint32(c.Customers()), c.Waiting, weight)
		}
		for h := c.Hour + 1; h <= hour; h++ {
			c.forget(h)
		}
		c.Watched = false
	}
	c.Hour, c.Waiting = hour, 0
	c.Due = hourOf(start-settleSeconds) - lateHours
}

// Enter counts customers who entered at a moment, which is not after the hour under
// way. It is too late for those of an hour that is judged.
func (c *Cohort) Enter(at uint32, customers int) {
	if hour := hourOf(at); hour >= c.Judged && hour <= c.Hour {
		c.Hours[slot(hour)].Customers += uint32(customers)
	}
}

// Wait counts one who entered at a moment and waits in the present walk.
func (c *Cohort) Wait(at uint32) {
	hour := hourOf(at)
	if hour+cohortMinHours <= c.Hour && hour+cohortMaxHours >= c.Hour {
		c.Waiting++
	}
	if hour >= c.Judged && hour < c.Due {
		c.Hours[slot(hour)].Late++
	}
}

// Customers is the size of the cohort of 4 to 24 hours.
func (c *Cohort) Customers() int {
	sum := uint32(0)
	for back := uint32(cohortMinHours); back <= min(cohortMaxHours, c.Hour); back++ {
		sum += c.Hours[slot(c.Hour-back)].Customers
	}
	return int(sum)
}

// Usual is how many of the cohort usually wait at this hour of the week, and
// whether that is known.
func (c *Cohort) Usual() (customers float64, known bool) {
	usual := &c.UsualWaiting[slot(c.Hour)]
	return usual.of() * float64(c.Customers()), usual.Weeks >= minWeeks
}
