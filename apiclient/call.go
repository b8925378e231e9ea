package apiclient

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// maxTries is one request and three repeats. The first waits for firstWait,
	// each later one twice as long as the one before, and all half as long more or
	// less by chance.
	maxTries  = 4
	firstWait = 500 * time.Millisecond
	// maxBody caps an answer, after decompression: a hundred times a page of
	// 100 customers.
	maxBody = 8 << 20
	// maxErrorBody and maxErrorBodyWait cap what is read of an error's body, and
	// what is read past the end of an answer to keep its connection.
	maxErrorBody     = 16 << 10
	maxErrorBodyWait = time.Second
)

// request is one call: what its HTTP request says, in each attempt, and how to
// read its answer.
type request struct {
	op       string
	endpoint string // as a label value
	url      string
	token    string // of a GET
	payload  []byte // of a POST, which carries no token
	sending  func() // is called when the request may go out, if it is set
	decode   func(body io.Reader) error
}

// call performs a request, repeating it where that can help. While the breaker
// is open nothing is repeated.
func (c *Client) call(ctx context.Context, r request) error {
	var last *Error // of the latest attempt that nobody cut off
	for try, interval := 1, firstWait; ; try, interval = try+1, 2*interval {
		err := c.attempt(ctx, r)
		if err == nil {
			return nil
		}
		apiErr, ok := errors.AsType[*Error](err)
		// What opened the breaker says more than that it is open.
		if ok && (last == nil || apiErr.Reason != ReasonBreakerOpen) {
			last = apiErr
			last.Op = r.op
		}
		if !ok || ctx.Err() != nil {
			return givenUp(ctx, last)
		}
		if try == maxTries || !c.mayRepeat(last.Reason) {
			return last
		}
		wait := time.Duration((0.5 + c.options.Random()) * float64(interval))
		c.metrics.retries.WithLabelValues(string(last.Reason)).Inc()
		c.options.Logger.Debug("will repeat the request", "request", r.op, "reason", last.Reason, "in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return givenUp(ctx, last)
		}
	}
}

// givenUp is the error of a call whose context ended, after what went wrong
// before, if anything did.
func givenUp(ctx context.Context, last *Error) error {
	if last == nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w; given up: %w", last, ctx.Err())
}

// mayRepeat reports whether a failed attempt is worth another one. A 429 is:
// the rate limiter makes the wait that it asks for. A wait that is longer than a
// refresh interval is left to the next refresh, so that this one can report why.
// While the breaker probes, the one request that it lets through is all.
func (c *Client) mayRepeat(failed Reason) bool {
	switch failed {
	case ReasonNetwork, ReasonTimeout:
		return c.breaker.isClosed()
	case ReasonServer, ReasonRateLimited:
		return c.breaker.isClosed() && !c.limiter.isPausedBeyondInterval()
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
	req, err := c.httpRequest(ctx, r)
	if err != nil {
		return &Error{Reason: ReasonClient, Detail: "the request cannot be made", Hint: HintPaths}
	}
	if r.sending != nil {
		r.sending()
	}
	watch := watchExchange(req, c.options.Transport)
	defer watch.giveUp(nil)
	req = req.WithContext(watch.ctx)

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
		if errors.Is(context.Cause(watch.ctx), errReplay) {
			err = errReplay // and not what the transport makes of its own closed connection
		}
		return transportError(err, watch.atProxy.Load())
	}
	defer resp.Body.Close()
	status = resp.StatusCode
	c.observeQuota(resp.Header, permit)
	if status < 200 || status > 299 || status == http.StatusNoContent {
		return c.refusal(resp, cancel)
	}
	body := &bodyReader{Reader: http.MaxBytesReader(nil, resp.Body, maxBody)}
	if err := r.decode(body); err != nil {
		if body.err != nil {
			return bodyError(body.err)
		}
		readAtOnce(resp.Body, cancel) // which keeps the connection
		return err
	}
	return nil
}

func (c *Client) httpRequest(ctx context.Context, r request) (*http.Request, error) {
	method := http.MethodGet
	if r.payload != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, r.url, bytes.NewReader(r.payload))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.options.UserAgent)
	if r.payload != nil {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	return req, nil
}

// observeQuota learns the API's quota from an answer, and says once if it tells
// one in a way that is not understood.
func (c *Client) observeQuota(h http.Header, permit *permit) {
	now := time.Now()
	quota := readQuota(h, now)
	permit.observe(quota, now)
	if quota.isOdd && !c.oddQuota.Swap(true) {
		c.options.Logger.Warn("the API states its quota in headers that are not understood, so YATIVO_RATE_RESERVE may not be kept", "headers", quotaNames(h))
	}
}

// refusal is the error of an answer other than 2xx, and pauses every request if
// it asks for a wait. The status is enough: the end of the body is not waited
// for.
func (c *Client) refusal(resp *http.Response, cancel context.CancelFunc) *Error {
	origin, seconds := parseErrorBody(readAtOnce(resp.Body, cancel))
	now := time.Now()
	wait := retryAfter(resp.StatusCode, resp.Header, seconds, now)
	if wait > 0 {
		c.limiter.pause(wait, now)
	}
	return statusError(resp.StatusCode, origin, wait)
}

// readAtOnce reads what there is of a body, up to maxErrorBody and for at most
// maxErrorBodyWait; cancel ends the exchange.
func readAtOnce(body io.Reader, cancel context.CancelFunc) []byte {
	timer := time.AfterFunc(maxErrorBodyWait, cancel)
	defer timer.Stop()
	read, _ := io.ReadAll(io.LimitReader(body, maxErrorBody)) // what fails here has been told by the status
	return read
}

// bodyReader remembers the error that ended a body, so that a broken connection
// can be told from broken JSON.
type bodyReader struct {
	io.Reader
	err error
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

func bodyError(err error) *Error {
	var (
		corrupt  flate.CorruptInputError
		tooLarge *http.MaxBytesError
	)
	switch {
	case errors.As(err, &tooLarge):
		return badResponse("the answer is larger than %d MiB, far beyond a page of customers", maxBody>>20)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return badResponse("the answer's compression is broken")
	default:
		return transportError(err, false)
	}
}
