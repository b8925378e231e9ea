package apiclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options configure a Client. Every field is required but where it says so.
type Options struct {
	BaseURL   *url.URL // a checked address: https, but for loopback hosts
	TokenPath string   // below BaseURL
	UserAgent string

	APIKey, APISecret Secret // mint tokens with these,
	AccessToken       Secret // or use this one, if it is set

	PageSize       int           // rows to ask for, 1 to 100
	Timeout        time.Duration // of one HTTP request
	MaxConcurrency int           // page requests in flight

	RateLimit       int           // requests in any rolling minute
	RateReserve     float64       // share of the API's quota to leave alone, from 0 to below 1
	RefreshInterval time.Duration // in which one request may go out below the reserve

	BreakerFailures uint32        // consecutive failures that open the breaker
	BreakerCooldown time.Duration // until it probes

	Random     func() float64    // at least 0 and below 1, to spread repeats; safe for concurrent use
	Transport  http.RoundTripper // see NewTransport
	Logger     *slog.Logger
	Registerer prometheus.Registerer

	SendFile string          // remembers what counts against RateLimit across restarts; "" does not
	Advice   map[Hint]string // what to check, in the words of the configuration; may be nil
}

// Client reads the list of customers. It is safe for concurrent use, and one
// Client must be all that a process uses, since it counts the requests.
type Client struct {
	// Its transport is used alone, without an http.Client: a redirect is an answer
	// like any other, and a wrong one, and the token must not follow it to another
	// host.
	options        Options
	limiter        *rateLimiter
	breaker        *breaker
	metrics        *metrics
	token          tokenSource
	connectedSince atomic.Pointer[time.Time] // no idle connection is older
	oddQuota       atomic.Bool               // the quota was told in an unknown way
}

// New makes a client and registers its metrics. It sends nothing.
func New(o Options) *Client {
	m := newMetrics(o.Registerer)
	c := &Client{options: o, metrics: m, limiter: newRateLimiter(o, m)}
	c.breaker = newBreaker(o, m, c.dropConnections)
	c.token = tokenSource{client: c, minting: make(chan struct{}, 1)}
	c.dropConnections()
	return c
}

// Page fetches one page, counted from 1, with or without balances. Its error is
// an [*Error], or wraps ctx's own.
func (c *Client) Page(ctx context.Context, number int, balances bool) (*Page, error) {
	return c.fetch(ctx, query{number: number, balances: balances})
}

// query says which page is wanted.
type query struct {
	number   int
	balances bool
	status   string        // the one to list alone, or "" for all
	sending  func()        // is called when the request may go out, if it is set
	copyTo   *bytes.Buffer // takes the answer too, if it is set
}

// fetch fetches a page. If the API refuses the token, that is renewed and the
// page asked for again, once.
func (c *Client) fetch(ctx context.Context, q query) (*Page, error) {
	if time.Since(*c.connectedSince.Load()) >= maxConnectionAge {
		c.dropConnections()
	}
	var page *Page
	token, err := c.token.get(ctx, "")
	if err == nil {
		page, err = c.fetchWith(ctx, token, q)
		if apiErr, ok := errors.AsType[*Error](err); ok && apiErr.Status == http.StatusUnauthorized {
			renewed, renewErr := c.token.get(ctx, token)
			if renewErr != nil {
				err = renewErr
			} else if renewed != token {
				c.metrics.retries.WithLabelValues(string(ReasonAuth)).Inc()
				page, err = c.fetchWith(ctx, renewed, q)
			}
		}
	}
	if apiErr, ok := errors.AsType[*Error](err); ok {
		apiErr.Advice = c.options.Advice[apiErr.Hint]
	}
	return page, err
}

func (c *Client) fetchWith(ctx context.Context, token string, q query) (page *Page, err error) {
	parameters := url.Values{
		"page":             {strconv.Itoa(q.number)},
		"limit":            {strconv.Itoa(c.options.PageSize)},
		"include_balances": {strconv.FormatBool(q.balances)},
	}
	if q.status != "" {
		parameters.Set("status", q.status)
	}
	address := c.options.BaseURL.JoinPath("card-issuer/customers")
	address.RawQuery = parameters.Encode()
	err = c.call(ctx, request{
		op:       "list card customers, page " + parameters.Get("page"),
		endpoint: endpointCustomers,
		url:      address.String(),
		token:    token,
		sending:  q.sending,
		decode: func(body io.Reader) (err error) {
			if q.copyTo != nil {
				q.copyTo.Reset() // of an attempt before
				body = io.TeeReader(body, q.copyTo)
			}
			page, err = decodePage(body, q)
			return err
		},
	})
	return page, err
}

// WalkRequests is how many page requests a walk takes whose first page this is:
// a full last page is followed by a look for one more.
func (c *Client) WalkRequests(first *Page) int {
	return first.Total/c.rowsPerPage(first) + 1
}

// QuotaIsOdd reports whether the API told its quota in a way that is not
// understood.
func (c *Client) QuotaIsOdd() bool { return c.oddQuota.Load() }

// WaitsForQuota reports whether a request is held back by a limit, which may be
// for minutes.
func (c *Client) WaitsForQuota() bool { return len(c.limiter.waiting) > 0 }
