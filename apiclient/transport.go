package apiclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"time"
)

// NewTransport returns a transport for at most maxConcurrency requests at once
// that honours the standard proxy variables.
func NewTransport(maxConcurrency int) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // documented to be one
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
