package collector_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"yativo-card-exporter/internal/sandbox"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The whole exposition, but for the clocks' and sizes' own, of the API's
// documented example.
func TestGoldenExposition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait(time.Until(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)))
		api := sandbox.New(sandbox.Options{Latency: 100 * time.Millisecond})
		api.SetCustomers(sandbox.Example())
		r := newRig(t, api, nil)
		r.refresh()
		for name, format := range map[string]expfmt.Format{
			"example.txt":         expfmt.NewFormat(expfmt.TypeTextPlain),
			"example.openmetrics": expfmt.NewFormat(expfmt.TypeOpenMetrics),
		} {
			got := r.text(format.WithEscapingScheme(model.NoEscaping), func(string) bool { return true })
			path := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs (-want +got), -update writes it anew:\n%s", path, diff)
			}
		}
		for _, leak := range []string{"alice", "bob", "usr_", "69f0bdf2", "6627f3a2", "yativo_card_customer_", "@"} {
			if strings.Contains(r.text(expfmt.NewFormat(expfmt.TypeTextPlain), func(string) bool { return true }), leak) {
				t.Errorf("%s is shown", leak)
			}
		}
	})
}

// Prometheus' own lint finds nothing, before and after the first refresh.
func TestExpositionIsClean(t *testing.T) {
	r := newRig(t, sandbox.New(sandbox.Options{Customers: 500}), nil)
	for range 2 {
		problems, err := testutil.GatherAndLint(r.reg)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		r.refresh()
	}
}

const (
	statuses = "otp_requested otp_verified kyc_initiated kyc_completed safe_deploying card_created active unknown"
	waiting  = "otp_requested otp_verified kyc_initiated kyc_completed safe_deploying"
	reasons  = "auth forbidden rate_limited breaker_open timeout network server bad_response incomplete client"
	fields   = "customer_id flow_status safe_deployed cards_count created_at currency ledger_balance available_balance pending_balance balance_freshness"
	states   = "closed half_open open"
	money    = "EUR GBP USD"
)

// surface is what users rely on: each metric with its labels and their known
// values, for which there is always a series. The first part is there before
// the first refresh, the second is not.
var surface = []struct {
	always bool
	name   string
	kind   string
	labels []string // a name and its values in turn
}{
	{true, "yativo_card_stalled_after_seconds", "gauge", []string{"flow_status", waiting}},
	{true, "yativo_card_abandoned_after_seconds", "gauge", []string{"flow_status", waiting}},
	{true, "yativo_card_status_duration_seconds", "histogram", []string{"flow_status", waiting}},
	{true, "yativo_exporter_refresh_interval_seconds", "gauge", nil},
	{true, "yativo_exporter_staleness_limit_seconds", "gauge", []string{"part", "customers balances"}},
	{true, "yativo_exporter_refreshes_total", "counter", nil},
	{true, "yativo_exporter_refresh_failures_total", "counter", []string{"reason", reasons}},
	{true, "yativo_exporter_state_errors_total", "counter", nil},
	{true, "yativo_api_request_duration_seconds", "histogram", []string{"endpoint", "customers token"}},
	{true, "yativo_api_retries_total", "counter", []string{"reason", "auth rate_limited timeout network server"}},
	{true, "yativo_api_throttled_seconds_total", "counter", []string{"cause", "own_limit reserve retry_after"}},
	{true, "yativo_api_circuit_breaker_state", "gauge", []string{"state", states}},
	{true, "yativo_api_circuit_breaker_transitions_total", "counter", []string{"to", states}},
	{true, "yativo_api_circuit_breaker_rejections_total", "counter", nil},
	{true, "yativo_api_requests_total", "counter", []string{"code", "200 401 403 429 500 502 503 504 error", "endpoint", "customers token"}},

	{false, "yativo_card_customers", "gauge", []string{"flow_status", statuses}},
	{false, "yativo_card_undeployed_safes", "gauge", []string{"flow_status", statuses}},
	{false, "yativo_card_cards", "gauge", nil},
	{false, "yativo_card_ledger_balance", "gauge", []string{"currency", money}},
	{false, "yativo_card_available_balance", "gauge", []string{"currency", money}},
	{false, "yativo_card_pending_balance", "gauge", []string{"currency", money}},
	{false, "yativo_card_realtime_ledger_balance", "gauge", []string{"currency", money}},
	{false, "yativo_card_balance_customers", "gauge", []string{"balance_freshness", "realtime on_chain unknown", "currency", money}},
	{false, "yativo_card_balance_missing_customers", "gauge", nil},
	{false, "yativo_card_balance_mismatch_customers", "gauge", []string{"currency", money}},
	{false, "yativo_card_time_in_status_seconds", "histogram", []string{"flow_status", waiting}},
	{false, "yativo_card_stalled_customers", "gauge", []string{"flow_status", waiting}},
	{false, "yativo_card_abandoned_customers", "gauge", []string{"flow_status", waiting}},
	{false, "yativo_card_last_advance_timestamp_seconds", "gauge", []string{"flow_status", waiting}},
	{false, "yativo_card_oldest_entry_timestamp_seconds", "gauge", []string{"flow_status", waiting}},
	{false, "yativo_card_tracking_since_timestamp_seconds", "gauge", nil},
	{false, "yativo_card_entered_since_advance_customers", "gauge", []string{"flow_status", waiting}},
	{false, "yativo_card_entered_since_advance_limit", "gauge", []string{"flow_status", waiting}},
	{false, "yativo_up", "gauge", nil},
	{false, "yativo_exporter_snapshot_timestamp_seconds", "gauge", nil},
	{false, "yativo_exporter_balance_timestamp_seconds", "gauge", nil},
	{false, "yativo_exporter_last_refresh_timestamp_seconds", "gauge", nil},
	{false, "yativo_exporter_refresh_duration_seconds", "gauge", nil},
	{false, "yativo_exporter_upstream_customers", "gauge", nil},
	{false, "yativo_exporter_duplicate_rows", "gauge", nil},
	{false, "yativo_exporter_missing_customers", "gauge", nil},
	{false, "yativo_exporter_unknown_values", "gauge", []string{"field", fields}},
	{false, "yativo_exporter_tracked_customers", "gauge", nil},
	{false, "yativo_api_rate_limit", "gauge", nil},
	{false, "yativo_api_rate_limit_remaining", "gauge", nil},
	{false, "yativo_api_rate_limit_reset_timestamp_seconds", "gauge", nil},
	{false, "yativo_api_token_expiry_timestamp_seconds", "gauge", nil},
}

// Every name, label and known value is there, and nothing else is. The counters
// are there from 0, so that the first failure is an increase.
func TestSurface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sandbox.New(sandbox.Options{Customers: 500}), nil)
		names := []string{"yativo_card_status_transitions_total"} // its pairs are the tracker's affair
		kinds := r.kinds()
		for _, m := range surface {
			names = append(names, m.name)
			if !m.always {
				r.absent(m.name)
				continue
			}
			if kinds[m.name] != m.kind {
				t.Errorf("%s is a %s, want a %s", m.name, kinds[m.name], m.kind)
			}
			for _, labels := range expand(m.labels) {
				if value, ok := r.series(m.name)[labels]; !ok || m.kind == "counter" && value != 0 {
					t.Errorf("%s{%s} is %v, there %t, before the first refresh", m.name, labels, value, ok)
				}
			}
		}
		r.refresh()
		wait(time.Minute)
		r.refresh()
		kinds = r.kinds()
		for _, m := range surface {
			if kinds[m.name] != m.kind {
				t.Errorf("%s is a %s, want a %s", m.name, kinds[m.name], m.kind)
			}
			want := expand(m.labels)
			var got []string
			for labels := range r.series(m.name) {
				got = append(got, labels)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s has the series %q, want %q", m.name, got, want)
			}
		}
		for name := range kinds {
			if !slices.Contains(names, name) {
				t.Errorf("%s is not in the list of what users rely on", name)
			}
		}
	})
}

// kinds are the types of all metrics, by name.
func (r *rig) kinds() map[string]string {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range families {
		all[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	return all
}

// expand makes all label sets, as in series, of names and their values.
func expand(labels []string) []string {
	sets := []string{""}
	for i := 0; i+1 < len(labels); i += 2 {
		var longer []string
		for _, set := range sets {
			for value := range strings.FieldsSeq(labels[i+1]) {
				longer = append(longer, strings.TrimPrefix(set+","+labels[i]+"="+value, ","))
			}
		}
		sets = longer
	}
	return sets
}

// A HELP that hides that its value is cached would mislead.
func TestHelpSaysWhatIsCached(t *testing.T) {
	r := newRig(t, sandbox.New(sandbox.Options{Customers: 500}), nil)
	r.refresh()
	families, err := r.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		persistent := []string{
			"yativo_card_stalled_after_seconds", "yativo_card_abandoned_after_seconds", "yativo_card_status_transitions_total",
			"yativo_card_status_duration_seconds", "yativo_card_last_advance_timestamp_seconds", "yativo_card_tracking_since_timestamp_seconds",
			"yativo_card_entered_since_advance_customers", "yativo_card_entered_since_advance_limit",
		}
		if strings.HasPrefix(f.GetName(), "yativo_card_") && !slices.Contains(persistent, f.GetName()) && !strings.Contains(f.GetHelp(), "Cached from the last walk") {
			t.Errorf("%s does not say that it is cached: %s", f.GetName(), f.GetHelp())
		}
		if f.GetHelp() == "" {
			t.Errorf("%s has no HELP", f.GetName())
		}
	}
}
