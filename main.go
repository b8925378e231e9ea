// Command yativo-card-exporter shows Prometheus where the customers of a Yativo
// card program are on their way from "OTP requested" to "active card", and what
// their wallets hold.
//
// This file is the process: its signals, its arguments and its exit code. The
// commands are in internal/cli; docs/architecture.md shows the whole.
package main

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"yativo-card-exporter/internal/cli"
)

// version is set by the linker; see the Makefile.
var version = "" //nolint:gochecknoglobals // only a variable can be set by the linker

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, cli.Process{
		Version:     version,
		Args:        os.Args[1:],
		Environment: environment(),
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
	})
	stop()
	os.Exit(code)
}

// environment maps the names of the environment's variables to their values.
func environment() map[string]string {
	variables := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		variables[name] = value
	}
	return variables
}
