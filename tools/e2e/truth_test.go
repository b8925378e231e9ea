//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/apd/v3"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// truth is what the customers' gauges must say about a population, which must
// hold every currency, or the test would prove little.
func truth(t *testing.T, api *sandbox.Sandbox) series {
	t.Helper()
	now := api.Truth()
	for _, currency := range []string{"USD", "EUR", "GBP"} {
		if _, ok := now.Money[currency]; !ok {
			t.Fatalf("the population holds no %s", currency)
		}
	}
	return truthOf(t, now)
}

// truthOf is what the customers' gauges must say; a currency that nobody holds
// is 0.
func truthOf(t *testing.T, now sandbox.Truth) series {
	t.Helper()
	want := series{
		"yativo_card_cards":                     float64(now.Cards),
		"yativo_card_balance_missing_customers": float64(now.Missing),
		"yativo_exporter_upstream_customers":    float64(now.Total),
		"yativo_exporter_missing_customers":     0,
		"yativo_exporter_duplicate_rows":        0,
	}
	for _, s := range onboarding.Statuses() {
		want["yativo_card_customers"+label(s.String())] = float64(now.ByStatus[s])
		want["yativo_card_undeployed_safes"+label(s.String())] = float64(now.Undeployed[s])
	}
	for _, currency := range []string{"USD", "EUR", "GBP"} {
		money := now.Money[currency]
		of := fmt.Sprintf("{currency=%q}", currency)
		want["yativo_card_ledger_balance"+of] = float(t, money.Ledger)
		want["yativo_card_available_balance"+of] = float(t, money.Available)
		want["yativo_card_pending_balance"+of] = float(t, money.Pending)
		want["yativo_card_realtime_ledger_balance"+of] = float(t, money.RealtimeLedger)
		want["yativo_card_balance_mismatch_customers"+of] = float64(now.Mismatch[currency])
		for _, freshness := range []string{"realtime", "on_chain", "unknown"} {
			want[fmt.Sprintf("yativo_card_balance_customers{balance_freshness=%q,currency=%q}", freshness, currency)] = float64(now.BalanceCustomers[sandbox.BalanceGroup{Currency: currency, Freshness: freshness}])
		}
	}
	return want
}

func label(status string) string { return fmt.Sprintf("{flow_status=%q}", status) }

// float is the float64 nearest to a decimal; none is the sum of nothing.
func float(t *testing.T, d *apd.Decimal) float64 {
	t.Helper()
	if d == nil {
		return 0
	}
	f, err := d.Float64()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// agree objects to every series that is not as wanted.
func (s series) agree(want series) error {
	var errs []error
	for name, value := range want {
		errs = append(errs, s.is(name, value))
	}
	return errors.Join(errs...)
}
