//go:build e2e

package e2e_test

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/dashboards"
)

// compareDashboards runs every query of every dashboard on both engines, over all
// the time: VictoriaMetrics answers each, with the series that Prometheus has. Of
// alerts it may have one more: a rehearsal makes every for ten seconds, and so
// takes from a ticket the minutes that it waits longer than the page.
func compareDashboards(t *testing.T, prometheus, storage *prometheus, began, ended time.Time) {
	t.Helper()
	answered := 0
	for _, name := range dashboards.Names() {
		d := readDashboard(t, name)
		queries := map[string]dashboardQuery{}
		for _, p := range d.panels {
			for i, target := range p.Targets {
				queries[fmt.Sprintf("%s, panel %s, query %d", name, p.Title, i)] = target
			}
		}
		for _, q := range d.queries {
			queries[name+", "+q.Name] = q
		}
		for where, q := range queries {
			query := url.Values{
				"query": {fillVariables(q.Expr)}, "start": {unix(began)}, "end": {unix(ended)}, "step": {"1"},
			}
			want, got := seriesOf(t, prometheus, query), seriesOf(t, storage, query)
			if strings.Contains(q.Expr, "ALERTS") && len(got) >= len(want) {
				got = slices.DeleteFunc(got, func(labels string) bool { return !slices.Contains(want, labels) })
			}
			if !slices.Equal(want, got) {
				t.Errorf("%s: Prometheus has %d series\n%s\nVictoriaMetrics %d\n%s\n%s", where, len(want), strings.Join(want, "\n"), len(got), strings.Join(got, "\n"), fillVariables(q.Expr))
			}
			answered++
		}
	}
	t.Logf("%d queries answered", answered)
}

// seriesOf are the distinct label sets that a range query finds, without what
// agents and rulers added. Two things differ by design and mislead nobody:
// VictoriaMetrics has no NaN, so that a cell without a value is not there, and
// Prometheus writes the bound 60 of a bucket as 60.0, which vmagent leaves.
func seriesOf(t *testing.T, p *prometheus, query url.Values) []string {
	t.Helper()
	var found []struct {
		Metric map[string]string
		Values [][2]any
	}
	p.mustAsk(t, "/api/v1/query_range?"+query.Encode(), &found)
	distinct := map[string]bool{}
	for _, s := range found {
		if !slices.ContainsFunc(s.Values, func(v [2]any) bool { return v[1] != "NaN" }) {
			continue
		}
		for _, added := range []string{"agent", "cluster", "alertgroup"} {
			delete(s.Metric, added)
		}
		if bound, ok := s.Metric["le"]; ok {
			s.Metric["le"] = strings.TrimSuffix(bound, ".0")
		}
		distinct[fmt.Sprint(s.Metric)] = true
	}
	return slices.Sorted(maps.Keys(distinct))
}
