//go:build linux

package main

import (
	"context"
	"fmt"
)

// starts measures the time from the start of the process to its first snapshot,
// less the requests.
func (b *bench) starts(ctx context.Context) ([]row, error) {
	api, err := b.startUpstream(ctx, smallProgram)
	if err != nil {
		return nil, err
	}
	defer api.stop() //nolint:errcheck // it is not measured
	const runs = 15
	var beyond, requests []float64
	for range runs {
		e, err := b.startExporter(ctx, api)
		if err != nil {
			return nil, err
		}
		all, err := e.metrics(ctx)
		if err != nil {
			return nil, err
		}
		if err := e.stop(); err != nil {
			return nil, err
		}
		took := all[`yativo_api_request_duration_seconds_sum{endpoint="customers"}`] + all[`yativo_api_request_duration_seconds_sum{endpoint="token"}`]
		beyond, requests = append(beyond, 1000*(e.ready.Seconds()-took)), append(requests, 1000*took)
	}
	return []row{{
		What: "start", Unit: "ms", Measured: median(beyond), Limit: 50,
		How:    fmt.Sprintf("from exec to `/-/ready` for %d customers without latency, less the requests, median of %d", smallProgram, runs),
		Beside: fmt.Sprintf("the requests took %.1f ms", median(requests)),
	}}, nil
}

// size measures the binary as it is released.
func (b *bench) size(context.Context) ([]row, error) {
	size, err := sizeMB(b.binary("exporter"))
	return []row{{
		What: "image", Unit: "MB", Measured: size, Limit: 20, How: "the stripped binary, to which the image adds certificates and a folder", Beside: "all of the image that grows",
	}}, err
}
