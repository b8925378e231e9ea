//go:build linux

package main

import (
	"context"
	"fmt"
)

// memory measures the peaks of two sizes of program, in the first walk and in
// later ones.
func (b *bench) memory(ctx context.Context) ([]row, error) {
	var rows []row
	for _, size := range []struct {
		customers int
		name      string
		limit     float64
	}{{1000, "1,000", 40}, {largeProgram, "1,000,000", 160}} {
		api, err := b.startUpstream(ctx, size.customers, "-speed", "0.05")
		if err != nil {
			return nil, err
		}
		first, later, err := b.peaks(ctx, api)
		if err != nil {
			return nil, err
		}
		if err := api.stop(); err != nil {
			return nil, err
		}
		rows = append(rows, row{
			What: "memory at " + size.name + " customers", Unit: "MiB", Measured: later, Limit: size.limit,
			How:    "peak resident memory of the process, mapped files included, after three refreshes, with a state file, while customers sign up and move",
			Beside: fmt.Sprintf("%.1f MiB after the first", first),
		})
	}
	return rows, nil
}

func (b *bench) peaks(ctx context.Context, api *upstream) (first, later float64, err error) {
	e, err := b.startExporter(ctx, api, "EXPORTER_REFRESH_INTERVAL=5s", "EXPORTER_BALANCE_INTERVAL=5s")
	if err != nil {
		return 0, 0, err
	}
	defer e.stop() //nolint:errcheck // it is not measured any more
	if first, err = e.peakMiB(); err != nil {
		return 0, 0, err
	}
	if err := e.awaitRefreshes(ctx, 3); err != nil {
		return 0, 0, err
	}
	later, err = e.peakMiB()
	return first, later, err
}
