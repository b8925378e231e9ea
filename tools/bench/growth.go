//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// growthRuns is how often each size is walked; the medians count.
const growthRuns = 3

// growth runs single walks of each size of program.
func (b *bench) growth(ctx context.Context) ([]growth, error) {
	var all []growth
	for _, customers := range []int{100, 1000, 10_000, 100_000, largeProgram} {
		g, err := b.grown(ctx, customers)
		if err != nil {
			return nil, fmt.Errorf("at %d customers: %w", customers, err)
		}
		all = append(all, g)
	}
	return all, nil
}

func (b *bench) grown(ctx context.Context, customers int) (growth, error) {
	var cpu, upstreamCPU, walk []float64
	var g growth
	for range growthRuns {
		api, err := b.startUpstream(ctx, customers)
		if err != nil {
			return g, err
		}
		e, err := b.startExporter(ctx, api)
		if err != nil {
			return g, err
		}
		seen, err := api.counted(ctx)
		if err != nil {
			return g, err
		}
		if g, err = e.grown(ctx); err != nil {
			return g, err
		}
		if err := e.stop(); err != nil {
			return g, err
		}
		if err := api.stop(); err != nil {
			return g, err
		}
		g.Customers, g.PageRequests = customers, seen.Pages
		cpu, upstreamCPU, walk = append(cpu, e.CPU().Seconds()), append(upstreamCPU, api.CPU().Seconds()), append(walk, g.Walk)
		if g.StateFile, err = sizeMB(filepath.Join(b.folder, fmt.Sprintf("state-%d.db", b.states))); err != nil {
			return g, err
		}
	}
	g.CPU, g.UpstreamCPU, g.Walk = median(cpu), median(upstreamCPU), median(walk)
	return g, nil
}

// grown asks the exporter what can be asked while it runs.
func (e *exporter) grown(ctx context.Context) (g growth, err error) {
	if g.Memory, err = e.peakMiB(); err != nil {
		return g, err
	}
	all, err := e.metrics(ctx)
	if err != nil {
		return g, err
	}
	g.Walk = all["yativo_exporter_refresh_duration_seconds"]
	for name := range all {
		if strings.HasPrefix(name, "yativo_") {
			g.Series++
		}
	}
	const scrapes = 9 // so few that they are a small part of the process's CPU time
	var took []float64
	for range scrapes {
		begun := time.Now()
		if _, err := get(ctx, e.url+"/metrics"); err != nil {
			return g, err
		}
		took = append(took, 1000*time.Since(begun).Seconds())
	}
	g.Scrape = median(took)
	return g, nil
}
