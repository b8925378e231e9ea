package apiclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

// overHTTP is a rig whose requests go through the real transport to a server.
func overHTTP(t *testing.T, api *sandbox.Sandbox, server *httptest.Server, changes ...func(*apiclient.Options)) *rig {
	t.Helper()
	t.Cleanup(server.Close)
	transport := apiclient.NewTransport(4, 5*time.Minute)
	t.Cleanup(transport.CloseIdleConnections)
	return newRig(t, api, func(o *apiclient.Options) {
		o.BaseURL, o.Transport = parse(t, server.URL+sandbox.BasePath), transport
		o.BreakerFailures = 1 // so that nothing is repeated
		patient(o)
		for _, change := range changes {
			change(o)
		}
	})
}

func TestRealHTTP(t *testing.T) {
	for name, fault := range map[string]sandbox.Fault{"plain": {Handle: func(w http.ResponseWriter, q *http.Request, next http.Handler) { next.ServeHTTP(w, q) }}, "gzip": sandbox.Gzip()} {
		t.Run(name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Seed: 1, Customers: 450, Quota: -1})
			api.InjectFault(fault)
			r := overHTTP(t, api, httptest.NewServer(api))
			for range 2 {
				if pages, err := r.walk(true); err != nil || len(pages) != 5 {
					t.Errorf("%d pages, %v", len(pages), err)
				}
			}
		})
	}
}

// Connections are used again, also after errors.
func TestConnectionsAreReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Seed: 1, Customers: 3, Quota: -1})
		dial, closeServer := sandbox.Pipe(api)
		defer closeServer()
		opened := 0
		transport := apiclient.NewTransport(4, time.Minute)
		defer transport.CloseIdleConnections()
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			opened++
			return dial(ctx, network, address)
		}
		r := newRig(t, api, func(o *apiclient.Options) {
			o.BaseURL, o.Transport = parse(t, "http://api.test"+sandbox.BasePath), transport
		})
		for range 5 {
			r.page()
			remove := api.InjectFault(sandbox.Status(http.StatusForbidden).On(sandbox.CustomersEndpoint))
			r.fails(apiclient.ReasonForbidden)
			remove()
		}
		if opened != 1 {
			t.Errorf("%d connections for requests one after the other, want 1", opened)
		}
	})
}

// Where a connection closes without an answer after it has been used, it is the
// client that sends the request again, and not the transport behind its back:
// the limit holds.
func TestReplaysPassTheBudget(t *testing.T) {
	const limit = 8
	api := sandbox.New(sandbox.Options{Customers: 3, Quota: -1})
	type connection struct{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		requests, ok := q.Context().Value(connection{}).(*atomic.Int64)
		if !ok {
			t.Error("a request without a connection")
		}
		api.ServeHTTP(w, q)
		if requests.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connection{}, new(atomic.Int64))
	}
	server.Start()
	r := overHTTP(t, api, server, func(o *apiclient.Options) {
		o.RateLimit, o.BreakerFailures, o.Random = limit, 1000, func() float64 { return 0 }
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		var err error
		for err == nil {
			_, err = r.Page(ctx, 1, true)
		}
		ended <- err
	}()
	arrived := func() int { return r.arrived(sandbox.TokenEndpoint) + r.arrived(sandbox.CustomersEndpoint) }
	// Until a request waits for the limit, or has not.
	for r.value("yativo_api_throttled_seconds_total", "cause", "own_limit") == 0 && arrived() <= limit {
		<-time.After(10 * time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || arrived() != limit {
		t.Errorf("%d requests arrived, want the limit of %d and the next one to wait: %v", arrived(), limit, err)
	}
	counted := r.value("yativo_api_requests_total", "code", "200", "endpoint", "token")
	for _, code := range []string{"200", "error"} {
		counted += r.value("yativo_api_requests_total", "code", code, "endpoint", "customers")
	}
	if counted != limit {
		t.Errorf("%v requests are counted, want %d", counted, limit)
	}
}

// A proxy that refuses is not mistaken for the API.
func TestRefusedByAProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	transport := apiclient.NewTransport(4, 5*time.Minute)
	defer transport.CloseIdleConnections()
	transport.Proxy = http.ProxyURL(parse(t, proxy.URL))
	r := newRig(t, nil, func(o *apiclient.Options) { o.Transport, o.BreakerFailures = transport, 1 })
	err := r.failure(apiclient.ReasonNetwork)
	if !strings.Contains(err.Error(), "mint an access token: the proxy answered 407") || !strings.Contains(err.Error(), "HTTPS_PROXY") {
		t.Errorf("the error blames somebody else: %v", err)
	}
}

func TestBombsOverHTTP(t *testing.T) {
	const gib, mib = 1 << 30, 1 << 20
	for name, fault := range map[string]sandbox.Fault{"gzip bomb": sandbox.GzipBomb(gib), "huge": sandbox.HugeBody(5 * gib)} {
		t.Run(name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{})
			api.InjectFault(fault.On(sandbox.CustomersEndpoint))
			r := overHTTP(t, api, httptest.NewServer(api))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := r.failure(apiclient.ReasonBadResponse)
			runtime.ReadMemStats(&after)
			if !strings.Contains(err.Error(), "larger than 8 MiB") {
				t.Errorf("error %v", err)
			}
			if grown := (after.TotalAlloc - before.TotalAlloc) / mib; grown > 64 {
				t.Errorf("%d MiB were allocated for one answer", grown)
			}
		})
	}
	t.Run("no gzip at all", func(t *testing.T) {
		api := sandbox.New(sandbox.Options{})
		api.InjectFault(sandbox.Fault{Handle: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte(marker + " is not compressed"))
		}})
		err := overHTTP(t, api, httptest.NewServer(api)).failure(apiclient.ReasonBadResponse)
		if !strings.Contains(err.Error(), "compression") {
			t.Errorf("error %v", err)
		}
	})
}

// What is wrong with a connection is said so that somebody can mend it.
func TestConnectionsThatFail(t *testing.T) {
	api := sandbox.New(sandbox.Options{Customers: 3})
	trusting := func(server *httptest.Server) func(*http.Transport) {
		pool := x509.NewCertPool()
		pool.AddCert(server.Certificate())
		return func(tr *http.Transport) {
			tr.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		}
	}
	for _, c := range []struct {
		name, address, want string // the address replaces the server's
		tls, trusted        bool
		reason              apiclient.Reason
	}{
		{"trusted", "", "", true, true, ""},
		{"self-signed", "", "does not trust", true, false, apiclient.ReasonNetwork},
		{"wrong name", "https://localhost:PORT", "another host name", true, true, apiclient.ReasonNetwork},
		{"no TLS there", "https://127.0.0.1:PORT", "does not speak TLS", false, false, apiclient.ReasonNetwork},
		{"TLS there", "http://127.0.0.1:PORT", "", true, false, apiclient.ReasonClient}, // the server answers 400
		{"refused", "http://127.0.0.1:1", "connection refused", false, false, apiclient.ReasonNetwork},
		{"no such host", "http://host.invalid", "cannot be resolved", false, false, apiclient.ReasonNetwork},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(api)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			if c.tls {
				server.StartTLS()
			} else {
				server.Start()
			}
			var change func(*http.Transport)
			if c.trusted {
				change = trusting(server)
			}
			_, port, err := net.SplitHostPort(server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			transport := apiclient.NewTransport(4, 5*time.Minute)
			if change != nil {
				change(transport)
			}
			if c.name == "no such host" {
				transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
					return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
				}
			}
			defer server.Close()
			defer transport.CloseIdleConnections()
			address := server.URL
			if c.address != "" {
				address = strings.ReplaceAll(c.address, "PORT", port)
			}
			r := newRig(t, api, func(o *apiclient.Options) {
				o.BaseURL, o.Transport, o.BreakerFailures = parse(t, address+sandbox.BasePath), transport, 1
				patient(o)
			})
			if c.reason == "" {
				r.page()
				return
			}
			if err := r.failure(c.reason); !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), port) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
}

// A connection that dies without a word, as behind a balancer that forgot it,
// is replaced. Otherwise HTTP/2 would put each request on it for as long as the
// kernel goes on sending, a quarter of an hour.
func TestDeadConnectionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 3})
		listener := &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
		protocols := &http.Protocols{}
		protocols.SetUnencryptedHTTP2(true)
		server := &http.Server{Handler: api, Protocols: protocols, ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(listener) }()
		defer func() { _ = server.Close() }()

		var dialled []*mute
		transport := apiclient.NewTransport(4, 5*time.Minute)
		defer transport.CloseIdleConnections()
		transport.Protocols = protocols
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			client, accepted := net.Pipe()
			listener.accepted <- accepted
			dialled = append(dialled, &mute{Conn: client})
			return dialled[len(dialled)-1], nil
		}
		r := newRig(t, api, func(o *apiclient.Options) {
			o.BaseURL, o.Transport = parse(t, "http://api.test"+sandbox.BasePath), transport
		})
		r.page()
		wait(45 * time.Second)
		dialled[0].dead.Store(true)
		failed := 0
		for range 10 {
			if _, err := r.Page(context.Background(), 1, true); err != nil {
				failed++
			}
			wait(10 * time.Second)
		}
		if failed > 1 || len(dialled) != 2 {
			t.Errorf("%d of 10 calls failed over %d connections", failed, len(dialled))
		}
	})
}

// mute is a connection that can be made to swallow what is written to it.
type mute struct {
	net.Conn
	dead atomic.Bool
}

func (m *mute) Write(p []byte) (int, error) {
	if m.dead.Load() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}

// pipes is a listener for connections in memory.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
