//go:build unix

// Command toolbox builds every tool of the repository, or prints the path of
// the one that its argument names.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"yativo-card-exporter/tools/toolbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "toolbox:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	box, err := toolbox.Open(".", stderr)
	if err != nil {
		return err
	}
	if len(args) > 0 {
		path, err := box.Binary(ctx, args[0])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, path)
		return err
	}
	return buildAll(ctx, box)
}

// buildAll builds the modules side by side: each ends in links that keep one
// core busy and leave the others idle.
func buildAll(ctx context.Context, box *toolbox.Box) error {
	errs := make([]error, len(box.Modules))
	var wg sync.WaitGroup
	for i, m := range box.Modules {
		wg.Go(func() { _, errs[i] = box.Build(ctx, m) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
