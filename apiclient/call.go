package apiclient

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// maxTries is one request and three repeats.
	maxTries = 4
	// maxBody caps an answer, after decompression: a hundred times a page of
	// 100 customers.
	maxBody = 8 << 20
	// maxErrorBody and maxErrorBodyWait cap what is read of an error's body, and
	// what is read past the end of an answer to keep its connection.
	maxErrorBody     = 16 << 10
	maxErrorBodyWait = time.Second
)

// request is one kind of call: how to make its HTTP request, anew for each
// attempt, and how to read its answer.
type request struct {
	op       string
	endpoint endpoint
	build    func(ctx context.Context) (*http.Request, error)
	decode   func(body io.Reader) error
}

// call performs a request, repeating it where that can help. While the breaker
// is open nothing is repeated.
func (c *Client) call(ctx context.Context, r request) error {
	var last *Error // of the latest attempt that nobody cut off
	attempt := func() (struct{}, error) {
		err := c.attempt(ctx, r)
		if apiErr, ok := errors.AsType[*Error](err); ok {
			if last != nil && apiErr.Reason == ReasonBreakerOpen {
				err = last // what opened the breaker says more than that it is open
			} else {
				last = apiErr
			}
		}
		if err != nil && !c.mayRepeat(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}
	_, err := backoff.Retry(ctx, attempt,
		backoff.WithBackOff(&jittered{
			ExponentialBackOff: backoff.ExponentialBackOff{InitialInterval: 500 * time.Millisecond, Multiplier: 2, MaxInterval: 10 * time.Second},
			random:             c.options.Random,
		}),
		backoff.WithMaxTries(maxTries),
		backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, wait time.Duration) {
			c.metrics.retries.WithLabelValues(string(ReasonOf(err))).Inc()
			c.options.Logger.Debug("will repeat the request", "request", r.op, "reason", ReasonOf(err), "in", wait)
		}),
	)
	if last != nil {
		last.Op = r.op
	}
	switch {
	case ctx.Err() == nil && err != nil && last != nil:
		return last
	case ctx.Err() != nil && last != nil:
		return fmt.Errorf("%w; given up: %w", last, ctx.Err())
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return err
	}
}

// jittered is a backoff whose waits are between half and one and a half times
// as long, by a source of randomness of its own: the library's is global.
type jittered struct {
	backoff.ExponentialBackOff
	random func() float64
}

func (j *jittered) NextBackOff() time.Duration {
	return time.Duration((0.5 + j.random()) * float64(j.ExponentialBackOff.NextBackOff()))
}

// mayRepeat reports whether a failed attempt is worth another one. A 429 is:
// the rate limiter makes the wait that it asks for. A wait that is longer than a
// refresh interval is left to the next refresh, so that this one can report why.
// While the breaker probes, the one request that it lets through is all.
func (c *Client) mayRepeat(err error) bool {
	apiErr, ok := errors.AsType[*Error](err)
	if !ok || !c.breaker.isClosed() {
		return false
	}
	switch apiErr.Reason {
	case ReasonNetwork, ReasonTimeout:
		return true
	case ReasonServer, ReasonRateLimited:
		return !c.limiter.isPausedBeyondInterval(time.Now())
	default:
		return false
	}
}

// attempt sends the request once, when the rate limiter and the breaker let it.
func (c *Client) attempt(ctx context.Context, r request) error {
	if c.breaker.isOpen() {
		return c.breaker.reject()
	}
	permit, err := c.limiter.acquire(ctx)
	if err != nil {
		return err
	}
	defer permit.release()
	return c.breaker.do(func() error { return c.send(ctx, r, permit) })
}

// send sends the request and reads its answer within the timeout. Its error is
// an *Error, or ctx's own if the caller gave up.
func (c *Client) send(caller context.Context, r request, permit *permit) (err error) {
	ctx, cancel := context.WithTimeout(caller, c.options.Timeout)
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	req, err := r.build(withoutReplays(ctx, giveUp))
	if err != nil {
		return &Error{Reason: ReasonClient, Detail: "the request cannot be made", Hint: HintPaths}
	}
	ctx, waitsForProxy := withProxyWait(req.Context(), proxyOf(c.options.Transport, req))
	req = req.WithContext(ctx)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.options.UserAgent)

	start, status := time.Now(), 0
	defer func() {
		took := time.Since(start)
		c.metrics.observeRequest(r.endpoint, status, took)
		c.options.Logger.Debug("request", "request", r.op, "status", status, "took", took, "ok", err == nil)
		if err != nil && caller.Err() != nil {
			err = caller.Err()
		}
	}()

	resp, err := c.options.Transport.RoundTrip(req)
	if err != nil {
		if errors.Is(context.Cause(ctx), errReplay) {
			err = errReplay // and not what the transport makes of its own closed connection
		}
		return transportError(err, waitsForProxy.Load())
	}
	defer resp.Body.Close()
	status = resp.StatusCode
	c.observeQuota(resp.Header, permit)
	if status < 200 || status > 299 {
		return c.refusal(resp, cancel)
	}
	body := &cappedBody{r: resp.Body, left: maxBody}
	if err := r.decode(body); err != nil {
		if body.err != nil {
			return bodyError(body.err)
		}
		readAtOnce(resp.Body, cancel) // which keeps the connection
		return err
	}
	return nil
}

// observeQuota learns the API's quota from an answer, and says once if it tells
// one in a way that is not understood.
func (c *Client) observeQuota(h http.Header, permit *permit) {
	now := time.Now()
	quota := readQuota(h, now)
	permit.observe(quota, now)
	if quota.isOdd && !c.oddQuota.Swap(true) {
		c.options.Logger.Warn("the API tells its quota in headers that are not understood, so the reserve may not be kept", "headers", quotaNames(h))
	}
}

// refusal is the error of an answer other than 2xx, and pauses every request if
// it asks for a wait. The status is enough: the end of the body is not waited
// for.
func (c *Client) refusal(resp *http.Response, cancel context.CancelFunc) *Error {
	body := parseErrorBody(readAtOnce(resp.Body, cancel))
	now := time.Now()
	wait := retryAfter(resp.StatusCode, resp.Header, body.retryAfter, now)
	if wait > 0 {
		c.limiter.pause(wait, now)
	}
	return statusError(resp.StatusCode, body.origin, wait > 0)
}

// readAtOnce reads what there is of a body, up to maxErrorBody and for at most
// maxErrorBodyWait; cancel ends the exchange.
func readAtOnce(body io.Reader, cancel context.CancelFunc) []byte {
	timer := time.AfterFunc(maxErrorBodyWait, cancel)
	defer timer.Stop()
	read, _ := io.ReadAll(io.LimitReader(body, maxErrorBody)) // what fails here has been told by the status
	return read
}

// errTooLarge is what a cappedBody returns at its cap.
var errTooLarge = errors.New("body too large")

// cappedBody reads at most left bytes and remembers the error that ended it,
// so that a broken connection can be told from broken JSON.
type cappedBody struct {
	r    io.Reader
	left int64
	err  error
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.err = errTooLarge
		return 0, b.err
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

func bodyError(err error) *Error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, errTooLarge):
		return badResponse("the answer is larger than %d MiB, far beyond a page of customers", maxBody>>20)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return badResponse("the answer's compression is broken")
	default:
		return transportError(err, false)
	}
}
