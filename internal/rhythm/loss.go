package rhythm

import "math"

const (
	// lateHours is how many hours after the hour in which one entered one is late.
	lateHours = 3
	// settleSeconds is how much later a walk has to begin to judge that hour. Batches
	// run on the hour, or at a quarter of it, and take some minutes: whether one is
	// over must not depend on when a walk comes by.
	settleSeconds = 25 * 60
)

// Entrants are the customers who entered a status within an hour.
type Entrants struct {
	Customers uint32
	Late      uint32 // of them, who still waited lateHours after that hour
	Passed    bool   // somebody passed the status in that hour
	Judged    bool   // it was watched until Late was known
	Counts    bool   // somebody passed until then: a silence is not a loss
	Lossy     bool   // a loss was told of it
}

// Loss is a loss that is told: clearly more than usual are late.
type Loss struct {
	// Since is the hour from which on it is told; 0 if none is.
	Since uint32
	// Share is the share of those who usually pass in time that is lost.
	Share float32
	// Cured is how much more likely the last hours are if it is over, in nats.
	Cured float32
	// From is the first hour that may tell the next one.
	From uint32
}

const (
	// A loss is told of the last hours, as many as make it clearest, if more than
	// lossCustomers and lossDeviations standard deviations of chance are late.
	lossCustomers  = 2
	lossDeviations = 3
	// hourDiffers is by what share of its customers an hour differs from that of
	// other weeks for reasons other than chance.
	hourDiffers = 0.06
	// smoothHours is how many hours on either side say what is usual in one that is
	// known from fewer than smoothCustomers.
	smoothHours     = 2
	smoothCustomers = 40
	// A loss is over once the hours since are more likely without it by curedNats, of
	// which one hour says at most maxHourNats.
	curedNats   = 8
	maxHourNats = 3
	// lossyWeight is what an hour teaches of which a loss was told, or after which nobody
	// passed: one of two weeks hardly shows, and a program that has changed for good is
	// known again within months.
	lossyWeight = 0.25
)

// forget learns from the same hour a week ago, and makes room for an hour.
func (c *Cohort) forget(hour uint32) {
	at := slot(hour)
	if e := &c.Hours[at]; e.Judged {
		weight := float32(1)
		if e.Lossy || !e.Counts {
			weight = lossyWeight
		}
		c.UsualLate[at].learn(e.Customers, e.Late, weight)
	}
	c.Hours[at] = Entrants{}
}

// Walked ends a walk that found whether somebody has passed. It judges the hours
// whose late customers are known now, unless they were not watched.
func (c *Cohort) Walked(watched, passed bool) {
	c.Watched = true
	if !watched {
		c.Judged = c.Hour
	}
	if now := &c.Hours[slot(c.Hour)]; passed {
		now.Passed = true
	}
	for c.Judged < c.Due {
		e := &c.Hours[slot(c.Judged)]
		e.Judged, e.Counts = true, c.passedSince(c.Judged)
		c.Judged++
		if c.Loss.Since == 0 {
			c.tell()
		} else {
			c.goOn(e)
		}
	}
	if c.caughtUp() {
		c.Loss = Loss{From: c.Hour}
	}
}

// caughtUp reports whether hardly more of a cohort than usual wait who all came since
// the loss began: whoever was late has passed. Hardly is what chance may add, where
// that is less than the loss does: after work, everybody waits.
func (c *Cohort) caughtUp() bool {
	if c.Loss.Since == 0 || c.Loss.Since+cohortMaxHours > c.Hour {
		return false
	}
	usual, known := c.Usual()
	chance := math.Sqrt(usual * (1 - c.UsualWaiting[slot(c.Hour)].of()))
	lost := float64(c.Loss.Share) * (float64(c.Customers()) - usual)
	return known && usual > 0 && float64(c.Waiting) <= usual+min(chance, lost)
}

func (c *Cohort) passedSince(hour uint32) bool {
	for ; hour <= c.Hour; hour++ {
		if c.Hours[slot(hour)].Passed {
			return true
		}
	}
	return false
}

// Yield ends what is told of a loss where nobody passes at all: that is told
// elsewhere, and who entered until now will be late.
func (c *Cohort) Yield() { c.Loss = Loss{From: c.Hour + 1} }

// tell begins a loss if there is one.
func (c *Cohort) tell() {
	w := c.lastHours()
	if w.customers == 0 || w.lost < w.limit() {
		return
	}
	c.Loss.Since = w.since
	c.Loss.Share = c.lostShare()
}

// goOn weighs by the last hour whether a loss is over.
func (c *Cohort) goOn(e *Entrants) {
	e.Lossy = true
	if e.Customers == 0 {
		return
	}
	usual, _, _ := c.usualLate(c.Judged - 1)
	lost, n := (1-usual)*float64(c.Loss.Share), float64(e.Customers)
	variance := usual*(1-usual) + hourDiffers*hourDiffers*n
	nats := (n*(usual+lost/2) - float64(e.Late)) * lost / variance
	c.Loss.Cured += float32(min(max(nats, -maxHourNats), maxHourNats))
	switch {
	case c.Loss.Cured >= curedNats:
		c.Loss = Loss{From: c.Judged}
	case c.Loss.Cured <= 0:
		c.Loss.Cured, c.Loss.Share = 0, c.lostShare()
	}
}

// lostShare is the share that is lost of those who entered since the loss began and
// usually pass in time.
func (c *Cohort) lostShare() float32 {
	lost, passing := 0.0, 0.0
	for hour := c.firstHour(); hour < c.Judged; hour++ {
		if e := &c.Hours[slot(hour)]; e.Counts {
			usual, _, _ := c.usualLate(hour)
			lost += float64(e.Late) - usual*float64(e.Customers)
			passing += (1 - usual) * float64(e.Customers)
		}
	}
	return float32(lost / max(1, passing))
}

// Lost is how many customers more than usual are late, and from how many on that is
// no chance, which it is as long as a loss is told. Both are unknown until the
// program's weeks are.
func (c *Cohort) Lost() (customers, limit float64, known bool) {
	_, _, known = c.mostLate(c.Judged - min(1, c.Judged))
	w := c.lastHours()
	customers, limit = max(0, w.lost), w.limit()
	if c.Loss.Since != 0 {
		customers = max(customers, limit)
	}
	return customers, limit, known
}

// window are the last hours that are judged, from one on.
type window struct {
	since     uint32
	customers float64 // who entered
	lost      float64 // how many more of them than usual are late
	variance  float64 // of that, by chance
}

func (w *window) limit() float64 { return lossCustomers + lossDeviations*math.Sqrt(w.variance) }

func (w *window) deviations() float64 { return (w.lost - lossCustomers) / math.Sqrt(w.variance) }

// lastHours are as many as make a loss clearest.
func (c *Cohort) lastHours() (clearest window) {
	var w window
	for hour := c.Judged; hour > c.firstHour(); {
		hour--
		usual, from, known := c.mostLate(hour)
		if !known {
			break
		}
		e := &c.Hours[slot(hour)]
		if !e.Counts || e.Customers == 0 {
			continue
		}
		n := float64(e.Customers)
		w.since = hour
		w.customers += n
		w.lost += float64(e.Late) - n*usual
		chance := n * usual * (1 - usual)
		unsure := 1 + n/from // of what is usual
		w.variance += chance*unsure + hourDiffers*hourDiffers*n*n
		if clearest.customers == 0 || w.deviations() > clearest.deviations() {
			clearest = w
		}
	}
	return clearest
}

// firstHour is the first hour that may belong to a loss.
func (c *Cohort) firstHour() uint32 {
	return max(c.Loss.Since, c.Loss.From, c.Hour-min(c.Hour, HoursPerWeek-1))
}

// mostLate is the highest share that is usually late of those who enter in an hour or
// in the one before or after it, since a program may shift by one hour with the
// season; and how many customers that is known from.
func (c *Cohort) mostLate(hour uint32) (share, customers float64, known bool) {
	for h := hour + HoursPerWeek - 1; h <= hour+HoursPerWeek+1; h++ {
		usual, from, known := c.usualLate(h)
		if !known {
			return 0, 0, false
		}
		if usual > share {
			share, customers = usual, from
		}
	}
	return share, customers, true
}

// usualLate is the share of those who enter in an hour that is usually late.
func (c *Cohort) usualLate(hour uint32) (share, customers float64, known bool) {
	var around Share
	for h := hour + HoursPerWeek - smoothHours; h <= hour+HoursPerWeek+smoothHours; h++ {
		usual := &c.UsualLate[slot(h)]
		if usual.Weeks < minWeeks {
			return 0, 0, false
		}
		around.Customers += usual.Customers
		around.Waiting += usual.Waiting
	}
	own := &c.UsualLate[slot(hour)]
	customers = float64(own.Customers) + smoothCustomers
	share = (float64(own.Waiting) + smoothCustomers*around.of()) / customers
	return share, float64(own.Customers + 1 + min(around.Customers, smoothCustomers)), true
}
