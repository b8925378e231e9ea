package main

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

const usage = `yativo-card-exporter shows Prometheus the customers of a Yativo card program.

Usage: yativo-card-exporter [command]

Commands:
  serve        export (the default): refresh in the background, serve /metrics
  demo         an embedded sandbox of the API and the exporter against it; needs no configuration
                 -customers N  -scenario healthy|kyc-stall|safe-stall|outage|rate-limit  -speed X
  check        validate the configuration, mint a token, fetch page 1, and say what was found
  alerts       print the alert rules of this version, or write them to a folder with -o DIR; -help lists the parameters
  dashboards   print the Grafana dashboards of this version, or write them to a folder with -o DIR
  healthcheck  exit 0 if the exporter on this machine answers
  version      print the version (--version)
  help         print this (--help)

Environment (a variable that is set but empty counts as unset):
`

func printHelp(w io.Writer) error {
	var b strings.Builder
	b.WriteString(usage)
	for _, v := range variables() {
		fmt.Fprintf(&b, "  %s\n      %s\n", v.name, v.help)
		if v.defaultValue != "" {
			fmt.Fprintf(&b, "      default: %s\n", v.defaultValue)
		}
	}
	b.WriteString("\nHTTPS_PROXY, HTTP_PROXY and NO_PROXY are honoured, and NO_COLOR.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// variable is one environment variable as --help lists it.
type variable struct{ name, defaultValue, help string }

// variables lists the fields of environment.
func variables() []variable {
	t := reflect.TypeFor[environment]()
	list := make([]variable, 0, t.NumField())
	for field := range t.Fields() {
		tag := field.Tag
		name, defaultValue, _ := strings.Cut(tag.Get("env"), ", default=")
		list = append(list, variable{name, defaultValue, tag.Get("help")})
	}
	return list
}
