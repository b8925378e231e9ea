//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"yativo-card-exporter/internal/testutil"
)

// apiCost counts at the API what refreshes cost it while two Prometheus servers
// scrape each second, and refreshes are asked for more often than the limit
// allows.
func (b *bench) apiCost(ctx context.Context) ([]row, error) {
	const customers, limit, observed = 1050, 60, 80 * time.Second
	api, err := b.startUpstream(ctx, customers)
	if err != nil {
		return nil, err
	}
	defer api.stop() //nolint:errcheck // it is not measured any more
	e, err := b.startExporter(ctx, api, "EXPORTER_REFRESH_INTERVAL=5s", fmt.Sprintf("YATIVO_RATE_LIMIT=%d", limit))
	if err != nil {
		return nil, err
	}
	defer e.stop() //nolint:errcheck // as above
	for range 2 {
		prometheus, err := b.startPrometheus(ctx, e)
		if err != nil {
			return nil, err
		}
		defer prometheus.stop() //nolint:errcheck // as above
	}
	begun := time.Now()
	err = poll(ctx, time.Second, func() error {
		if time.Since(begun) < observed {
			return fmt.Errorf("observing for %s", observed)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	seen, err := api.counted(ctx)
	if err != nil {
		return nil, err
	}
	all, err := e.metrics(ctx)
	if err != nil {
		return nil, err
	}
	scrapes := all[`promhttp_metric_handler_requests_total{code="200"}`]
	return []row{
		{
			What: "API cost, page requests a refresh", Unit: "requests", Measured: float64(seen.LongestWalk), Limit: 11,
			How:    fmt.Sprintf("%d customers, the most, counted at the API while two Prometheus servers scrape each second", customers),
			Beside: fmt.Sprintf("⌈%d/100⌉ = 11; %.0f refreshes and %.0f scrapes in %s", customers, all["yativo_exporter_refreshes_total"], scrapes, observed),
		},
		{
			What: "API cost, busiest minute", Unit: "requests", Measured: float64(seen.BusiestMinute), Limit: limit,
			How:    fmt.Sprintf("the most in any rolling minute, counted at the API, where refreshes every 5s would make 132 and `YATIVO_RATE_LIMIT` is %d", limit),
			Beside: fmt.Sprintf("token mints included, %d of them", seen.Tokens),
		},
	}, nil
}

// startPrometheus runs a Prometheus that scrapes an exporter each second.
func (b *bench) startPrometheus(ctx context.Context, e *exporter) (*process, error) {
	program, err := testutil.Tool(".", "prometheus")
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(b.folder, "prometheus-")
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs:\n  - {job_name: yativo-card-exporter, static_configs: [{targets: [%q]}]}\n", e.url[len("http://"):])
	if err := os.WriteFile(folder+"/prometheus.yml", []byte(config), 0o600); err != nil {
		return nil, err
	}
	return start(ctx, nil, nil, io.Discard, program, "--config.file="+folder+"/prometheus.yml",
		"--storage.tsdb.path="+folder+"/data", "--web.listen-address=127.0.0.1:0")
}
