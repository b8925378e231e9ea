//go:build linux

// Command bench measures what docs/performance.md promises, always as a ratio
// in one run or against a limit, and prints the table; with -write it also
// writes it to that page and the figures to figures.json beside this file. The
// API is played by a process of its own.
//
//	go run ./tools/bench [-write]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"yativo-card-exporter/internal/testutil"
)

func main() {
	write := flag.Bool("write", false, "write docs/performance.md and tools/bench/figures.json")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *write)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, write bool) (err error) {
	folder, err := os.MkdirTemp("", "yativo-card-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	b := &bench{folder: folder}
	if err := b.build(ctx); err != nil {
		return err
	}
	f, err := b.measure(ctx)
	if err != nil {
		return err
	}
	fmt.Println(f.markdown())
	if !write {
		return nil
	}
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile("tools/bench/figures.json", append(raw, '\n'), 0o644); err != nil {
		return err
	}
	page, err := testutil.ReadSection("docs/performance.md", "figures")
	if err != nil {
		return err
	}
	return page.Replace(f.markdown())
}

// bench is one run.
type bench struct {
	folder string // for programs and state files
	states int    // state files so far
}

func (b *bench) binary(name string) string { return filepath.Join(b.folder, name) }

// build builds the programs that are measured, the product as `make build` does.
func (b *bench) build(ctx context.Context) error {
	for name, args := range map[string][]string{
		"exporter":      {"."},
		"upstream":      {"./tools/bench/upstream"},
		"floor":         {"./tools/bench/floor"},
		"bare":          {"./tools/bench/bare"},
		"json_exporter": {"-C", "tools/jsonexporter", "tool"},
	} {
		target := b.binary(name)
		flags := []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", target}
		if args[0] == "-C" {
			flags = append([]string{"build", args[0], args[1]}, flags[1:]...)
			args = args[2:]
		}
		cmd := exec.CommandContext(ctx, "go", append(flags, args...)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: %s", name, err, out)
		}
	}
	return nil
}

// measure takes every measurement, one after the other, in the page's order.
func (b *bench) measure(ctx context.Context) (figures, error) {
	f := figures{Machine: fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, strings.Replace(runtime.Version(), "go", "Go ", 1))}
	for _, m := range []struct {
		what string
		take func(context.Context) ([]row, error)
	}{
		{"scrapes", b.scrapes},
		{"the CPU of walks", b.walkCPU},
		{"the time of walks", b.walkTime},
		{"memory", b.memory},
		{"starts", b.starts},
		{"what the API pays", b.apiCost},
		{"the binary", b.size},
	} {
		fmt.Fprintln(os.Stderr, "bench: measuring", m.what)
		rows, err := m.take(ctx)
		if err != nil {
			return f, fmt.Errorf("measure %s: %w", m.what, err)
		}
		f.Rows = append(f.Rows, rows...)
	}
	fmt.Fprintln(os.Stderr, "bench: measuring growth")
	var err error
	f.Growth, err = b.growth(ctx)
	return f, err
}
