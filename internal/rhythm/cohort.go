package rhythm

import "math"

const (
	// A cohort entered at least cohortMinHours whole hours before the hour under
	// way and at most cohortMaxHours before.
	cohortMinHours = 4
	cohortMaxHours = 23

	maxSlackHours = 4
)

// Cohort counts who entered a status 4 to 24 hours ago, and learns for each hour
// of the week how many of them usually still wait. Its fields are the state that
// outlives a restart; change them through the methods alone.
type Cohort struct {
	// Entered counts entries by the hour, in a ring.
	Entered [cohortMaxHours + 1]uint32
	// Hour is the hour under way, counted from the epoch.
	Hour uint32
	// Waiting is how many of the cohort the last walk saw waiting.
	Waiting uint32
	// SlackHours is by how many hours a walk may see late what has happened.
	SlackHours uint8
	// Watched says that the hour under way was watched.
	Watched bool
	// UsualEntered and UsualWaiting are fading sums over the cohorts of past
	// weeks, by the hour of the week.
	UsualEntered, UsualWaiting [HoursPerWeek]float32
	// Weeks is from how many weeks they are, at most memoryWeeks.
	Weeks [HoursPerWeek]uint8
}

// Advance makes the hour of now the one under way, and learns from the cohort of
// the hour before if that was watched.
func (c *Cohort) Advance(now uint32) {
	hour := hourOf(now)
	if hour == c.Hour {
		return
	}
	if hour > c.Hour {
		c.learn()
		for h := max(c.Hour+1, hour-min(hour, cohortMaxHours)); h <= hour; h++ {
			c.Entered[h%uint32(len(c.Entered))] = 0
		}
	}
	c.Hour, c.Watched = hour, false
}

// Enter counts customers who entered at a moment, which is not after the hour
// under way. Those from before the cohort do not count.
func (c *Cohort) Enter(at uint32, customers int) {
	if hour := hourOf(at); hour <= c.Hour && hour+cohortMaxHours >= c.Hour {
		c.Entered[hour%uint32(len(c.Entered))] += uint32(customers)
	}
}

// Includes reports whether who entered at a moment belongs to the cohort.
func (c *Cohort) Includes(at uint32) bool {
	hour := hourOf(at)
	return hour+cohortMinHours <= c.Hour && hour+cohortMaxHours >= c.Hour
}

// SetWaiting notes how many of the cohort a walk saw waiting, so many seconds after
// the walk before.
func (c *Cohort) SetWaiting(customers int, walkInterval uint32) {
	c.Waiting, c.Watched = uint32(customers), true
	c.SlackHours = uint8(min(maxSlackHours, (walkInterval+secondsPerHour/2)/secondsPerHour))
}

// Customers is the size of the cohort.
func (c *Cohort) Customers() int {
	sum := uint32(0)
	for back := uint32(cohortMinHours); back <= min(cohortMaxHours, c.Hour); back++ {
		sum += c.Entered[(c.Hour-back)%uint32(len(c.Entered))]
	}
	return int(sum)
}

// Usual is how many of the cohort usually wait at this hour of the week, and
// whether that is known. The hours beside it count too: a program may shift by
// one, with the season or by a slow start, and slow walks see it later.
func (c *Cohort) Usual() (customers float64, known bool) {
	share := 0.0
	beside := 1 + uint32(c.SlackHours)
	for hour := c.Hour + HoursPerWeek - beside; hour <= c.Hour+HoursPerWeek+beside; hour++ {
		at := slot(hour)
		if c.Weeks[at] < minWeeks {
			return 0, false
		}
		// As if one more of two had waited: what little is known is no certainty.
		share = max(share, float64(c.UsualWaiting[at]+1)/float64(c.UsualEntered[at]+2))
	}
	return min(share, 1) * float64(c.Customers()), true
}

// What is clearly more than usual, here and in the shipped rules.
const (
	LossCustomers  = 3 // more wait than usual
	LossDeviations = 3 // standard deviations of chance beyond that
	// MinPassingShare is the least share that counts as passing: where nearly all
	// usually wait, a few who pass later than usual are no loss.
	MinPassingShare = 0.15
)

// Lossy reports whether clearly more wait than usual.
func (c *Cohort) Lossy() bool { return c.exceeds(LossDeviations) }

// exceeds reports whether more wait than usual by so many standard deviations.
func (c *Cohort) exceeds(deviations float64) bool {
	usual, known := c.Usual()
	customers := float64(c.Customers())
	if !known || customers == 0 {
		return false
	}
	deviation := math.Sqrt(usual * max(1-usual/customers, MinPassingShare) * 4 / 3)
	return float64(c.Waiting) >= LossCustomers+usual+deviations*deviation
}

// learn adds the cohort of the hour that ends. One that seems to lose people is not
// usual, and weighs a quarter: a loss of two weeks hardly shows, and a program
// that has changed for good is known again within months.
func (c *Cohort) learn() {
	if !c.Watched {
		return
	}
	weight := float32(1)
	if c.exceeds(hintDeviations) {
		weight = lossyWeight
	}
	at, fade := slot(c.Hour), 1-weight/memoryWeeks
	c.UsualEntered[at] = fade*c.UsualEntered[at] + weight*float32(c.Customers())
	c.UsualWaiting[at] = fade*c.UsualWaiting[at] + weight*float32(min(int(c.Waiting), c.Customers()))
	c.Weeks[at] = min(c.Weeks[at]+1, memoryWeeks)
}

const (
	// hintDeviations is from how many standard deviations on a cohort seems to lose
	// people, before that is sure enough to be told.
	hintDeviations = 2
	// lossyWeight is what a cohort weighs that seems to lose people.
	lossyWeight = 0.25
)
