package apiclient_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

// A name that leads to another host by now is noticed, whatever became of the
// one that it led to before: connections are neither kept for ever nor after a
// failure.
func TestMovedNameIsFollowed(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  *sandbox.Fault // of the old host, once the name has moved
		within time.Duration
		ask    func(*rig) error
	}{
		{"the old host goes on", nil, 6 * time.Minute, (*rig).refresh},
		{"the old host is in trouble", new(sandbox.Status(503)), 2 * time.Minute, (*rig).refresh},
		{"the old host knows the path no longer", new(sandbox.Status(404)), 2 * time.Minute, (*rig).refresh},
		{"the breaker opens", new(sandbox.Status(503)), 3 * time.Minute, func(r *rig) error {
			_, err := r.Page(context.Background(), 1, true)
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before := sandbox.New(sandbox.Options{Customers: 250, Quota: -1})
				after := sandbox.New(sandbox.Options{Customers: 250, Quota: -1})
				oldDial, closeOld := sandbox.Pipe(before)
				newDial, closeNew := sandbox.Pipe(after)
				var moved atomic.Bool
				transport := apiclient.NewTransport(4, time.Minute)
				defer closeOld()
				defer closeNew()
				defer transport.CloseIdleConnections()
				transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					if moved.Load() {
						return newDial(ctx, network, address)
					}
					return oldDial(ctx, network, address)
				}
				r := newRig(t, after, func(o *apiclient.Options) {
					o.BaseURL, o.Transport, o.BreakerFailures = parse(t, "http://api.test"+sandbox.BasePath), transport, 5
					o.AccessToken = apiclient.SecretValue(before.MintToken())
				})
				if err := r.refresh(); err != nil {
					t.Fatal(err)
				}
				if c.fault != nil {
					before.InjectFault(*c.fault)
				}
				moved.Store(true)
				for start := time.Now(); r.arrived(sandbox.CustomersEndpoint) == 0; wait(time.Minute) {
					_ = c.ask(r) // by the old host, for a while
					if took := time.Since(start); took > c.within {
						t.Fatalf("the new host is not asked after %s", took)
					}
				}
			})
		})
	}
}

// refresh walks once.
func (r *rig) refresh() error {
	_, err := r.walk(false)
	return err
}

// The handshake may take as long as a request may.
func TestHandshakeHasTheWholeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := apiclient.NewTransport(4, time.Minute)
		defer transport.CloseIdleConnections()
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, server) }() // reads, and says nothing
			return client, nil
		}
		r := newRig(t, nil, func(o *apiclient.Options) {
			o.Transport, o.Timeout, o.BreakerFailures = transport, time.Minute, 1
		})
		start := time.Now()
		r.fails(apiclient.ReasonTimeout)
		if took := time.Since(start); took != time.Minute {
			t.Errorf("a handshake that does not end was given up after %s, want 1m", took)
		}
	})
}

// What a proxy does wrong is told as the proxy's.
func TestFaultsOfAProxy(t *testing.T) {
	serve := func(t *testing.T, handler http.HandlerFunc) (address string) {
		server := httptest.NewUnstartedServer(handler)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.Start()
		t.Cleanup(server.Close)
		return server.URL
	}
	for _, c := range []struct {
		name   string
		proxy  func(*testing.T) (address string)
		reason apiclient.Reason
		want   string
	}{
		{"not resolvable", func(*testing.T) string { return "http://proxy.invalid:3128" }, apiclient.ReasonNetwork, "the proxy: the host name cannot be resolved"},
		{"refused", func(*testing.T) string { return "http://127.0.0.1:1" }, apiclient.ReasonNetwork, "the proxy: connection refused"},
		{"not trusted", func(t *testing.T) string {
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			t.Cleanup(server.Close)
			return server.URL
		}, apiclient.ReasonNetwork, "the proxy's certificate is signed by an authority that this machine does not trust"},
		{"no TLS there", func(t *testing.T) string {
			return strings.Replace(serve(t, func(http.ResponseWriter, *http.Request) {}), "http:", "https:", 1)
		}, apiclient.ReasonNetwork, "the proxy does not speak TLS"},
		{"hangs up", func(t *testing.T) string {
			return serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}, apiclient.ReasonNetwork, "the proxy: the connection was closed in the middle of the answer"},
		{"silent", func(t *testing.T) string {
			return serve(t, func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
		}, apiclient.ReasonTimeout, "the proxy: no whole answer within the timeout"},
		{"not reachable", func(*testing.T) string { return "http://proxy.invalid:3128" }, apiclient.ReasonTimeout, "the proxy: no whole answer within the timeout"},
		{"no SOCKS there", func(t *testing.T) string {
			return strings.Replace(serve(t, func(http.ResponseWriter, *http.Request) {}), "http:", "socks5:", 1)
		}, apiclient.ReasonTimeout, "the proxy: no whole answer within the timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			transport := apiclient.NewTransport(4, time.Minute)
			defer transport.CloseIdleConnections()
			transport.Proxy = http.ProxyURL(parse(t, c.proxy(t)))
			if c.name == "not resolvable" {
				transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
					return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
				}
			}
			if c.name == "not reachable" {
				transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
			}
			r := newRig(t, nil, func(o *apiclient.Options) {
				o.Transport, o.BreakerFailures = transport, 1
				if c.reason == apiclient.ReasonTimeout {
					o.Timeout = time.Second // a handshake may take as long on a busy machine
				}
			})
			err := r.failure(c.reason)
			if !strings.Contains(err.Error(), c.want) || !strings.HasSuffix(err.Error(), "; check HTTPS_PROXY and NO_PROXY") {
				t.Errorf("error %v, want one that says %q and what to check", err, c.want)
			}
		})
	}
}

// A stream that the server resets is told as that.
func TestResetStream(t *testing.T) {
	api := sandbox.New(sandbox.Options{Customers: 3})
	api.InjectFault(sandbox.Refuse().On(sandbox.CustomersEndpoint))
	server := httptest.NewUnstartedServer(api)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	transport := apiclient.NewTransport(4, time.Minute)
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // the test's own server
	r := newRig(t, api, func(o *apiclient.Options) {
		o.BaseURL, o.Transport, o.BreakerFailures = parse(t, server.URL+sandbox.BasePath), transport, 1
		patient(o)
	})
	if err := r.failure(apiclient.ReasonNetwork); !strings.Contains(err.Error(), "the server reset the HTTP/2 stream") {
		t.Errorf("error %v", err)
	}
}

// The end of an error's body is not waited for: the status is enough.
func TestErrorsDoNotWaitForTheirBody(t *testing.T) {
	for name, c := range map[string]struct {
		code   int
		reason apiclient.Reason
		atMost time.Duration
	}{
		"500": {500, apiclient.ReasonServer, 8 * time.Second}, "429": {429, apiclient.ReasonRateLimited, 8 * time.Second}, // four tries, with waits of 3.5 s
		"404": {404, apiclient.ReasonClient, time.Second}, "302": {302, apiclient.ReasonBadResponse, time.Second},
		"a web page": {200, apiclient.ReasonBadResponse, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Customers: 3, Quota: -1})
				api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, q *http.Request, _ http.Handler) {
					w.WriteHeader(c.code)
					_, _ = w.Write([]byte("<html>"))
					<-q.Context().Done()
				}})
				r := newRig(t, api, func(o *apiclient.Options) { o.Timeout = time.Minute })
				start := time.Now()
				r.fails(c.reason)
				if took := time.Since(start); took > c.atMost {
					t.Errorf("it took %s, more than %s", took, c.atMost)
				}
			})
		})
	}
}
