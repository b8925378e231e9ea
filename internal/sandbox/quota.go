package sandbox

import "time"

// window is the rolling window of the quota.
const window = time.Minute

// unlimited is the limit that the headers name where there is none.
const unlimited = 1_000_000

// quota counts the requests of the last minute, those of production traffic on
// the same key included. A request that is turned away does not count. Times
// are since New.
type quota struct {
	limit    int // below 0: none
	scenario Scenario
	served   []time.Duration // ascending, in the window
	produced time.Duration   // until when production traffic has been counted
}

// shown is the limit as the headers name it.
func (q *quota) shown() int {
	if q.limit < 0 {
		return unlimited
	}
	return q.limit
}

// take counts a request and returns whether it is within the quota, how many
// more are, and when the next of those counted leaves the window.
func (q *quota) take(now time.Duration) (ok bool, remaining int, reset time.Duration) {
	if q.limit < 0 {
		return true, unlimited, now + window
	}
	q.produce(now)
	ok = q.admit(now)
	reset = now + window
	if len(q.served) > 0 {
		reset = q.served[0] + window
	}
	return ok, q.limit - len(q.served), reset
}

func (q *quota) admit(now time.Duration) bool {
	left := 0
	for left < len(q.served) && q.served[left] <= now-window {
		left++
	}
	q.served = q.served[left:]
	if len(q.served) >= q.limit {
		return false
	}
	q.served = append(q.served, now)
	return true
}

// produce counts the production traffic until now. In the RateLimit scenario
// it asks, evenly, for a fifth more than the quota.
func (q *quota) produce(now time.Duration) {
	if q.scenario != RateLimit {
		return
	}
	step := max(1, window*5/6/time.Duration(q.limit))
	q.produced = max(q.produced, now-window)
	for ; q.produced+step <= now; q.produced += step {
		if _, busy := q.scenario.Trouble(q.produced + step); busy {
			q.admit(q.produced + step)
		}
	}
}
