// Command yativo-card-exporter shows Prometheus where the customers of a Yativo
// card program are on their way from "OTP requested" to "active card", and what
// their wallets hold.
//
// main.go picks the command; serve.go wires the machine together, from the
// configuration (config.go) through the API client, the tracker of time in
// status and the refresher to the HTTP server (http.go).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set by the linker; see the Makefile.
var version = "" //nolint:gochecknoglobals // only a variable can be set by the linker

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or the configuration is wrong
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, process{args: os.Args[1:], lookup: os.LookupEnv, stdout: os.Stdout, stderr: os.Stderr})
	stop()
	os.Exit(code)
}

// process is what a command has of the process that it runs in.
type process struct {
	args   []string
	lookup func(name string) (string, bool) // of the environment
	stdout io.Writer
	stderr io.Writer
}

// run runs the command that the arguments name until it ends or ctx does, and
// returns the process's exit code.
func run(ctx context.Context, p process) int {
	command := "serve"
	if len(p.args) > 0 {
		command, p.args = p.args[0], p.args[1:]
	}
	var err error
	switch command {
	case "serve":
		err = withoutArguments(p, func() error { return serveCommand(ctx, p) })
	case "demo":
		err = demoCommand(ctx, p)
	case "check":
		err = withoutArguments(p, func() error { return checkCommand(ctx, p) })
	case "healthcheck":
		err = withoutArguments(p, func() error { return healthcheckCommand(ctx, p) })
	case "version", "--version", "-version":
		_, err = fmt.Fprintf(p.stdout, "yativo-card-exporter %s\n", buildVersion())
	case "help", "--help", "-help", "-h":
		err = printHelp(p.stdout)
	default:
		err = usageError(fmt.Sprintf("there is no command %q; --help lists them", command))
	}
	return exitCode(err, p.stderr)
}

// usageError is a mistake on the command line or in the configuration.
type usageError string

func (e usageError) Error() string { return string(e) }

func withoutArguments(p process, command func() error) error {
	if len(p.args) > 0 {
		return usageError(fmt.Sprintf("this command takes no arguments, but there is %q", p.args[0]))
	}
	return command()
}

// exitCode reports err, if there is one, and returns the exit code it means.
func exitCode(err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "yativo-card-exporter: %s\n", usage)
		return exitUsage
	default:
		_, _ = fmt.Fprintf(stderr, "yativo-card-exporter: %s\n", err)
		return exitFailed
	}
}

// buildVersion is the linked version, else what the toolchain noted.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
