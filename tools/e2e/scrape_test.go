//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

// stillPopulation is a program of several pages in which nobody moves.
func stillPopulation() *sandbox.Sandbox {
	return sandbox.New(sandbox.Options{Seed: 7, Customers: 430, Quota: -1})
}

// A real Prometheus reads the same numbers in each of the three formats, and
// they are the population's, to the cent.
func TestPrometheusReadsTheTruthInEveryFormat(t *testing.T) {
	t.Parallel()
	api := stillPopulation()
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, api)))
	exporter.awaitReady()

	var jobs strings.Builder
	for job, scrape := range map[string]string{
		"text":        "scrape_protocols: [PrometheusText0.0.4]",
		"openmetrics": "scrape_protocols: [OpenMetricsText1.0.0]",
		"native":      "scrape_native_histograms: true, scrape_protocols: [PrometheusProto]",
	} {
		fmt.Fprintf(&jobs, "  - {job_name: %s, %s, static_configs: [{targets: [%q]}]}\n", job, scrape, exporter.address)
	}
	prometheus := startPrometheus(t, jobs.String())

	want := truth(t, api)
	for _, job := range []string{"text", "openmetrics", "native"} {
		eventually(t, 30*time.Second, "Prometheus knows the truth from job "+job, func() error {
			got, err := prometheus.values(fmt.Sprintf(`{__name__=~"yativo_.+", job=%q}`, job))
			if err != nil {
				return err
			}
			return errors.Join(got.agree(want), got.is("yativo_up", 1))
		})
	}
	up, err := prometheus.values("up")
	if err != nil || len(up) != 1 || up["up"] != 1 {
		t.Errorf("up is %v, %v; want every target up", up, err)
	}
	nativeHistogram(t, prometheus)
	classicHistograms(t, prometheus)
}

// nativeHistogram checks that the latency of requests arrives as a native
// histogram where that was asked for.
func nativeHistogram(t *testing.T, p *prometheus) {
	t.Helper()
	result, err := p.query(`yativo_api_request_duration_seconds{job="native", endpoint="token"}`)
	if err != nil || len(result) != 1 || len(result[0].Histogram) != 2 {
		t.Fatalf("the latency of token requests is %v, %v; want one native histogram", result, err)
	}
	var histogram struct {
		Count   string
		Buckets []json.RawMessage
	}
	if err := json.Unmarshal(result[0].Histogram[1], &histogram); err != nil {
		t.Fatal(err)
	}
	if histogram.Count != "1" || len(histogram.Buckets) != 1 {
		t.Errorf("it counts %s in %d buckets, want one mint in one bucket", histogram.Count, len(histogram.Buckets))
	}
}

// classicHistograms checks that the buckets are there where no native
// histogram was asked for, and the time in status everywhere.
func classicHistograms(t *testing.T, p *prometheus) {
	t.Helper()
	for expr, want := range map[string]float64{
		`count(count by (job) (yativo_card_time_in_status_seconds_bucket))`:                                                            3,
		`count(yativo_api_request_duration_seconds_count{job=~"text|openmetrics", endpoint="token"} == 1)`:                             2,
		`count(count by (job) (yativo_api_request_duration_seconds_bucket))`:                                                           2,
		`count(count by (le) (yativo_card_time_in_status_seconds_bucket{job="openmetrics"}))`:                                          14,
		`sum(yativo_card_time_in_status_seconds_count{job="text"} != on (flow_status) yativo_card_customers{job="text"}) or vector(0)`: 0,
	} {
		got, err := p.query(expr)
		if err != nil || len(got) != 1 || got[0].Value[1] != fmt.Sprint(want) {
			t.Errorf("%s = %v, %v; want %v", expr, got, err, want)
		}
	}
}

// promtool has nothing to object to, and OpenMetrics is offered and complete.
func TestExpositionIsClean(t *testing.T) {
	t.Parallel()
	exporter := startExporter(t, settingsFor(t, serveSandbox(t, stillPopulation())))
	exporter.awaitReady()

	for format, accept := range map[string]string{
		"text/plain":                   "text/plain",
		"application/openmetrics-text": "application/openmetrics-text;version=1.0.0",
	} {
		code, body, headers := testutil.Get(t, "http://"+exporter.address+"/metrics", "Accept", accept)
		if code != http.StatusOK || !strings.HasPrefix(headers.Get("Content-Type"), format) {
			t.Errorf("asked for %s: %d, %s", format, code, headers.Get("Content-Type"))
		}
		if complete := strings.HasSuffix(body, "\n# EOF\n"); complete != (format != "text/plain") {
			t.Errorf("%s ends in # EOF: %t", format, complete)
		}
	}

	_, body := exporter.get("/metrics")
	lint := exec.CommandContext(t.Context(), tool(t, "promtool"), "check", "metrics")
	lint.Stdin = strings.NewReader(body)
	var out bytes.Buffer
	lint.Stdout, lint.Stderr = &out, &out
	if err := lint.Run(); err != nil || out.Len() > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out.String())
	}
}
