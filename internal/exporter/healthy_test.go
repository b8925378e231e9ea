package exporter

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// A refresher that hangs makes the process unhealthy, so that whoever watches
// restarts it; one that waits for quota does not.
func TestHealthyWhileRefreshesGoOn(t *testing.T) {
	for _, c := range []struct {
		name              string
		fault             sandbox.Fault
		timeout, interval time.Duration
		status            int
	}{
		{"an API in trouble", sandbox.Status(http.StatusServiceUnavailable), 15 * time.Second, time.Minute, http.StatusOK},
		{"an API that does not answer", sandbox.Hang(), 15 * time.Second, 5 * time.Second, http.StatusOK},
		{"waits for quota", sandbox.Status(http.StatusTooManyRequests, "Retry-After", "300"), 15 * time.Second, 5 * time.Second, http.StatusOK},
		{"a request that never ends", sandbox.Hang(), time.Hour, time.Minute, http.StatusServiceUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Customers: 10})
				api.InjectFault(c.fault)
				e := newExporterInFakeTime(t, api, c.timeout, c.interval)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					e.refresher.Run(ctx)
				}()
				for range 33 {
					<-time.After(9 * time.Second)
					if status, body := e.get(t, "/-/healthy", "localhost"); status != http.StatusOK {
						t.Fatalf("healthy answers %d early: %s", status, body)
					}
				}
				<-time.After(time.Minute)
				if status, body := e.get(t, "/-/healthy", "localhost"); status != c.status {
					t.Errorf("healthy answers %d, want %d: %s", status, c.status, body)
				}
				cancel()
				<-ended
			})
		})
	}
}

// newExporterInFakeTime returns an exporter of a sandbox that no network is
// between.
func newExporterInFakeTime(t *testing.T, api *sandbox.Sandbox, timeout, interval time.Duration) *Exporter {
	t.Helper()
	base, err := url.Parse("https://api.test" + sandbox.BasePath)
	if err != nil {
		t.Fatal(err)
	}
	logger, registry := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	client := apiclient.New(apiclient.Options{
		BaseURL: base, TokenPath: "/auth/token", UserAgent: "test",
		APIKey: apiclient.SecretValue(sandbox.DefaultAPIKey), APISecret: apiclient.SecretValue(sandbox.DefaultAPISecret),
		PageSize: 100, Timeout: timeout, MaxConcurrency: 4, RateLimit: 60, RateReserve: 0.5, RefreshInterval: interval,
		BreakerFailures: 5, BreakerCooldown: 30 * time.Second, Random: func() float64 { return 0.5 },
		Transport: api.Transport(), Logger: logger, Registerer: registry,
	})
	tracker, err := onboarding.Open(onboarding.Options{Thresholds: onboarding.DefaultThresholds(), RefreshInterval: interval})
	if err != nil {
		t.Fatal(err)
	}
	refresher := collector.NewRefresher(collector.Options{
		Client: client, Tracker: tracker, RefreshInterval: interval, MaxStaleness: 15 * time.Minute, Logger: logger,
	})
	e := &Exporter{
		options:  Options{Config: config.Config{ListenAddress: "127.0.0.1:0"}, Version: "test", Logger: logger},
		registry: registry, client: client, refresher: refresher,
	}
	if err := e.prepareHandlers(); err != nil {
		t.Fatal(err)
	}
	return e
}
