//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"yativo-card-exporter/internal/testutil"
)

// toxiproxy is a running Toxiproxy.
type toxiproxy struct{ url string }

// startToxiproxy runs Toxiproxy. It cannot be told to choose a port itself, so
// one is chosen, and another if somebody takes it first.
func startToxiproxy(t *testing.T) *toxiproxy {
	t.Helper()
	program := tool(t, "server") // what Toxiproxy calls itself
	for {
		address, err := testutil.FreeAddress(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(address)
		proc := start(t, exec.CommandContext(t.Context(), program, "-host", "127.0.0.1", "-port", port))
		p := &toxiproxy{"http://" + address}
		taken := false
		eventually(t, 20*time.Second, "Toxiproxy answers", func() error {
			select {
			case <-proc.Ended():
				taken = true
				return nil
			default:
			}
			return p.call(t, http.MethodGet, "/version", nil, nil)
		})
		if !taken {
			return p
		}
	}
}

// proxy is one of its proxies.
type proxy struct {
	of              *toxiproxy
	name, listening string
}

// proxyTo makes a proxy in front of a host and port.
func (p *toxiproxy) proxyTo(t *testing.T, name, upstream string) *proxy {
	t.Helper()
	var made struct{ Listen string }
	p.must(t, http.MethodPost, "/proxies", map[string]any{
		"name": name, "listen": "127.0.0.1:0", "upstream": upstream, "enabled": true,
	}, &made)
	return &proxy{p, name, made.Listen}
}

// enable lets the proxy listen, or ends all its connections and refuses others.
func (p *proxy) enable(t *testing.T, enabled bool) {
	t.Helper()
	p.of.must(t, http.MethodPost, "/proxies/"+p.name, map[string]any{"enabled": enabled}, nil)
}

// poison makes the proxy do something bad to what comes from upstream.
func (p *proxy) poison(t *testing.T, toxic string, attributes map[string]any) (cure func()) {
	t.Helper()
	p.of.must(t, http.MethodPost, "/proxies/"+p.name+"/toxics", map[string]any{
		"name": toxic, "type": toxic, "stream": "downstream", "attributes": attributes,
	}, nil)
	return func() { p.of.must(t, http.MethodDelete, "/proxies/"+p.name+"/toxics/"+toxic, nil, nil) }
}

func (p *toxiproxy) must(t *testing.T, method, path string, body, answer any) {
	t.Helper()
	if err := p.call(t, method, path, body, answer); err != nil {
		t.Fatalf("Toxiproxy: %s %s: %v", method, path, err)
	}
}

func (p *toxiproxy) call(t *testing.T, method, path string, body, answer any) error {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode > 299 {
		return errors.New(resp.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
