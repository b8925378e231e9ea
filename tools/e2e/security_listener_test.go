//go:build e2e

package e2e_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// visitor is a client of the listener.
type visitor struct {
	roots        *x509.CertPool
	certificate  *tls.Certificate
	maxVersion   uint16
	user, secret string
}

// get asks for a path over a connection of its own.
func (v visitor) get(t *testing.T, url string) (code int, body string, err error) {
	t.Helper()
	config := &tls.Config{RootCAs: v.roots, MaxVersion: v.maxVersion, MinVersion: tls.VersionTLS10}
	if v.certificate != nil {
		config.Certificates = []tls.Certificate{*v.certificate}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.user != "" {
		req.SetBasicAuth(v.user, v.secret)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(content), err
}

// guarded runs an exporter with a web configuration, in which %s are the paths
// of the certificate, its key, and the clients' authority.
func guarded(t *testing.T, server *tls.Certificate, clients *authority, config string) *exporter {
	t.Helper()
	certificate, key := files(t, server)
	config = strings.NewReplacer("CERT", certificate, "KEY", key, "CLIENTS", clients.file(t)).Replace(config)
	path := filepath.Join(t.TempDir(), "web.yml")
	overwrite(t, path, []byte(config))
	return startExporter(t, settingsFor(t, serveSandbox(t, stillPopulation())).with(settings{"EXPORTER_WEB_CONFIG_FILE": path}))
}

// Behind a web configuration nobody sees anything without what it demands: not
// the metrics, not the list of the stalled, not even the status page.
func TestListenerLetsNobodyElseIn(t *testing.T) {
	t.Parallel()
	authority, stranger := newAuthority(t), newAuthority(t)
	server, client := authority.issue(t, nil), authority.issue(t, nil)
	hash, err := bcrypt.GenerateFromPassword([]byte("the right one"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	users := "basic_auth_users: {prometheus: '" + string(hash) + "'}\n"
	trusting := visitor{roots: authority.pool()}
	with := func(change func(*visitor)) visitor {
		v := trusting
		change(&v)
		return v
	}
	knows := with(func(v *visitor) { v.user, v.secret = "prometheus", "the right one" })

	for _, c := range []struct {
		name, config, scheme string
		welcome              visitor
		refused              map[string]visitor
		code                 int // of a refusal; 0 is a failed handshake
	}{
		{
			name: "basic auth", config: users, scheme: "http", welcome: knows, code: http.StatusUnauthorized,
			refused: map[string]visitor{
				"nobody":           trusting,
				"a wrong password": with(func(v *visitor) { v.user, v.secret = "prometheus", "a wrong one" }),
				"a wrong name":     with(func(v *visitor) { v.user, v.secret = "grafana", "the right one" }),
			},
		},
		{
			name: "TLS", config: "tls_server_config: {cert_file: CERT, key_file: KEY}\n", scheme: "https", welcome: trusting,
			refused: map[string]visitor{
				"one who trusts another authority": {roots: stranger.pool()},
				"TLS 1.1":                          with(func(v *visitor) { v.maxVersion = tls.VersionTLS11 }),
			},
		},
		{
			name: "TLS and basic auth", config: "tls_server_config: {cert_file: CERT, key_file: KEY}\n" + users, scheme: "https",
			welcome: knows, code: http.StatusUnauthorized, refused: map[string]visitor{"nobody": trusting},
		},
		{
			name: "client certificates", scheme: "https",
			config:  "tls_server_config: {cert_file: CERT, key_file: KEY, client_ca_file: CLIENTS, client_auth_type: RequireAndVerifyClientCert}\n",
			welcome: with(func(v *visitor) { v.certificate = client }),
			refused: map[string]visitor{
				"one without":                trusting,
				"one from another authority": with(func(v *visitor) { v.certificate = stranger.issue(t, nil) }),
				"one whose time has run out": with(func(v *visitor) { v.certificate = authority.issue(t, expired) }),
				"a server's, not a client's": with(func(v *visitor) { v.certificate = authority.issue(t, forServersOnly) }),
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := c.scheme + "://" + guarded(t, server, authority, c.config).address
			eventually(t, 30*time.Second, "the exporter is ready", func() error {
				code, _, err := c.welcome.get(t, base+"/-/ready")
				if err == nil && code != http.StatusOK {
					err = fmt.Errorf("status %d", code)
				}
				return err
			})
			for _, path := range []string{"/", "/metrics", "/stalled", "/runbook", "/-/ready"} {
				if code, body, err := c.welcome.get(t, base+path); err != nil || code != http.StatusOK {
					t.Errorf("who is welcome gets %d, %v from %s: %s", code, err, path, body)
				}
				for who, v := range c.refused {
					code, body, err := v.get(t, base+path)
					if code != c.code || (err != nil) != (c.code == 0) || strings.Contains(body, "yativo") {
						t.Errorf("%s gets %d, %v from %s: %s; want %d and nothing", who, code, err, path, body, c.code)
					}
				}
			}
			if c.scheme == "https" {
				if code, body, err := trusting.get(t, "http"+strings.TrimPrefix(base, "https")+"/metrics"); err == nil && code != http.StatusBadRequest {
					t.Errorf("without TLS /metrics answers %d: %s", code, body)
				}
			}
		})
	}
}

func expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

func forServersOnly(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

// /stalled is personal data: TLS alone does not open it, a verified client
// certificate or a password does.
func TestStalledWantsCredentials(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	const tlsOnly = "tls_server_config: {cert_file: CERT, key_file: KEY}\n"
	certificate, key := files(t, authority.issue(t, nil))
	path := filepath.Join(t.TempDir(), "web.yml")
	overwrite(t, path, []byte(strings.NewReplacer("CERT", certificate, "KEY", key).Replace(tlsOnly)))
	exporter := startProcess(t, nil, settingsFor(t, serveSandbox(t, stillPopulation())).with(settings{
		"EXPORTER_WEB_CONFIG_FILE": path, "EXPORTER_LISTEN_ADDRESS": "0.0.0.0:0",
	}))
	port := listenPort(t, exporter)
	v := visitor{roots: authority.pool()}
	eventually(t, 30*time.Second, "the exporter is ready", func() error {
		code, _, err := v.get(t, "https://127.0.0.1:"+port+"/-/ready")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("status %d", code)
		}
		return err
	})
	if code, body, err := v.get(t, "https://127.0.0.1:"+port+"/stalled"); code != http.StatusForbidden || err != nil {
		t.Errorf("/stalled answers %d, %v to anybody: %s", code, err, body)
	}
}

// listenPort waits until a process logs the port that it listens on, on
// whatever address.
func listenPort(t *testing.T, p *process) (port string) {
	t.Helper()
	eventually(t, 30*time.Second, "the log tells the port", func() error {
		_, rest, found := strings.Cut(p.Stderr.String(), `"Listening on","address":"`)
		address, _, whole := strings.Cut(rest, `"`)
		if !found || !whole {
			return errors.New("not yet")
		}
		port = address[strings.LastIndexByte(address, ':')+1:]
		return nil
	})
	return port
}

// A certificate that is replaced on disk is shown to the next client: an
// expiry needs no restart.
func TestListenerTakesANewCertificate(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	first, second := authority.issue(t, nil), authority.issue(t, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(77) })
	certificate, key := files(t, first)
	config := filepath.Join(t.TempDir(), "web.yml")
	overwrite(t, config, []byte("tls_server_config: {cert_file: "+certificate+", key_file: "+key+"}\n"))
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, stillPopulation())).with(settings{"EXPORTER_WEB_CONFIG_FILE": config}))
	newCertificate, newKey := files(t, second)
	rename(t, newCertificate, certificate)
	rename(t, newKey, key)
	eventually(t, 15*time.Second, "the new certificate is shown", func() error {
		conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: authority.pool(), MinVersion: tls.VersionTLS12}}).DialContext(t.Context(), "tcp", exporter.address)
		if err != nil {
			return err
		}
		secure, ok := conn.(*tls.Conn)
		if !ok {
			t.Fatalf("the connection is a %T", conn)
		}
		if serial := secure.ConnectionState().PeerCertificates[0].SerialNumber; serial.Int64() != 77 {
			return errors.Join(fmt.Errorf("it shows number %v", serial), conn.Close())
		}
		return conn.Close()
	})
}

// What nobody needs of the listener is not there, and what is too much is
// refused.
func TestListenerServesNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, stillPopulation())))
	exporter.awaitReady()
	for _, path := range []string{
		"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/vars", "/config", "/-/reload", "/-/quit", "/.git/config",
		"/metrics/../../etc/passwd", "//etc/passwd",
	} {
		if code, body := exporter.get(path); code != http.StatusNotFound {
			t.Errorf("%s answers %d: %s", path, code, body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodTrace, "CONNECT", "PROPFIND"} {
		if code := ask(t, exporter.address, method+" /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"); code != http.StatusMethodNotAllowed && code != http.StatusNotFound {
			t.Errorf("%s /metrics answers %d", method, code)
		}
	}
	for what, request := range map[string]string{
		"a header of 64 KiB": "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n",
		"10,000 headers":     "GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X: y\r\n", 10_000) + "\r\n",
		"a path of 64 KiB":   "GET /" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		if code := ask(t, exporter.address, request); code != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s is answered by %d, want 431", what, code)
		}
	}
	for _, host := range []string{"evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""} {
		code := ask(t, exporter.address, "GET /stalled HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		if code != http.StatusForbidden {
			t.Errorf("/stalled answers %d to a browser that was told to ask for %q, want 403", code, host)
		}
	}
	if code := ask(t, exporter.address, "GET /stalled HTTP/1.1\r\nHost: localhost\r\n\r\n"); code != http.StatusOK {
		t.Errorf("/stalled answers %d on loopback, want 200", code)
	}
}

// ask sends a request as it stands and returns the status of the answer.
func ask(t *testing.T, address, request string) (code int) {
	t.Helper()
	conn := connect(t, address)
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = conn.Write([]byte(request)) }()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
