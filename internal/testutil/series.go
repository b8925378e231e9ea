package testutil

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// Series are the values of an exposition, by name and labels as the text format
// writes them: `up` or `requests_total{code="200"}`.
type Series map[string]float64

// ParseSeries reads the samples of an exposition in the text format.
func ParseSeries(exposition string) (Series, error) {
	all := Series{}
	for line := range strings.Lines(exposition) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		space := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if space < 0 || err != nil {
			return nil, fmt.Errorf("parse the exposition: not a sample: %q", line)
		}
		all[line[:space]] = value
	}
	return all, nil
}

// GatherSeries returns what a registry exposes.
func GatherSeries(registry prometheus.Gatherer) (Series, error) {
	families, err := registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather series: %w", err)
	}
	var text bytes.Buffer
	encoder := expfmt.NewEncoder(&text, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return nil, fmt.Errorf("encode %s: %w", family.GetName(), err)
		}
	}
	return ParseSeries(text.String())
}
