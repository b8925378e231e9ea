package apiclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// NewTransport returns a transport for at most maxConcurrency requests at once
// that honors the standard proxy variables. Dialing and the TLS handshake may
// each take as long as a request may.
func NewTransport(maxConcurrency int, timeout time.Duration) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // documented to be one
	t.DialContext = (&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout = timeout
	t.MaxIdleConns = maxConcurrency
	t.MaxIdleConnsPerHost = maxConcurrency
	t.MaxResponseHeaderBytes = 64 << 10
	t.OnProxyConnectResponse = func(ctx context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
		if waiting, ok := ctx.Value(proxyWaitKey{}).(*atomic.Bool); ok {
			waiting.Store(false)
		}
		if answer.StatusCode == http.StatusOK {
			return nil
		}
		return &Error{
			Reason: ReasonNetwork,
			Detail: "the proxy answered " + strconv.Itoa(answer.StatusCode) + " instead of connecting; check HTTPS_PROXY and NO_PROXY",
		}
	}
	// Without pings, a connection that died silently would be used again for
	// each request, and each would time out, until the kernel gives it up.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 10 * time.Second}
	return t
}

type proxyWaitKey struct{}

// withProxyWait tells whether the request still waits for its proxy, if it has
// one, to connect it. The transport's own errors often do not.
func withProxyWait(ctx context.Context, proxy *url.URL) (context.Context, *atomic.Bool) {
	waiting := new(atomic.Bool)
	waiting.Store(proxy != nil)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeStart: func() {
			if proxy != nil && strings.HasPrefix(proxy.Scheme, "socks") {
				waiting.Store(false) // it has connected, and TLS is with the server
			}
		},
		GotConn: func(httptrace.GotConnInfo) { waiting.Store(false) },
	})
	return context.WithValue(ctx, proxyWaitKey{}, waiting), waiting
}

// proxyOf is the proxy that the transport uses for a request, or nil.
func proxyOf(transport http.RoundTripper, req *http.Request) *url.URL {
	t, ok := transport.(*http.Transport)
	if !ok || t.Proxy == nil {
		return nil
	}
	proxy, err := t.Proxy(req)
	if err != nil {
		return nil // the transport says so itself
	}
	return proxy
}

// maxConnectionAge is for how long connections are used again. After it, the
// host's name is resolved anew.
const maxConnectionAge = 5 * time.Minute

// connections lets the transport's connections go, so that a name that leads to
// another host by now is noticed.
type connections struct {
	transport http.RoundTripper

	mu    sync.Mutex
	since time.Time // no idle connection is older
}

// drop closes the connections that no request uses.
func (c *connections) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since = time.Now()
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func (c *connections) dropIfOld(now time.Time) {
	c.mu.Lock()
	isOld := now.Sub(c.since) >= maxConnectionAge
	c.mu.Unlock()
	if isOld {
		c.drop()
	}
}

// errReplay is why an exchange ends that the transport would have repeated.
var errReplay = errors.New("the request would have been sent again")

// withoutReplays keeps the transport from sending a request again by itself, as
// it does with a GET where a connection that it used before closes without an
// answer: the API may have counted both, and only call passes the rate limiter.
// What HTTP/2 sends again, the other side has said not to have looked at.
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
