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
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
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

// exchange is one request under way in the transport.
type exchange struct {
	ctx     context.Context //nolint:containedctx // of the one request that this is for
	giveUp  context.CancelCauseFunc
	atProxy atomic.Bool // it still waits for its proxy to connect it, which the transport's errors often do not tell
}

// errReplay is why an exchange ends that the transport would have repeated.
var errReplay = errors.New("the request would have been sent again")

// watchExchange follows a request through the transport, and keeps that from
// sending it again by itself, as it does with a GET where a connection that it
// used before closes without an answer: the API may have counted both, and only
// call passes the rate limiter. What HTTP/2 sends again, the other side has said
// not to have looked at.
func watchExchange(req *http.Request, transport http.RoundTripper) *exchange {
	x := &exchange{}
	x.ctx, x.giveUp = context.WithCancelCause(req.Context())
	proxy := proxyOf(transport, req)
	x.atProxy.Store(proxy != nil)
	var ownTLS atomic.Bool // the proxy's own handshake is still to come
	ownTLS.Store(proxy != nil && proxy.Scheme == "https")
	sent := false
	x.ctx = httptrace.WithClientTrace(x.ctx, &httptrace.ClientTrace{
		TLSHandshakeStart: func() {
			if !ownTLS.Swap(false) {
				x.atProxy.Store(false) // it has connected, and TLS is with the server
			}
		},
		GotConn: func(info httptrace.GotConnInfo) {
			x.atProxy.Store(false)
			overTLS, ok := info.Conn.(*tls.Conn)
			http2 := ok && overTLS.ConnectionState().NegotiatedProtocol == "h2"
			if sent && !http2 {
				x.giveUp(errReplay)
				_ = info.Conn.Close()
			}
			sent = true
		},
	})
	return x
}

// proxyOf is the proxy that the transport uses for a request, or nil.
func proxyOf(transport http.RoundTripper, req *http.Request) *url.URL {
	t, ok := transport.(*http.Transport)
	if !ok || t.Proxy == nil {
		return nil
	}
	proxy, _ := t.Proxy(req) // the transport itself says what is wrong
	return proxy
}

// maxConnectionAge is for how long connections are used again. After it, the
// host's name is resolved anew.
const maxConnectionAge = 5 * time.Minute

// dropConnections closes the connections that no request uses, so that a name
// that leads to another host by now is noticed.
func (c *Client) dropConnections() {
	c.connectedSince.Store(new(time.Now()))
	(&http.Client{Transport: c.options.Transport}).CloseIdleConnections()
}
