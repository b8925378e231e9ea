package main

import (
	"fmt"
	"strings"
)

// chosen matches what the variables choose.
const chosen = `job=~"$job", instance=~"$instance"`

// of selects a metric, of what is chosen, with further matchers.
func of(metric string, matchers ...string) string {
	return metric + "{" + strings.Join(append([]string{chosen}, matchers...), ", ") + "}"
}

// most is the largest value among the replicas, by some labels. Replicas watch
// the same customers, so a sum would count everybody twice.
func most(by, metric string, matchers ...string) string {
	return among("max", by, of(metric, matchers...))
}

// least is the smallest value among the replicas, by some labels.
func least(by, metric string, matchers ...string) string {
	return among("min", by, of(metric, matchers...))
}

func among(aggregation, by, expr string) string {
	if by == "" {
		return aggregation + " (" + expr + ")"
	}
	return fmt.Sprintf("%s by (%s) (%s)", aggregation, by, expr)
}

// moves is how many customers made the moves that the matchers select within a
// window, which names a span that people think in and not a resolution.
func moves(window string, matchers ...string) string {
	return fmt.Sprintf("sum (max by (from, to) (increase(%s[%s])))", of("yativo_card_status_transitions_total", matchers...), window)
}

// rate is a counter's rate per second, at the resolution of the graph.
func rate(metric string) string {
	return "rate(" + of(metric) + "[$__rate_interval])"
}

// firing selects the exporter's alerts that fire, which are by job and not by
// instance.
func firing(matchers ...string) string {
	return "ALERTS{" + strings.Join(append([]string{
		`alertname=~"YativoCard.+"`, `alertstate="firing"`, `job=~"$job"`,
	}, matchers...), ", ") + "}"
}

// age is how old the data of a part are, in seconds.
func age(timestamp string) string { return "time() - " + most("", timestamp) }

// believable judges the data of a part: 0 is current, 1 that refreshes fail, 2
// that it is too old, 3 that there is none.
func believable(part, timestamp string) string {
	return fmt.Sprintf("clamp_max(2 * (%s > bool %s) + (1 - %s), 2)\nor vector(3)",
		age(timestamp), most("", "yativo_exporter_staleness_limit_seconds", fmt.Sprintf("part=%q", part)), most("", "yativo_up"))
}
