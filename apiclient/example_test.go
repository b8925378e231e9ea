package apiclient_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

// The sandbox stands for the API here; a program would use NewTransport.
func ExampleClient_Walk() {
	api := sandbox.New(sandbox.Options{})
	api.SetCustomers(sandbox.Example())
	client := apiclient.New(apiclient.Options{
		BaseURL: &url.URL{Scheme: "https", Host: "api.test", Path: sandbox.BasePath}, TokenPath: "/auth/token", UserAgent: "example",
		APIKey: apiclient.SecretValue(sandbox.DefaultAPIKey), APISecret: apiclient.SecretValue(sandbox.DefaultAPISecret),
		PageSize: 100, Timeout: 15 * time.Second, MaxConcurrency: 4,
		RateLimit: 60, RateReserve: 0.5, RefreshInterval: time.Minute,
		BreakerFailures: 5, BreakerCooldown: 30 * time.Second,
		Random: func() float64 { return 0.5 }, Transport: api.Transport(),
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	for page, err := range client.Walk(context.Background(), apiclient.WalkOptions{Balances: true}) {
		if err != nil {
			fmt.Println(apiclient.ReasonOf(err), err)
			return
		}
		for _, row := range page.Rows {
			fmt.Println(row.Status, row.Cards)
		}
	}
	// Output:
	// active 1
	// kyc_initiated 0
}
