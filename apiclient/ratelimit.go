package apiclient

import (
	"context"
	"sync"
	"time"
)

const (
	// window is the rolling window of the exporter's own limit, and what is
	// taken for the API's where it does not say when its quota resets.
	window = time.Minute
	// waitStep is how often a wait is looked at again: what it waits for may
	// have changed, and its counter should not jump by minutes.
	waitStep = time.Second
)

// rateLimiter decides when the next request may be sent. It keeps to three
// limits:
//
//   - the exporter's own: at most limit requests in any rolling minute, also
//     as the API measures it. A token bucket cannot do that without giving up
//     either its burst or much of its rate, so it remembers when the last
//     requests ended; one counts while it is in flight and a minute longer, also
//     if the process ends meanwhile;
//   - the reserve: the share of the API's quota, as the last answer told it,
//     that is left to production traffic. Below it, requests wait for the
//     reset, but one each refresh interval goes out, so that nothing starves;
//   - a pause that the API asked for with Retry-After.
type rateLimiter struct {
	limit    int
	reserve  float64
	interval time.Duration
	timeout  time.Duration // of a request
	metrics  *metrics
	sends    *sendFile

	waiting chan struct{} // held by the one request that waits for its permit

	mu          sync.Mutex
	permits     int // given so far
	inFlight    int
	ended       []time.Time // when the requests of the last window ended, ascending
	lastSent    time.Time
	pausedUntil time.Time
	quota       quota
}

// quota is the API's own limit as of the newest answer.
type quota struct {
	limit, remaining int
	until            time.Time // what the answer said holds until then
	permits          int       // given when it was learned: a later one is for a newer answer
}

// permit is the right to send one request.
type permit struct {
	limiter *rateLimiter
	number  int
	counted bool // whether an answer told the quota that the request left
}

func newRateLimiter(o Options, m *metrics) *rateLimiter {
	l := &rateLimiter{
		limit: o.RateLimit, reserve: o.RateReserve, interval: o.RefreshInterval, timeout: o.Timeout, metrics: m,
		waiting: make(chan struct{}, 1),
	}
	l.sends, l.ended = openSendFile(o.SendFile, o.RateLimit, time.Now(), o.Logger)
	return l
}

// acquire waits until a request may be sent and returns its permit, which must
// be released when that request has ended. It fails only if ctx ends first.
func (l *rateLimiter) acquire(ctx context.Context) (*permit, error) {
	select {
	case l.waiting <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-l.waiting }()

	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p, wait, cause := l.tryAcquire(time.Now())
		if p != nil {
			l.sends.add(time.Now().Add(l.timeout))
			return p, nil
		}
		wait = min(wait, waitStep)
		select {
		case <-time.After(wait):
			l.metrics.throttled.WithLabelValues(cause).Add(wait.Seconds())
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tryAcquire returns a permit at now, or says how long to wait and for what.
func (l *rateLimiter) tryAcquire(now time.Time) (p *permit, wait time.Duration, cause string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.pausedUntil.Sub(now); wait > 0 {
		return nil, wait, causeRetryAfter
	}
	if wait := l.ownWait(now); wait > 0 {
		return nil, wait, causeOwnLimit
	}
	if wait := l.reserveWait(now); wait > 0 {
		return nil, wait, causeReserve
	}
	l.permits++
	l.inFlight++
	l.lastSent = now
	return &permit{limiter: l, number: l.permits}, 0, ""
}

// ownWait is how long a request at now must wait for the exporter's own limit.
func (l *rateLimiter) ownWait(now time.Time) time.Duration {
	for len(l.ended) > 0 && !now.Before(l.ended[0].Add(window)) {
		l.ended = l.ended[1:]
	}
	switch {
	case l.inFlight+len(l.ended) < l.limit:
		return 0
	case len(l.ended) == 0:
		return waitStep // for one in flight, and then for its minute
	default:
		return l.ended[0].Add(window).Sub(now)
	}
}

// reserveWait is how long a request at now must wait for the API's quota. Once
// the reset has come, one request asks how things stand before others follow.
func (l *rateLimiter) reserveWait(now time.Time) time.Duration {
	if l.quota.limit == 0 || l.shortfall(l.inFlight+1) <= 0 {
		return 0
	}
	wait := l.quota.until.Sub(now)
	if wait <= 0 {
		if l.inFlight == 0 {
			return 0
		}
		wait = waitStep
	}
	return min(wait, l.lastSent.Add(l.interval).Sub(now))
}

// shortfall is by how many requests the quota falls below the reserve when so
// many more have been sent.
func (l *rateLimiter) shortfall(sent int) float64 {
	return l.reserve*float64(l.quota.limit) - float64(l.quota.remaining-sent)
}

// release notes that the request has ended. The API has seen it by then, so a
// minute from here is a minute on the API's clock too.
func (p *permit) release() {
	l := p.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.ended = append(l.ended, time.Now())
	if !p.counted {
		l.quota.remaining = max(l.quota.remaining-1, 0) // the API may have counted it
	}
}

// observe learns the API's quota from the headers of the request's answer. Where
// requests overlap, their answers may come in another order than the API
// counted them, so one that is not surely newer counts only if it leaves less.
func (p *permit) observe(q quotaHeaders, now time.Time) {
	if p.counted = q.isKnown; !q.isKnown {
		return
	}
	l := p.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	isNewer := p.number > l.quota.permits
	if !isNewer && l.quota.remaining <= q.remaining {
		return
	}
	waited := l.shortfall(0) > 0 && !now.Before(l.quota.until)
	l.quota = quota{limit: q.limit, remaining: q.remaining, permits: l.permits}
	until := q.resetIn
	if until <= 0 {
		until = window
	}
	if shortfall := l.shortfall(0); waited && shortfall > 0 {
		// The reset came and did not fill the quota up: the window rolls, and
		// gives back what is missing no faster than production used it.
		until = max(until, time.Duration(shortfall/float64(q.limit)*float64(window)))
	}
	l.quota.until = now.Add(until)
	l.metrics.observeQuota(q)
}

// pause holds every request back for a wait that an answer asks for.
func (l *rateLimiter) pause(wait time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := now.Add(wait); until.After(l.pausedUntil) {
		l.pausedUntil = until
	}
}

// isPausedBeyondInterval reports whether the API asked for a wait that outlasts
// a refresh interval.
func (l *rateLimiter) isPausedBeyondInterval() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.pausedUntil) > l.interval
}

// Quota returns what the API said last about its own limit, if it is known, and
// until when that holds.
func (c *Client) Quota() (limit, remaining int, until time.Time, known bool) {
	l := c.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.quota.limit, l.quota.remaining, l.quota.until, l.quota.limit > 0
}
