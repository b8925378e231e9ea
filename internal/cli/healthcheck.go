package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"yativo-card-exporter/internal/config"
)

// healthcheckTimeout bounds the whole check.
const healthcheckTimeout = 3 * time.Second

// healthcheck succeeds if the exporter that this environment configures
// answers on this machine. It is the container's health check.
func healthcheck(ctx context.Context, p Process) error {
	env, err := config.ReadEnvironment(p.Environment)
	if err != nil {
		return err
	}
	address, err := reachable(env.ListenAddress)
	if err != nil {
		return &config.Error{Problems: []string{"EXPORTER_LISTEN_ADDRESS: must be host:port or :port"}}
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	err = probe(ctx, "http://"+address)
	if err != nil && env.WebConfigFile != "" {
		if errTLS := probe(ctx, "https://"+address); errTLS != nil {
			err = fmt.Errorf("%w; with TLS: %w", err, errTLS)
		} else {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("healthcheck on %s: %w", address, err)
	}
	_, err = fmt.Fprintln(p.Stdout, "healthy")
	return err
}

// reachable is a listen address as this machine's own clients name it.
func reachable(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), err
}

// probe asks the exporter whether it is alive. Without credentials, or by the
// web config's own limit, it may be refused, which only a living process can do.
func probe(ctx context.Context, address string) error {
	client := &http.Client{Transport: &http.Transport{
		// It is this very process's sibling on this machine that is asked,
		// under an address that its certificate need not name.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/-/healthy", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if wantsCertificate(err) {
		return nil
	}
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusUnauthorized, http.StatusTooManyRequests:
		return nil
	default:
		return fmt.Errorf("answered %d", resp.StatusCode)
	}
}

// wantsCertificate reports whether the server turned the connection down for
// want of a client certificate.
func wantsCertificate(err error) bool {
	var opErr *net.OpError
	return errors.As(err, &opErr) && opErr.Op == "remote error"
}
