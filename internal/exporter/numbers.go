package exporter

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// numbers are the gauges and counters that /metrics shows at a moment, by their
// name and the values of their labels. A page that is made of them shows nobody
// more than /metrics does, and what /metrics lacks is a dash.
type numbers struct {
	now      time.Time
	families map[string]map[string]float64
}

const unknown = "–"

func readNumbers(registry prometheus.Gatherer) numbers {
	n := numbers{time.Now(), map[string]map[string]float64{}}
	families, _ := registry.Gather() // what fails is absent; a scrape says why
	for _, f := range families {
		values := map[string]float64{}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			values[strings.Join(labels, " ")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
		n.families[f.GetName()] = values
	}
	return n
}

func (n numbers) of(name string, labels ...string) (value float64, known bool) {
	value, known = n.families[name][strings.Join(labels, " ")]
	return value, known
}

// card is the value of a metric of the customers, 0 while it is absent.
func (n numbers) card(metric, status string) float64 {
	return n.families["yativo_card_"+metric][status]
}

// Labels lists what a metric has series for.
func (n numbers) Labels(name string) []string { return slices.Sorted(maps.Keys(n.families[name])) }

// Count shows a whole number.
func (n numbers) Count(name string, labels ...string) string { return n.Decimal(0, name, labels...) }

// Decimal shows a number with so many decimals.
func (n numbers) Decimal(decimals int, name string, labels ...string) string {
	return n.show(name, labels, func(v float64) string { return grouped(v, decimals) })
}

// Span shows a metric in seconds as a duration.
func (n numbers) Span(name string, labels ...string) string {
	return n.show(name, labels, func(v float64) string { return span(seconds(v)) })
}

// Age shows how long ago a timestamp was.
func (n numbers) Age(name string, labels ...string) string {
	return n.show(name, labels, func(v float64) string { return span(n.now.Sub(unix(v))) })
}

// Ago shows the same where no word beside it says so.
func (n numbers) Ago(name string, labels ...string) string {
	return n.show(name, labels, func(v float64) string { return span(n.now.Sub(unix(v))) + " ago" })
}

// Passed shows how long ago somebody passed a status, if that was ever seen: the
// metric shows the start of tracking until then.
func (n numbers) Passed(status string) string {
	if passed, known := n.of("yativo_card_last_advance_timestamp_seconds", status); known && passed == n.card("tracking_since_timestamp_seconds", "") {
		return "not seen yet"
	}
	return n.Ago("yativo_card_last_advance_timestamp_seconds", status)
}

// IsPast reports whether a timestamp is further back than the data of a part may be.
func (n numbers) IsPast(timestamp, part string) bool {
	at, known := n.of(timestamp)
	return known && n.now.Sub(unix(at)) > seconds(n.families["yativo_exporter_staleness_limit_seconds"][part])
}

// In shows how far ahead a timestamp is.
func (n numbers) In(name string, labels ...string) string {
	return n.show(name, labels, func(v float64) string { return span(unix(v).Sub(n.now)) })
}

// When shows a timestamp.
func (n numbers) When(name string, labels ...string) string {
	return n.show(name, labels, func(v float64) string { return moment(unix(v)) })
}

func (n numbers) show(name string, labels []string, format func(float64) string) string {
	if v, known := n.of(name, labels...); known && !math.IsInf(v, 0) {
		return format(v)
	}
	return unknown
}

func unix(v float64) time.Time        { return time.UnixMilli(int64(v * 1000)) }
func seconds(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }

// moment shows a time as a person reads it.
func moment(t time.Time) string { return t.UTC().Format("2 Jan 15:04 UTC") }

// span shows a duration by its two largest units.
func span(d time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	d = max(d, 0)
	for i, u := range units {
		if d < u.size {
			continue
		}
		text := strconv.Itoa(int(d/u.size)) + u.name
		if rest := d % u.size; i+1 < len(units) && rest >= units[i+1].size {
			text += " " + strconv.Itoa(int(rest/units[i+1].size)) + units[i+1].name
		}
		return text
	}
	return "0s"
}

// grouped shows a number with its thousands apart.
func grouped(v float64, decimals int) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, _, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if v < 0 && strings.Trim(text, "0.") != "" {
		text = "-" + text
	}
	return text
}
