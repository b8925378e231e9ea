package apiclient

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// maxTries is one request and three repeats.
	maxTries = 4
	// maxBody caps an answer, after decompression: a hundred times a page of
	// 100 customers.
	maxBody = 8 << 20
	// maxErrorBody caps what is read of an error's body, and what is read past
	// the end of an answer to keep its connection.
	maxErrorBody = 16 << 10
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
			random:             c.random,
		}),
		backoff.WithMaxTries(maxTries),
		backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, wait time.Duration) {
			c.metrics.retries.WithLabelValues(string(ReasonOf(err))).Inc()
			c.logger.Debug("will repeat the request", "request", r.op, "reason", ReasonOf(err), "in", wait)
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
// the wait that it asks for is made by the budget. A wait that is longer than a
// refresh interval is left to the next refresh, so that this one can report why.
// While the breaker probes, the one request that it lets through is all.
func (c *Client) mayRepeat(err error) bool {
	var apiErr *Error
	if !errors.As(err, &apiErr) || !c.breaker.isClosed() {
		return false
	}
	switch apiErr.Reason {
	case ReasonNetwork, ReasonTimeout:
		return true
	case ReasonServer, ReasonRateLimited:
		return !c.budget.pausedBeyondInterval(time.Now())
	default:
		return false
	}
}

// attempt sends the request once, when the budget and the breaker let it.
func (c *Client) attempt(ctx context.Context, r request) error {
	if c.breaker.isOpen() {
		return c.breaker.reject()
	}
	release, err := c.budget.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	return c.breaker.do(func() error { return c.exchange(ctx, r) })
}

// exchange sends the request and reads its answer within the timeout. Its
// error is an *Error, or ctx's own if the caller gave up.
func (c *Client) exchange(caller context.Context, r request) (err error) {
	ctx, cancel := context.WithTimeout(caller, c.timeout)
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	req, err := r.build(withoutReplays(ctx, giveUp))
	if err != nil {
		return &Error{Reason: ReasonClient, Detail: "the request cannot be made", Hint: HintPaths}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)

	start, status := time.Now(), 0
	defer func() {
		took := time.Since(start)
		c.metrics.observeRequest(r.endpoint, status, took)
		c.logger.Debug("request", "request", r.op, "status", status, "took", took, "ok", err == nil)
		if err != nil && caller.Err() != nil {
			err = caller.Err()
		}
	}()

	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		if errors.Is(context.Cause(ctx), errReplay) {
			err = errReplay // and not what the transport makes of its own closed connection
		}
		return transportError(err)
	}
	body := &cappedBody{r: resp.Body, left: maxBody}
	defer func() {
		_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody)
		_ = resp.Body.Close()
	}()
	status = resp.StatusCode
	c.budget.observe(resp.Header, time.Now())
	if status < 200 || status > 299 {
		c.heedWait(resp)
		return statusError(status)
	}
	if err := r.decode(body); err != nil {
		if body.err != nil {
			err = bodyError(body.err)
		}
		return err
	}
	return nil
}

// errReplay is why an exchange ends that the transport would have repeated.
var errReplay = errors.New("the request would have been sent again")

// withoutReplays keeps the transport from sending a request again by itself, as
// it does with a GET where a connection that it used before closes without an
// answer: the API may have counted both, and only call passes the budget. What
// HTTP/2 sends again, the other side has said not to have looked at.
func withoutReplays(ctx context.Context, giveUp context.CancelCauseFunc) context.Context {
	sent := false
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		overTLS, ok := info.Conn.(*tls.Conn)
		http2 := ok && overTLS.ConnectionState().NegotiatedProtocol == "h2"
		if sent && !http2 {
			giveUp(errReplay)
			_ = info.Conn.Close()
		}
		sent = true
	}})
}

// heedWait pauses every request if the answer asks for a wait.
func (c *Client) heedWait(resp *http.Response) {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return
	}
	var body struct {
		RetryAfter float64 `json:"retry_after"`
	}
	// A body that is not the documented one simply asks for nothing.
	_ = json.NewDecoder(io.LimitReader(resp.Body, maxErrorBody)).Decode(&body)
	now := time.Now()
	if wait := askedWait(resp.StatusCode, resp.Header, body.RetryAfter, now); wait > 0 {
		c.budget.pause(wait, now)
	}
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
		return transportError(err)
	}
}
