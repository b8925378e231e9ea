// Command oncall plays card programs for quarters, drives the exporter's own
// tracker over them, judges what it shows by the shipped rules, and says what a
// program may expect: how often nothing is wrong when an alert fires, how soon
// a stall is told, and when the alert is over. It fails if a limit is missed.
// It is a module of its own, since the product needs no PromQL.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/tools/oncall/cells"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oncall:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("oncall", flag.ContinueOnError)
	file := set.String("rules", "", "judge by this rule `file` instead of the shipped rules")
	only := set.String("only", "", "run the cells alone whose name contains this `text`")
	report := set.String("write", "", "write the report to this `file`")
	seeds := set.Int("seeds", 0, "run at most so many seeds of a cell; 0 is as many as the report wants")
	if err := set.Parse(args); err != nil {
		return err
	}
	rules, err := alerts.Render(alerts.DefaultParams())
	if *file != "" {
		rules, err = os.ReadFile(*file)
	}
	if err != nil {
		return err
	}
	var chosen []cells.Cell
	for _, c := range cells.All() {
		if *seeds > 0 {
			c.Seeds = min(c.Seeds, *seeds)
		}
		if strings.Contains(c.Name(), *only) {
			chosen = append(chosen, c)
		}
	}
	results, err := cells.RunAll(ctx, rules, chosen, func(r cells.Result) { fmt.Fprintln(out, r.Line()) })
	if err != nil {
		return err
	}
	if *report != "" && len(results) > 0 {
		if err := os.WriteFile(*report, []byte(cells.Report(results)), 0o644); err != nil {
			return err
		}
	}
	missed := 0
	for _, r := range append(results, cells.Together(results)...) {
		for _, limit := range r.Missed() {
			missed++
			fmt.Fprintf(out, "MISSED: %s: %s\n", r.Cell.Name(), limit)
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d limits of %d cells are missed", missed, len(results))
	}
	return nil
}
