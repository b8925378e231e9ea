// Package cli holds the commands of the program: how each is called, what it
// prints and with which code it exits.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/dashboards"
	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/exitcode"
)

// Process is what a command has of the process that it runs in.
type Process struct {
	Version     string            // that the linker set; "" for what the toolchain noted
	Args        []string          // without the program's name
	Environment map[string]string // values by the names of variables
	Stdout      io.Writer
	Stderr      io.Writer
}

// command is one command as it is called and as --help lists it.
type command struct {
	name    string
	aliases []string
	summary string
	flags   string // the ones to know, in one line
	run     func(ctx context.Context, p Process) error
}

// commands lists the commands in the order of --help.
func commands() []command {
	return []command{
		{
			name: "serve", run: serve, summary: "run the exporter (the default): refresh in the background, serve /metrics",
			flags: "--web.listen-address ADDRESS  --web.config.file FILE  --log.level LEVEL  --log.format FORMAT",
		},
		{
			name: "demo", run: demo, summary: "run the exporter against an embedded sandbox of the API; needs no configuration",
			flags: "-customers N  -scenario healthy|kyc-stall|safe-stall|outage|rate-limit  -speed X",
		},
		{name: "check", run: withoutArguments(check), summary: "check the configuration, get a token, read page 1, and say what was found"},
		{name: "alerts", run: withOwnMessages(alerts.Command), summary: "print the alert rules of this version, or write them to a folder with -o DIR; -help lists the parameters"},
		{name: "dashboards", run: withOwnMessages(dashboards.Command), summary: "print the Grafana dashboards of this version, or write them to a folder with -o DIR"},
		{name: "healthcheck", run: withoutArguments(healthcheck), summary: "exit 0 if the exporter on this machine answers"},
		{
			name: "stalled", run: stalled, summary: "print who is stalled, as CSV; asks the exporter on this machine at EXPORTER_PRIVATE_ADDRESS",
			flags: "[flow_status]",
		},
		{name: "version", aliases: []string{"--version", "-version"}, run: withoutArguments(printVersion), summary: "print the version (--version)"},
		{name: "help", aliases: []string{"--help", "-help", "-h"}, run: help, summary: "print this, or the help of a command (--help)"},
	}
}

// Run runs the command that the arguments name until it ends or ctx does, says
// on stderr what went wrong, and returns the process's exit code.
func Run(ctx context.Context, p Process) int {
	return exitCode(dispatch(ctx, p), p.Stderr)
}

// dispatch runs the command that the arguments name. Flags without a command
// are those of serve.
func dispatch(ctx context.Context, p Process) error {
	if len(p.Args) == 0 {
		return serve(ctx, p)
	}
	name := p.Args[0]
	for _, c := range commands() {
		if c.name == name || slices.Contains(c.aliases, name) {
			p.Args = p.Args[1:]
			return c.run(ctx, p)
		}
	}
	if strings.HasPrefix(name, "-") {
		return serve(ctx, p)
	}
	return usageError(fmt.Sprintf("there is no command %q; --help lists the commands", name))
}

// usageError is a mistake on the command line.
type usageError string

func (e usageError) Error() string { return string(e) }

// exitError is the exit code of a command that has said itself what went wrong,
// if anything did.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exitCode reports err, if there is one, and returns the exit code it means.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitcode.OK
	}
	if code, ok := errors.AsType[exitError](err); ok {
		return int(code)
	}
	fmt.Fprintf(stderr, "yativo-card-exporter: %s\n", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitcode.Usage
	}
	if _, ok := errors.AsType[*config.Error](err); ok {
		fmt.Fprintln(stderr, "--help lists the variables; the command demo needs none.")
		return exitcode.Config
	}
	return exitcode.Failed
}

// withoutArguments makes a command of one that has no flags but those for help.
func withoutArguments(run func(ctx context.Context, p Process) error) func(ctx context.Context, p Process) error {
	return func(ctx context.Context, p Process) error {
		switch {
		case len(p.Args) == 0:
			return run(ctx, p)
		case isHelpFlag(p.Args[0]):
			return printHelp(p.Stdout)
		default:
			return usageError(fmt.Sprintf("this command takes no arguments, but got %q", p.Args[0]))
		}
	}
}

// withOwnMessages makes a command of one that says itself what went wrong.
func withOwnMessages(run func(args []string, stdout, stderr io.Writer) int) func(ctx context.Context, p Process) error {
	return func(_ context.Context, p Process) error {
		return exitError(run(p.Args, p.Stdout, p.Stderr))
	}
}

func printVersion(_ context.Context, p Process) error {
	_, err := fmt.Fprintf(p.Stdout, "yativo-card-exporter %s\n", p.version())
	return err
}

// version is the linked version, else what the toolchain noted.
func (p Process) version() string {
	if p.Version != "" {
		return p.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
