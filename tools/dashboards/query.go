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

// lastAdvance is when anybody last got past a status, as the shipped rules record
// it. Until an exporter sees an advance it reports the start of its tracking, so
// that of a replica which started during a stall counts only where none has seen
// an advance.
func lastAdvance(by string, matchers ...string) string {
	const metric = "yativo_card_last_advance_timestamp_seconds"
	return fmt.Sprintf("(%s\nor %s)",
		among("max", by, of(metric, matchers...)+" > ignoring (flow_status) group_left () "+of("yativo_card_tracking_since_timestamp_seconds")),
		least(by, metric, matchers...))
}

// silent selects the stalled customers of the statuses past which nobody has
// advanced for longer, and for more who entered since, than chance allows by the
// program's own rhythm, at a replica that knows it.
func silent(by string, matchers ...string) string {
	missed := of("yativo_card_missed_advances", matchers...)
	return fmt.Sprintf("%s\nand %s\nand %s",
		most(by, "yativo_card_stalled_customers", matchers...),
		among("max", by, missed+" >= "+of("yativo_card_missed_advances_limit", matchers...)),
		among("max", by, tooMany(matchers...)+" and "+missed))
}

// tooMany selects the customers who entered since the last advance at the replicas
// where they are too many for chance: each has a limit of its own.
func tooMany(matchers ...string) string {
	return of("yativo_card_entered_since_advance_customers", matchers...) + " >= " + of("yativo_card_entered_since_advance_limit", matchers...)
}

// standing stands in for silent in KYC while the rhythm is not known: it selects
// the stalled customers if as many entered since the last advance as are no
// chance, and that was 96 hours ago, as in the shipped rules; or if the page says
// so, whose time may have been changed.
func standing(by string) string {
	return fmt.Sprintf("%[1]s\nand %[2]s\nand on () time() - %[3]s\n> 345600\nunless on () %[4]s\nor %[1]s\nand on () %[5]s",
		most(by, "yativo_card_stalled_customers", kyc), among("max", by, tooMany(kyc)),
		lastAdvance("", kyc), most("", "yativo_card_missed_advances_limit", kyc), firing(`alertname="YativoCardKYCStalled"`))
}

// unusual selects the stalled customers where they are five more than the median
// of the last week, and half as many again. As in the shipped rules, four fifths
// of the week must be known and tracking be 15 days old: before, the first
// customers are still ageing into it.
func unusual(by string, matchers ...string) string {
	stalled := most(by, "yativo_card_stalled_customers", matchers...)
	return fmt.Sprintf("%[1]s >= 5 + %[2]s\nand %[1]s >= 1.5 * %[2]s\nand count_over_time((%[1]s)[1w:1h]) >= 135\nand on () time() - %[3]s >= 15 * 86400",
		stalled, "quantile_over_time(0.5, ("+stalled+")[1w:1h])", least("", "yativo_card_tracking_since_timestamp_seconds"))
}

// fewest is the smallest count among the replicas of each bucket of the customers'
// ages. A replica that knows less takes customers for younger than they are, and
// so has more of them in the lower buckets.
func fewest(matchers ...string) string {
	return least("le", "yativo_card_time_in_status_seconds_bucket", matchers...)
}

// current selects from an expression only while the customers' data are current.
// It is for what outlives them: counters, timestamps, thresholds and what is
// taken over a range. Shown on, all that would stand still like a program that
// stands still.
func current(expr string) string {
	return "(" + expr + ")\nand on () " + of("yativo_card_customers")
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

// limit is from which age on the data of a part are not shown any more.
func limit(part string) string {
	return most("", "yativo_exporter_staleness_limit_seconds", fmt.Sprintf("part=%q", part))
}

// believable judges the data of a part: 0 is current, 1 that refreshes fail, 2
// that it is too old, 3 that there is none, 4 that the exporter, which states no
// limit then, is told never to ask for it.
func believable(part, timestamp string) string {
	judged := fmt.Sprintf("clamp_max(2 * (%s > bool %s) + (1 - %s), 2)", age(timestamp), limit(part), most("", "yativo_up"))
	if part != "customers" {
		judged += "\nor (vector(4) and " + limit("customers") + " unless " + limit(part) + ")"
	}
	return judged + "\nor vector(3)"
}
