package apiclient

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
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
	options      Options
	customersURL string
	tokenURL     string

	connections *connections
	tokens      tokenSource
	limiter     *rateLimiter
	breaker     *breaker
	metrics     *metrics
	oddQuota    atomic.Bool // the quota was told in an unknown way
}

// New makes a client and registers its metrics. It sends nothing.
func New(o Options) *Client {
	m := newMetrics(o.Registerer)
	connections := &connections{transport: o.Transport, since: time.Now()}
	c := &Client{
		options:      o,
		customersURL: o.BaseURL.JoinPath("card-issuer/customers").String(),
		tokenURL:     o.BaseURL.JoinPath(o.TokenPath).String(),
		limiter:      newRateLimiter(o, m),
		connections:  connections,
		breaker:      newBreaker(o, m, connections.drop),
		metrics:      m,
	}
	if o.AccessToken.IsSet() {
		c.tokens = staticToken{o.AccessToken}
	} else {
		c.tokens = newMintedToken(o.APIKey, o.APISecret, m, c.mintToken)
	}
	return c
}

// Page fetches one page, counted from 1, with or without balances. Its error is
// an [*Error], or wraps ctx's own.
func (c *Client) Page(ctx context.Context, number int, balances bool) (*Page, error) {
	return c.page(ctx, number, balances, func() {})
}

// page fetches one page, and calls sending whenever its request may go out.
func (c *Client) page(ctx context.Context, number int, balances bool, sending func()) (page *Page, err error) {
	err = c.list(ctx, number, balances, nil, sending, func(body io.Reader) (err error) {
		page, err = decodePage(body, balances)
		return err
	})
	if err != nil {
		return nil, err
	}
	page.Number = number
	return page, nil
}

// list asks for a page and decodes the answer. It calls sending whenever its
// request may go out.
func (c *Client) list(ctx context.Context, number int, balances bool, filter url.Values, sending func(), decode func(body io.Reader) error) error {
	c.connections.dropIfOld(time.Now())
	query := url.Values{
		"page":             {strconv.Itoa(number)},
		"limit":            {strconv.Itoa(c.options.PageSize)},
		"include_balances": {strconv.FormatBool(balances)},
	}
	maps.Copy(query, filter)
	err := c.authorized(ctx, func(token string) error {
		return c.call(ctx, request{
			op:       "list card customers, page " + strconv.Itoa(number),
			endpoint: endpointCustomers,
			build: func(ctx context.Context) (*http.Request, error) {
				sending()
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.customersURL+"?"+query.Encode(), nil)
				if err == nil {
					req.Header.Set("Authorization", "Bearer "+token)
				}
				return req, err
			},
			decode: decode,
		})
	})
	if apiErr, ok := errors.AsType[*Error](err); ok {
		apiErr.Advice = c.options.Advice[apiErr.Hint]
	}
	return err
}

// authorized sends a request with a token. If the API refuses the token, it is
// renewed and the request repeated, once.
func (c *Client) authorized(ctx context.Context, send func(token string) error) error {
	token, err := c.tokens.token(ctx)
	if err != nil {
		return err
	}
	err = send(token)
	if !refused(err) {
		return err
	}
	renewed, renewErr := c.tokens.renew(ctx, token)
	if renewErr != nil {
		return renewErr
	}
	if renewed == token {
		return err
	}
	c.metrics.retries.WithLabelValues(string(ReasonAuth)).Inc()
	return send(renewed)
}

// WalkRequests is how many page requests a walk takes whose first page this is:
// a full last page is followed by a look for one more.
func (c *Client) WalkRequests(first *Page) int {
	return first.Total/c.rowsPerPage(first) + 1
}

// Quota returns what the API said last about its own limit, if it is known.
func (c *Client) Quota() (limit, remaining int, until time.Time, known bool) {
	return c.limiter.lastQuota()
}

// QuotaIsOdd reports whether the API told its quota in a way that is not
// understood.
func (c *Client) QuotaIsOdd() bool { return c.oddQuota.Load() }

// WaitsForQuota reports whether a request is held back by a limit, which may be
// for minutes.
func (c *Client) WaitsForQuota() bool { return len(c.limiter.waiting) > 0 }
