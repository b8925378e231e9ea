//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"yativo-card-exporter/internal/testutil"
)

const (
	walkRuns      = 9
	walkCustomers = 10_000
	walkPages     = walkCustomers / 100
)

// jsonExporterModule makes json_exporter show seven fields of each row.
const jsonExporterModule = `modules:
  default:
    headers: {Authorization: "Bearer %s"}
    metrics:
      - name: customer
        type: object
        help: A customer.
        path: '{ .data.customers[*] }'
        labels:
          customer_id: '{ .customer_id }'
          flow_status: '{ .flow_status }'
          currency: '{ .currency }'
        values:
          ledger: '{ .ledger_balance }'
          available: '{ .available_balance }'
          pending: '{ .pending_balance }'
          cards: '{ .cards_count }'
`

// walkCPU compares what whole processes spend on the same rows: the exporter,
// json_exporter page by page, and a program that does nothing but decode them.
func (b *bench) walkCPU(ctx context.Context) ([]row, error) {
	api, err := b.startUpstream(ctx, walkCustomers)
	if err != nil {
		return nil, err
	}
	defer api.stop() //nolint:errcheck // it is not measured
	var ours, floors, ratios, peers []float64
	for range walkRuns {
		e, err := b.startExporter(ctx, api)
		if err != nil {
			return nil, err
		}
		if err := e.stop(); err != nil {
			return nil, err
		}
		floor, err := start(ctx, nil, nil, io.Discard, b.binary("floor"), api.customersURL(), api.token, fmt.Sprint(walkPages))
		if err != nil {
			return nil, err
		}
		if err := floor.finish(); err != nil {
			return nil, err
		}
		ours, floors = append(ours, e.CPU().Seconds()), append(floors, floor.CPU().Seconds())
		ratios = append(ratios, e.CPU().Seconds()/floor.CPU().Seconds())
	}
	for range 3 {
		peer, err := b.jsonExporter(ctx, api)
		if err != nil {
			return nil, err
		}
		peers = append(peers, peer.Seconds())
	}
	micros := func(of []float64) string { return fmt.Sprintf("%.1f µs", median(of)/walkCustomers*1e6) }
	return []row{
		{
			What: "walk, CPU, against `json_exporter`", Unit: "×", Measured: median(ours) / median(peers), Limit: 1.0 / 40,
			How:    fmt.Sprintf("whole processes, from start to end, for %d customers; v0.7.0 renders seven fields of the same rows, page by page", walkCustomers),
			Beside: fmt.Sprintf("%s of CPU a row against %s", micros(ours), micros(peers)),
		},
		{
			What: "walk, CPU, against the standard library", Unit: "×", Measured: median(ratios), Limit: 1.1,
			How:    fmt.Sprintf("likewise, against a program that reads the same pages and `json.Unmarshal`s the needed fields, by turns, median of %d", walkRuns),
			Beside: fmt.Sprintf("%s a row, sums, de-duplication, time in status and state file included, against %s", micros(ours), micros(floors)),
		},
	}, nil
}

// jsonExporter returns the CPU time in which json_exporter shows every page.
func (b *bench) jsonExporter(ctx context.Context, api *upstream) (time.Duration, error) {
	address, err := testutil.FreeAddress(ctx)
	if err != nil {
		return 0, err
	}
	config := b.binary("json_exporter.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, jsonExporterModule, api.token), 0o600); err != nil {
		return 0, err
	}
	p, err := start(ctx, nil, nil, io.Discard, b.binary("json_exporter"), "--config.file="+config, "--web.listen-address="+address)
	if err != nil {
		return 0, err
	}
	defer p.stop() //nolint:errcheck // once more, where it failed
	if err := poll(ctx, time.Millisecond, func() error {
		_, err := get(ctx, "http://"+address+"/metrics")
		return err
	}); err != nil {
		return 0, fmt.Errorf("%w: %s", err, p.Stderr.String())
	}
	for page := 1; page <= walkPages; page++ {
		target := fmt.Sprintf("%s?limit=100&page=%d", api.customersURL(), page)
		if _, err := get(ctx, "http://"+address+"/probe?target="+url.QueryEscape(target)); err != nil {
			return 0, fmt.Errorf("%w: %s", err, p.Stderr.String())
		}
	}
	err = p.stop()
	return p.CPU(), err
}

// walkTime compares how long a walk over a slow API takes with what its latency
// alone makes of it.
func (b *bench) walkTime(ctx context.Context) ([]row, error) {
	const pages, latency, concurrency = 200, 50 * time.Millisecond, 8
	ideal := (1 + (pages-1+concurrency-1)/concurrency) * latency
	// A full last page would be followed by one request more.
	api, err := b.startUpstream(ctx, pages*100-1, "-latency", latency.String())
	if err != nil {
		return nil, err
	}
	defer api.stop() //nolint:errcheck // it is not measured
	e, err := b.startExporter(ctx, api, fmt.Sprintf("YATIVO_MAX_CONCURRENCY=%d", concurrency), "EXPORTER_REFRESH_INTERVAL=5s")
	if err != nil {
		return nil, err
	}
	defer e.stop() //nolint:errcheck // it is not measured any more
	var shares []float64
	for refreshes := 2.0; refreshes <= 6; refreshes++ { // the first also mints a token and opens the connections
		if err := e.awaitRefreshes(ctx, refreshes); err != nil {
			return nil, err
		}
		all, err := e.metrics(ctx)
		if err != nil {
			return nil, err
		}
		shares = append(shares, ideal.Seconds()/all["yativo_exporter_refresh_duration_seconds"])
	}
	share := median(shares)
	return []row{{
		What: "walk, time", Unit: "of the ideal", Measured: share, Limit: 0.95, AtLeast: true,
		How:    fmt.Sprintf("%d pages at %s each, concurrency %d, median of %d", pages, latency, concurrency, len(shares)),
		Beside: fmt.Sprintf("%.3f s where (1 + ⌈199/8⌉) × 50 ms = %.3f s", ideal.Seconds()/share, ideal.Seconds()),
	}}, nil
}
