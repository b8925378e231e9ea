package cli

import (
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

func TestDemoSaysWhatWillHappen(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for scenario, want := range map[sandbox.Scenario]string{
		sandbox.Healthy:   "",
		sandbox.KYCStall:  "12:00:10 KYC stops; 12:03:10 that ends; 12:06:10 it begins again.\n",
		sandbox.SafeStall: "12:00:10 the deployment of wallets stops; 12:03:10 that ends; 12:06:10 it begins again.\n",
		sandbox.Outage:    "12:01:00 the API fails; 12:03:00 that ends; 12:04:00 it begins again.\n",
		sandbox.RateLimit: "12:00:10 other traffic uses up the API's quota; 12:02:10 that ends; 12:04:10 it begins again.\n",
	} {
		if got := plot(scenario, start); got != want {
			t.Errorf("%s: %q, want %q", scenario, got, want)
		}
	}
}
