//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// One exporter, left alone, goes through what the years bring: tokens that
// expire, a rotated key, an outage, a storm of 429, and a restart. It mends
// itself each time, and its metrics say meanwhile what was wrong.
func TestRecoversByItself(t *testing.T) {
	t.Parallel()
	api := sandbox.New(sandbox.Options{Seed: 7, Customers: 430, Quota: -1, TokenTTL: 4 * time.Second})
	keyFile, secretFile := filepath.Join(t.TempDir(), "key"), filepath.Join(t.TempDir(), "secret")
	replaceFile(t, keyFile, sandbox.DefaultAPIKey+"\n")
	replaceFile(t, secretFile, sandbox.DefaultAPISecret+"\n")
	env := settingsFor(t, serveSandbox(t, api)).with(settings{
		"YATIVO_API_KEY": "", "YATIVO_API_KEY_FILE": keyFile,
		"YATIVO_API_SECRET": "", "YATIVO_API_SECRET_FILE": secretFile,
		// Longer than a refresh interval, so that refreshes meet an open breaker.
		"EXPORTER_BREAKER_FAILURES": "3", "EXPORTER_BREAKER_COOLDOWN": "8s",
		"EXPORTER_MAX_STALENESS": "20s",
	})
	exporter := startExporter(t, env)
	exporter.awaitReady()
	want := truth(t, api)
	healthy := func(now series) error {
		return errors.Join(now.agree(want), now.is("yativo_up", 1),
			now.is(`yativo_api_circuit_breaker_state{state="closed"}`, 1))
	}
	const recovery = time.Minute // a refresh and a cooldown take seconds; the rest is for a slow machine

	// Each token is dead before the next refresh.
	exporter.await(30*time.Second, "tokens are replaced as they expire", func(now series) error {
		return errors.Join(healthy(now), now.above(`yativo_api_requests_total{code="200",endpoint="token"}`, 2))
	})
	if failed := refreshFailures(exporter.metrics()); len(failed) > 0 {
		t.Errorf("refreshes failed while nothing was wrong: %v", failed)
	}

	api.RotateKey("yativo_rotated_key", "rotated-secret")
	api.RevokeTokens()
	exporter.await(recovery, "a revoked key is reported", func(now series) error {
		return errors.Join(now.is("yativo_up", 0), now.above(failures("auth"), 0), now.agree(want))
	})
	replaceFile(t, keyFile, "yativo_rotated_key\n")
	replaceFile(t, secretFile, "rotated-secret\n")
	exporter.await(recovery, "the rotated key is read without a restart", healthy)

	removeOutage := api.InjectFault(sandbox.Status(http.StatusServiceUnavailable))
	exporter.await(recovery, "an outage is reported while the last snapshot stays", func(now series) error {
		return errors.Join(now.is("yativo_up", 0), now.above(failures("server"), 0), now.agree(want))
	})
	exporter.await(recovery, "the breaker opens, and stale series vanish", func(now series) error {
		return errors.Join(now.above(failures("breaker_open"), 0), now.is("yativo_up", 0),
			now.above("yativo_exporter_snapshot_timestamp_seconds", 0),
			now.absent("yativo_card_customers"+label("active")),
			now.absent(`yativo_card_ledger_balance{currency="USD"}`))
	})
	removeOutage()
	exporter.await(recovery, "the exporter is well again after the outage", healthy)

	removeRefusal := api.InjectFault(sandbox.Refuse())
	exporter.await(recovery, "broken connections are reported", func(now series) error {
		return errors.Join(now.is("yativo_up", 0), now.above(failures("network"), 0))
	})
	removeRefusal()
	exporter.await(recovery, "the exporter is well again after broken connections", healthy)

	before := exporter.metrics()[`yativo_api_requests_total{code="429",endpoint="customers"}`]
	removeStorm := api.InjectFault(sandbox.Status(http.StatusTooManyRequests, "Retry-After", "1").On(sandbox.CustomersEndpoint))
	exporter.await(recovery, "a storm of 429 is waited out, with the breaker closed", func(now series) error {
		return errors.Join(now.above(`yativo_api_requests_total{code="429",endpoint="customers"}`, before+2),
			now.above(`yativo_api_throttled_seconds_total{cause="retry_after"}`, 0),
			now.is(`yativo_api_circuit_breaker_state{state="closed"}`, 1))
	})
	removeStorm()
	exporter.await(recovery, "the exporter is well again after the storm", healthy)

	since := exporter.metrics()["yativo_card_tracking_since_timestamp_seconds"]
	exporter.endCleanly(syscall.SIGTERM, 15*time.Second)
	restarted := startExporter(t, env)
	restarted.await(recovery, "a restart goes on where it was", func(now series) error {
		return errors.Join(healthy(now), now.is("yativo_card_tracking_since_timestamp_seconds", since),
			now.is(`yativo_card_status_transitions_total{from="new",to="active"}`, 0))
	})
	if failed := refreshFailures(restarted.metrics()); len(failed) > 0 {
		t.Errorf("refreshes failed after the restart: %v", failed)
	}
}

// absent objects to a series that is there.
func (s series) absent(name string) error {
	if got, ok := s[name]; ok {
		return fmt.Errorf("%s is %v, want it absent", name, got)
	}
	return nil
}

func failures(reason string) string {
	return fmt.Sprintf("yativo_exporter_refresh_failures_total{reason=%q}", reason)
}

// refreshFailures are the reasons for which refreshes have failed.
func refreshFailures(now series) series {
	failed := series{}
	for _, reason := range []string{
		"auth", "forbidden", "rate_limited", "breaker_open", "timeout", "network", "server",
		"bad_response", "incomplete", "client",
	} {
		if name := failures(reason); now[name] > 0 {
			failed[name] = now[name]
		}
	}
	return failed
}

// replaceFile writes a file as a secret manager does: whole, in one step.
func replaceFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
