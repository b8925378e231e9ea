package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"yativo-card-exporter/internal/config"
)

// help lists everything, or says what a command's own help says.
func help(ctx context.Context, p Process) error {
	if len(p.Args) == 0 || isHelpFlag(p.Args[0]) {
		return printHelp(p.Stdout)
	}
	p.Args = []string{p.Args[0], "-help"}
	return dispatch(ctx, p)
}

func isHelpFlag(argument string) bool {
	return slices.Contains([]string{"-h", "-help", "--help"}, argument)
}

// printHelp lists the commands and the environment variables.
func printHelp(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`yativo-card-exporter shows Prometheus the customers of a Yativo card program.

Usage: yativo-card-exporter [command]

Commands:
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-12s %s\n", c.name, c.summary)
		if c.flags != "" {
			fmt.Fprintf(&b, "  %-12s   %s\n", "", c.flags)
		}
	}
	b.WriteString("\nEnvironment (a variable that is set but empty counts as unset):\n")
	for _, v := range config.Variables() {
		fmt.Fprintf(&b, "  %s\n      %s\n", v.Name, v.Help)
		if v.Default != "" {
			fmt.Fprintf(&b, "      default: %s\n", v.Default)
		}
	}
	b.WriteString("\nHTTPS_PROXY, HTTP_PROXY, NO_PROXY and NO_COLOR are honored.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
