//go:build e2e

package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// networkFaults are what Toxiproxy does to the connections of a healthy API.
func networkFaults(t *testing.T) []row {
	t.Helper()
	toxic := startToxiproxy(t)
	fails := func(reason, says string) effect {
		return effect{reason: reason, says: says, breaker: true, requests: 3}
	}
	poisoned := func(toxic string, attributes map[string]any) func(*testing.T, *scene) func() {
		return func(t *testing.T, s *scene) func() {
			t.Helper()
			return s.place.proxy.poison(t, toxic, attributes)
		}
	}
	down := func(t *testing.T, s *scene) func() {
		t.Helper()
		s.place.proxy.enable(t, false)
		return func() { s.place.proxy.enable(t, true) }
	}
	const closed = "the connection was closed in the middle of the answer"
	rows := []row{
		{name: "connections are refused", begin: down, want: fails("network", "connection refused")},
		{name: "connections are reset", begin: poisoned("reset_peer", map[string]any{"timeout": 0}), want: fails("network", "connection reset by peer")},
		{name: "answers are lost", begin: poisoned("timeout", map[string]any{"timeout": 0}), want: fails("timeout", "no whole answer within the timeout; check YATIVO_TIMEOUT")},
		{name: "one byte a second", begin: poisoned("slicer", map[string]any{"average_size": 1, "delay": 1_000_000}), want: fails("timeout", "no whole answer within the timeout; check YATIVO_TIMEOUT")},
		{name: "connections are closed after 1,000 bytes", begin: poisoned("limit_data", map[string]any{"bytes": 1000}), want: fails("network", closed)},
		{name: "a third of a second of latency", begin: poisoned("latency", map[string]any{"latency": 300, "jitter": 50}), want: effect{requests: 3}, shows: "refreshes take longer"},
	}
	for i := range rows {
		rows[i].place = func(t *testing.T, api *sandbox.Sandbox) place {
			t.Helper()
			direct, err := url.Parse(serveSandbox(t, api))
			if err != nil {
				t.Fatal(err)
			}
			p := toxic.proxyTo(t, "row"+string(rune('a'+i)), direct.Host)
			return place{baseURL: "http://" + p.listening + direct.Path, proxy: p}
		}
	}
	rows = append(rows,
		row{name: "the HTTPS proxy dies", place: behindProxy(toxic), begin: down, want: fails("network", "the proxy: connection refused; check HTTPS_PROXY and NO_PROXY")},
		row{name: "the name does not resolve", place: behindName, begin: func(t *testing.T, s *scene) func() {
			t.Helper()
			known, err := os.ReadFile(s.place.hosts)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, s.place.hosts, nil)
			return func() { overwrite(t, s.place.hosts, known) }
		}, want: fails("network", "the host name cannot be resolved; check YATIVO_BASE_URL and the DNS of this machine")},
	)
	for i := range rows {
		rows[i].group = "network"
	}
	return rows
}

// tlsFaults are servers that are not to be trusted, or that say nothing.
func tlsFaults() []row {
	fails := func(reason, says string) effect {
		return effect{reason: reason, says: says, breaker: true, requests: 3}
	}
	// shows has the server show another certificate to whoever connects anew.
	shows := func(certificate func(*testing.T, *authority) *tls.Certificate) func(*testing.T, *scene) func() {
		return func(t *testing.T, s *scene) func() {
			t.Helper()
			proper := s.place.server.certificate.Swap(certificate(t, s.place.server.authority))
			s.place.server.CloseClientConnections()
			return func() { s.place.server.certificate.Store(proper) }
		}
	}
	rows := []row{
		{
			name: "a certificate for another name", want: fails("network", "the server's certificate is for another host name"),
			begin: shows(func(t *testing.T, a *authority) *tls.Certificate {
				t.Helper()
				return a.issue(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"elsewhere.example.test"}, nil })
			}),
		},
		{
			name: "a certificate that has expired", want: fails("network", "the server's certificate has expired or is not yet valid"),
			begin: shows(func(t *testing.T, a *authority) *tls.Certificate {
				t.Helper()
				return a.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
			}),
		},
		{
			name: "a certificate of an authority that is not trusted", want: fails("network", "the server's certificate is signed by an authority that this machine does not trust"),
			begin: shows(func(t *testing.T, _ *authority) *tls.Certificate {
				t.Helper()
				return newAuthority(t).issue(t, nil)
			}),
		},
		{
			name: "a handshake that does not end", want: fails("timeout", "no whole answer within the timeout; check YATIVO_TIMEOUT"),
			begin: func(_ *testing.T, s *scene) func() {
				held := make(chan struct{})
				s.place.server.held.Store(&held)
				s.place.server.CloseClientConnections()
				return func() {
					s.place.server.held.Store(nil)
					close(held)
				}
			},
		},
	}
	for i := range rows {
		rows[i].group = "TLS connection"
		rows[i].place = func(t *testing.T, api *sandbox.Sandbox) place {
			t.Helper()
			server := serveTLS(t, api)
			return place{baseURL: server.URL + sandbox.BasePath, env: server.trusted(t), server: server}
		}
	}
	return rows
}

// tlsServer serves with a certificate that can be changed meanwhile.
type tlsServer struct {
	*httptest.Server
	authority   *authority
	certificate atomic.Pointer[tls.Certificate]
	held        atomic.Pointer[chan struct{}] // unless nil, handshakes wait for its end
}

func serveTLS(t *testing.T, handler http.Handler) *tlsServer {
	t.Helper()
	s := &tlsServer{Server: httptest.NewUnstartedServer(handler), authority: newAuthority(t)}
	s.certificate.Store(s.authority.issue(t, nil))
	s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if held := s.held.Load(); held != nil {
			<-*held
		}
		return &tls.Config{Certificates: []tls.Certificate{*s.certificate.Load()}, MinVersion: tls.VersionTLS12}, nil
	}}
	s.Config.ErrorLog = discard()
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// trusted makes a process trust the server.
func (s *tlsServer) trusted(t *testing.T) settings {
	t.Helper()
	return settings{"SSL_CERT_FILE": s.authority.file(t), "SSL_CERT_DIR": t.TempDir()}
}

// behindProxy places the API where only an HTTPS proxy can find it.
func behindProxy(toxic *toxiproxy) func(*testing.T, *sandbox.Sandbox) place {
	return func(t *testing.T, api *sandbox.Sandbox) place {
		t.Helper()
		server := serveTLS(t, api)
		tunnels := httptest.NewServer(tunnelTo(server.Listener.Addr().String()))
		t.Cleanup(tunnels.Close)
		p := toxic.proxyTo(t, "tunnels", tunnels.Listener.Addr().String())
		return place{
			baseURL: "https://" + apiName + sandbox.BasePath, server: server, proxy: p,
			env: server.trusted(t).with(settings{"HTTPS_PROXY": "http://" + p.listening}),
		}
	}
}

// tunnelTo is an HTTPS proxy that knows one address, whatever it is asked for.
func tunnelTo(address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upstream, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", address)
		if err != nil || r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = upstream.Close() }()
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = client.Close() }()
		_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
		ended := make(chan struct{}, 2)
		for from, to := range map[net.Conn]net.Conn{client: upstream, upstream: client} {
			go func() {
				_, _ = io.Copy(to, from)
				ended <- struct{}{}
			}()
		}
		<-ended
	})
}

// behindName places the API at a name that only a hosts file of the exporter's
// own can resolve; everything else is asked of a name server that is not there.
func behindName(t *testing.T, api *sandbox.Sandbox) place {
	t.Helper()
	server := serveTLS(t, api)
	// A connection that is kept would need no name.
	server.Config.SetKeepAlivesEnabled(false)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	hosts, resolver := filepath.Join(t.TempDir(), "hosts"), filepath.Join(t.TempDir(), "resolv.conf")
	overwrite(t, hosts, []byte("127.0.0.1 "+apiName+"\n"))
	overwrite(t, resolver, []byte("nameserver 127.0.0.1\noptions attempts:1 timeout:1\n"))
	return place{
		baseURL: "https://" + net.JoinHostPort(apiName, port) + sandbox.BasePath, server: server, hosts: hosts,
		command: ownMounts(`mount --bind "$HOSTS" /etc/hosts && mount --bind "$RESOLVER" /etc/resolv.conf && exec "$0"`),
		env:     server.trusted(t).with(settings{"HOSTS": hosts, "RESOLVER": resolver}),
	}
}

// ownMounts runs a shell script in a mount namespace of its own. It gets the
// exporter's path as $0.
func ownMounts(script string) []string {
	command := []string{"unshare", "--mount"}
	if os.Geteuid() != 0 {
		command = append(command, "--map-root-user")
	}
	return append(command, "sh", "-c", script)
}

func overwrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
