package model

import (
	"math"
	"math/rand/v2"
	"time"
)

// calendar knows the local hours of the day and the week.
type calendar struct {
	zone     *time.Location
	holidays map[int64]bool // by local date as days
}

func newCalendar(p Program) (*calendar, error) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return nil, err
	}
	c := &calendar{zone: zone, holidays: map[int64]bool{}}
	chance := rand.New(rand.NewPCG(p.Seed, holidayStream))
	for range 1000 {
		if len(c.holidays) >= p.Holidays {
			break
		}
		day := c.local(At(p.HolidaysFrom + time.Duration(chance.Float64()*float64(p.Length-p.HolidaysFrom))))
		if weekday(day) {
			c.holidays[date(day)] = true
		}
	}
	return c, nil
}

func (c *calendar) local(at int64) time.Time { return time.Unix(at, 0).In(c.zone) }

func weekday(t time.Time) bool { return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday }

func date(t time.Time) int64 {
	year, month, day := t.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// busy is how much more than on average customers sign up at a moment.
func (c *calendar) busy(at int64) float64 {
	t := c.local(at)
	hour := float64(t.Hour()) + float64(t.Minute())/60 + float64(t.Second())/3600
	factor := 1 + 0.9*math.Cos((hour-15)/24*2*math.Pi)
	if weekday(t) {
		return factor * 1.12
	}
	return factor * 0.7
}

// busiest is the most that busy returns.
const busiest = 1.9 * 1.12

// newsletter is how much more than without a weekly newsletter customers sign up
// at a moment: half of the week's do on its day.
func (c *calendar) newsletter(at int64) float64 {
	if c.local(at).Weekday() == time.Wednesday {
		return newsletterDay
	}
	return 3.5 / (7 - 1.12)
}

const newsletterDay = 3.5 / 1.12

// work is the moment at which people who begin at a moment have worked for so
// many seconds.
func (c *calendar) work(at int64, seconds float64) int64 {
	for {
		t := c.local(at)
		opens := time.Date(t.Year(), t.Month(), t.Day(), 9, 0, 0, 0, c.zone).Unix()
		closes := time.Date(t.Year(), t.Month(), t.Day(), 18, 0, 0, 0, c.zone).Unix()
		if begin := max(at, opens); begin < closes && c.open(t) {
			if left := float64(closes - begin); seconds > left {
				seconds -= left
			} else {
				return begin + int64(seconds)
			}
		}
		at = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, c.zone).Unix()
	}
}

// batch is the next batch at or after a moment; they run at hours of a workday.
func (c *calendar) batch(at int64, hours ...int) int64 {
	for t := c.local(at); ; t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, c.zone) {
		for _, hour := range hours {
			runs := time.Date(t.Year(), t.Month(), t.Day(), hour, 0, 0, 0, c.zone).Unix()
			if runs >= at && c.open(t) {
				return runs
			}
		}
	}
}

// open reports whether people work on a day.
func (c *calendar) open(t time.Time) bool { return weekday(t) && !c.holidays[date(t)] }

// workingSeconds is how much of the time between two moments reviewers work.
func (c *calendar) workingSeconds(from, to int64) int64 {
	sum := int64(0)
	for t := c.local(from); ; t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, c.zone) {
		opens := time.Date(t.Year(), t.Month(), t.Day(), 9, 0, 0, 0, c.zone).Unix()
		closes := time.Date(t.Year(), t.Month(), t.Day(), 18, 0, 0, 0, c.zone).Unix()
		if opens >= to {
			return sum
		}
		if c.open(t) {
			sum += max(0, min(closes, to)-max(opens, from))
		}
	}
}
