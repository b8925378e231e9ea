//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

const (
	smallProgram = 87
	largeProgram = 1_000_000
	// scrapeRounds of scrapesPerRound scrapes each: a busy moment of the
	// machine spoils a round, not the median of them.
	scrapeRounds    = 9
	scrapesPerRound = 300
)

// scrapes compares exporters of a small and of a large program with bare
// handlers that show as many series, all four scraped by turns.
func (b *bench) scrapes(ctx context.Context) ([]row, error) {
	var urls []string // ours, bare, ours, bare
	for _, customers := range []int{smallProgram, largeProgram} {
		api, err := b.startUpstream(ctx, customers)
		if err != nil {
			return nil, err
		}
		e, err := b.startExporter(ctx, api)
		if err != nil {
			return nil, err
		}
		defer e.stop()                     //nolint:errcheck // it is not measured any more
		if err := api.stop(); err != nil { // the next refresh is an hour away
			return nil, err
		}
		exposition, err := get(ctx, e.url+"/metrics")
		if err != nil {
			return nil, err
		}
		bare, words, err := startServer(ctx, bytes.NewReader(exposition), b.binary("bare"))
		if err != nil {
			return nil, err
		}
		defer bare.stop() //nolint:errcheck // as above
		urls = append(urls, e.url+"/metrics", words[0])
	}

	var p50, p99 [4][]float64
	var toBare, toBare99, toSmall []float64
	for range scrapeRounds {
		var took [4][]float64
		for range scrapesPerRound {
			for i, url := range urls {
				begun := time.Now()
				if _, err := get(ctx, url); err != nil {
					return nil, err
				}
				took[i] = append(took[i], float64(time.Since(begun).Microseconds()))
			}
		}
		for i := range took {
			p50[i], p99[i] = append(p50[i], median(took[i])), append(p99[i], quantile(took[i], 0.99))
		}
		last := len(p50[0]) - 1
		for _, pair := range [][2]int{{0, 1}, {2, 3}} {
			ours, bare := pair[0], pair[1]
			toBare = append(toBare, p50[ours][last]/p50[bare][last])
			toBare99 = append(toBare99, p99[ours][last]/p99[bare][last])
		}
		toSmall = append(toSmall, p50[2][last]/p50[0][last])
	}
	how := fmt.Sprintf("`/metrics` uncompressed over loopback, against a bare `promhttp` handler with the process's own metrics and as many static series, by turns, median of %d rounds of %d", scrapeRounds, scrapesPerRound)
	beside := func(of [4][]float64) string {
		return fmt.Sprintf("%.0f µs at 87 customers, %.0f µs at 1,000,000, bare %.0f µs and %.0f µs", median(of[0]), median(of[2]), median(of[1]), median(of[3]))
	}
	return []row{
		{What: "scrape, p50", How: how, Unit: "×", Measured: median(toBare), Limit: 1.2, Beside: beside(p50)},
		{What: "scrape, p99", How: "the same", Unit: "×", Measured: median(toBare99), Limit: 1.2, Beside: beside(p99)},
		{What: "scrape of 1,000,000 customers against one of 87", How: "p50 of the same scrapes", Unit: "×", Measured: median(toSmall), Limit: 1.1, Beside: "the exporters above"},
	}, nil
}
