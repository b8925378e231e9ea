// Package rehearsal makes the shipped rules run faster than in production, so
// that pages come and go while somebody watches.
package rehearsal

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v2"
)

// minWindow is what a rehearsal leaves of a window, and the least of a for: a window
// that holds no two scrapes sees nothing, and before the first scrape all is absent.
const minWindow = 10 * time.Second

// maxPendingFactor is what a for is divided by at the most: one of ten minutes,
// which pages have, then takes minWindow, and who waits for longer still does.
const maxPendingFactor = 60

// minInterval keeps a group from being evaluated so often that it only loads
// Prometheus.
const minInterval = time.Second

type ruleFile struct {
	Groups []group `yaml:"groups"`
}

type group struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval"`
	Rules    []rule `yaml:"rules"`
}

type rule struct {
	Record        string            `yaml:"record,omitempty"`
	Alert         string            `yaml:"alert,omitempty"`
	Expr          string            `yaml:"expr"`
	For           string            `yaml:"for,omitempty"`
	KeepFiringFor string            `yaml:"keep_firing_for,omitempty"`
	Labels        map[string]string `yaml:"labels,omitempty"`
	Annotations   map[string]string `yaml:"annotations,omitempty"`
}

// Hasten divides every duration of a rule file by the factor, which is at least
// 1: the intervals, for (by 60 at the most) and keep_firing_for, the windows in
// expressions and in the queries of annotations, and the seconds that expressions
// compare with. The words of annotations stay. It fails for what is no rule file.
func Hasten(rules []byte, factor float64) ([]byte, error) {
	var file ruleFile
	if err := yaml.UnmarshalStrict(rules, &file); err != nil {
		return nil, fmt.Errorf("read the rules to hasten: %w", err)
	}
	h := hastener{factor: factor}
	pending := hastener{factor: min(factor, maxPendingFactor)}
	for i := range file.Groups {
		g := &file.Groups[i]
		g.Interval = h.duration(g.Interval, minInterval)
		for j := range g.Rules {
			r := &g.Rules[j]
			r.Expr = h.literals(h.windows(r.Expr))
			r.For = pending.duration(r.For, minWindow)
			r.KeepFiringFor = h.duration(r.KeepFiringFor, 0)
			for name, text := range r.Annotations {
				r.Annotations[name] = h.windows(text)
			}
		}
	}
	if err := cmp.Or(h.err, pending.err); err != nil {
		return nil, fmt.Errorf("hasten the rules: %w", err)
	}
	return yaml.Marshal(file)
}

// hastener keeps the first error, so that a rule file is read in one go.
type hastener struct {
	factor float64
	err    error
}

func (h *hastener) duration(text string, floor time.Duration) string {
	if text == "" {
		return ""
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		if h.err == nil {
			h.err = err
		}
		return text
	}
	return model.Duration(max(time.Duration(float64(d)/h.factor), floor)).String()
}

var (
	window   = regexp.MustCompile(`\[(\w+)\]`)
	subquery = regexp.MustCompile(`\[(\w+):(\w+)\]`)
	offset   = regexp.MustCompile(`\boffset (\w+)`)

	// A number of four digits or more is seconds, and so is what is compared with
	// a metric of seconds. Counts and shares are smaller.
	manySeconds     = regexp.MustCompile(`([\s(,])(\d{4,})\b`)
	comparedSeconds = regexp.MustCompile(`(_seconds\s+[<>]=?\s+)(\d{1,3})\b`)
)

// windows divides what stands in brackets. The step of a subquery may be as
// short as it gets, since it reads no scrapes but evaluates an expression.
func (h *hastener) windows(text string) string {
	text = replace(window, text, func(m []string) string { return "[" + h.duration(m[1], minWindow) + "]" })
	text = replace(subquery, text, func(m []string) string {
		return "[" + h.duration(m[1], 0) + ":" + h.duration(m[2], 0) + "]"
	})
	return replace(offset, text, func(m []string) string { return "offset " + h.duration(m[1], 0) })
}

func (h *hastener) literals(expr string) string {
	scaled := func(m []string) string {
		seconds, err := strconv.ParseFloat(m[2], 64)
		if err != nil && h.err == nil {
			h.err = err
		}
		return m[1] + strconv.FormatFloat(seconds/h.factor, 'f', -1, 64)
	}
	return replace(manySeconds, replace(comparedSeconds, expr, scaled), scaled)
}

// replace is regexp's ReplaceAllStringFunc with the submatches.
func replace(pattern *regexp.Regexp, text string, with func(match []string) string) string {
	return pattern.ReplaceAllStringFunc(text, func(found string) string {
		return with(pattern.FindStringSubmatch(found))
	})
}
