package apiclient

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// maxWait caps every wait that the API asks for.
	maxWait = 5 * time.Minute
	// window is the rolling window of the exporter's own limit, and what is
	// taken for the API's where it does not say when its quota resets.
	window = time.Minute
	// waitStep is how often a wait is looked at again: what it waits for may
	// have changed, and its counter should not jump by minutes.
	waitStep = time.Second
)

// budget decides when the next request may be sent. It keeps to three limits:
//
//   - the exporter's own: at most limit requests in any rolling minute, also
//     as the API measures it. A token bucket cannot do that without giving up
//     either its burst or much of its rate, so it remembers when the last
//     limit requests ended and sends the next one a minute after the oldest;
//   - the reserve: the share of the API's quota, as the last answer told it,
//     that is left to production traffic. Below it, requests wait for the
//     reset, but one each refresh interval goes out, so that nothing starves;
//   - a pause that the API asked for with Retry-After.
type budget struct {
	limit    int
	reserve  float64
	interval time.Duration
	metrics  *metrics

	turn chan struct{} // held by the one request that waits or is about to go

	mu          sync.Mutex
	slots       []time.Time // ring of the last limit requests: when each was sent, then when it ended
	next        int         // the ring's oldest slot, once it is full
	inFlight    int
	lastSent    time.Time
	pausedUntil time.Time
	quota       quota
}

// quota is the API's own limit as of its last answer.
type quota struct {
	limit, remaining int
	until            time.Time // what the answer said holds until then
}

func newBudget(limit int, reserve float64, interval time.Duration, m *metrics) *budget {
	return &budget{limit: limit, reserve: reserve, interval: interval, metrics: m, turn: make(chan struct{}, 1)}
}

// acquire waits until a request may be sent and returns what must be called
// when that request has ended. It fails only if ctx ends first.
func (b *budget) acquire(ctx context.Context) (release func(), err error) {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-b.turn }()

	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		release, wait, cause := b.take(time.Now())
		if release != nil {
			return release, nil
		}
		wait = min(wait, waitStep)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			b.metrics.throttled.WithLabelValues(string(cause)).Add(wait.Seconds())
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// take takes a slot at now, or says how long to wait and for what.
func (b *budget) take(now time.Time) (release func(), wait time.Duration, cause throttleCause) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait := b.pausedUntil.Sub(now); wait > 0 {
		return nil, wait, causeRetryAfter
	}
	if len(b.slots) == b.limit {
		if wait := b.slots[b.next].Add(window).Sub(now); wait > 0 {
			return nil, wait, causeOwnLimit
		}
	}
	if wait := b.reserveWait(now); wait > 0 {
		return nil, wait, causeReserve
	}

	slot := b.next
	if len(b.slots) < b.limit {
		slot = len(b.slots)
		b.slots = append(b.slots, now)
	} else {
		b.slots[slot] = now
		b.next = (b.next + 1) % b.limit
	}
	b.inFlight++
	b.lastSent = now
	return func() { b.release(slot, time.Now()) }, 0, ""
}

// reserveWait is how long a request at now must wait for the API's quota. Once
// the reset has come, one request asks how things stand before others follow.
func (b *budget) reserveWait(now time.Time) time.Duration {
	if b.quota.limit == 0 || b.short(b.inFlight+1) <= 0 {
		return 0
	}
	wait := b.quota.until.Sub(now)
	if wait <= 0 {
		if b.inFlight == 0 {
			return 0
		}
		wait = waitStep
	}
	return min(wait, b.lastSent.Add(b.interval).Sub(now))
}

// short is by how many requests the quota falls below the reserve when so many
// more have been sent.
func (b *budget) short(sent int) float64 {
	return b.reserve*float64(b.quota.limit) - float64(b.quota.remaining-sent)
}

// release notes that the request in the slot has ended. The API has seen it by
// then, so a minute from here is a minute on the API's clock too.
func (b *budget) release(slot int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inFlight--
	b.slots[slot] = now
}

// observe learns the API's quota from the headers of an answer.
func (b *budget) observe(h http.Header, now time.Time) {
	limit, errLimit := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	remaining, errRemaining := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	if errLimit != nil || errRemaining != nil || limit <= 0 || remaining > limit {
		return
	}
	remaining = max(remaining, 0) // some APIs count on below it
	until := window
	reset, errReset := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if errReset == nil {
		b.metrics.rateLimitReset.WithLabelValues().Set(float64(reset))
		if wait := untilReset(reset, h, now); wait > 0 {
			until = wait
		}
	}
	b.metrics.rateLimit.WithLabelValues().Set(float64(limit))
	b.metrics.rateLimitRemaining.WithLabelValues().Set(float64(remaining))

	b.mu.Lock()
	defer b.mu.Unlock()
	waited := b.short(0) > 0 && !now.Before(b.quota.until)
	b.quota = quota{limit: limit, remaining: remaining}
	if short := b.short(0); waited && short > 0 {
		// The reset came and did not fill the quota up: the window rolls, and
		// gives back what is missing no faster than production used it.
		until = max(until, time.Duration(short/float64(limit)*float64(window)))
	}
	b.quota.until = now.Add(until)
}

// pause holds every request back for the wait that an answer asks for, if it
// asks for one.
func (b *budget) pause(wait time.Duration, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := now.Add(wait); until.After(b.pausedUntil) {
		b.pausedUntil = until
	}
}

// pausedBeyondInterval reports whether the API asked for a wait that outlasts a
// refresh interval.
func (b *budget) pausedBeyondInterval(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pausedUntil.Sub(now) > b.interval
}

// askedWait is the wait that a 429 or 503 asks for, at most maxWait: from
// Retry-After (seconds or an HTTP date), else the body's retry_after, else, for
// a 429, the reset of the quota. It is 0 if the answer asks for none or for one
// that has passed.
func askedWait(status int, h http.Header, bodyRetryAfter float64, now time.Time) time.Duration {
	header := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(header, 64); err == nil && seconds > 0 {
		return capSeconds(seconds)
	}
	if at, err := http.ParseTime(header); err == nil {
		if wait := at.Sub(serverTime(h, now)); wait > 0 {
			return min(wait, maxWait)
		}
	}
	if bodyRetryAfter > 0 {
		return capSeconds(bodyRetryAfter)
	}
	if reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && status == http.StatusTooManyRequests {
		return untilReset(reset, h, now)
	}
	return 0
}

func capSeconds(seconds float64) time.Duration {
	return time.Duration(math.Min(seconds, maxWait.Seconds()) * float64(time.Second))
}

// untilReset is the time until a reset in Unix seconds, 0 if it has passed, at
// most maxWait. It is measured on the server's clock, since this machine's may
// be minutes off and would then never keep the reserve.
func untilReset(reset int64, h http.Header, now time.Time) time.Duration {
	seconds := float64(reset) - float64(serverTime(h, now).Unix())
	return capSeconds(math.Max(seconds, 0))
}

// serverTime is the time at which the server answered, by its Date header.
func serverTime(h http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return date
	}
	return now
}

// known returns the API's limit and what was left of it at its last answer.
func (b *budget) known() (limit, remaining int, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.quota.limit, b.quota.remaining, b.quota.limit > 0
}
