package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// classic is the schema of a dashboard that Grafana 10 imports.
type classic = dashboard.Dashboard //nolint:staticcheck // its successor cannot be imported there

// shippedFolder is where the checked-in dashboards are.
const shippedFolder = "../../dashboards"

// TestMain tells the SDK, whose decoder keeps them in a global, which panels and
// queries there are.
func TestMain(m *testing.M) {
	plugins.RegisterDefaultPlugins()
	os.Exit(m.Run())
}

// shipped returns the checked-in dashboards by file name, held against the
// types of Grafana's schema, which refuse what they do not know.
func shipped(t *testing.T) map[string]classic {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(shippedFolder, "*.json"))
	if err != nil || len(paths) != 3 {
		t.Fatalf("the dashboards are %v, %v; want three", paths, err)
	}
	all := map[string]classic{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := conforms(content); err != nil {
			t.Fatalf("%s is not what Grafana's schema says:\n%v", path, err)
		}
		var d classic
		if err := json.Unmarshal(content, &d); err != nil {
			t.Fatal(err)
		}
		if err := d.Validate(); err != nil {
			t.Fatalf("%s is not valid:\n%v", path, err)
		}
		all[filepath.Base(path)] = d
	}
	return all
}

// conforms holds a dashboard against the types of Grafana's schema, part by
// part, since the SDK's strict decoder of the whole loses what is in parts.
func conforms(content []byte) error {
	var parts struct{ Panels []json.RawMessage }
	return errors.Join(strict(&classic{}, content), json.Unmarshal(content, &parts), conformsPanels(parts.Panels))
}

func conformsPanels(panels []json.RawMessage) (err error) {
	for _, panel := range panels {
		var part struct {
			Type        string
			FieldConfig json.RawMessage
			Targets     []json.RawMessage
			Panels      []json.RawMessage
		}
		err = errors.Join(err, json.Unmarshal(panel, &part))
		if part.Type == "row" {
			err = errors.Join(err, strict(&dashboard.RowPanel{}, panel), conformsPanels(part.Panels))
			continue
		}
		err = errors.Join(err, strict(&dashboard.Panel{}, panel), strict(&dashboard.FieldConfigSource{}, part.FieldConfig))
		for _, target := range part.Targets {
			err = errors.Join(err, strict(&prometheus.Dataquery{}, target))
		}
	}
	return err
}

// strict decodes into one of the schema's types. The SDK's error is never nil:
// without a problem it is an empty list.
func strict(into interface{ UnmarshalJSONStrict([]byte) error }, content []byte) error {
	err := into.UnmarshalJSONStrict(content)
	var problems cog.BuildErrors
	if errors.As(err, &problems) && len(problems) == 0 {
		return nil
	}
	return err
}

// The schema's types are strict enough to notice a slip anywhere in a panel.
func TestSchemaRefusesSlips(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(shippedFolder, "yativo-card-exporter.json"))
	if err != nil {
		t.Fatal(err)
	}
	for right, wrong := range map[string]string{
		`"refresh": "1m"`:        `"refreshes": "1m"`,
		`"colorMode": "none"`:    `"colourMode": "none"`,
		`"lineWidth": 2`:         `"lineWidth": "2"`,
		`"legendFormat": "left"`: `"legend": "left"`,
		`"mode": "absolute"`:     `"modus": "absolute"`,
	} {
		slipped := strings.Replace(string(content), right, wrong, 1)
		if slipped == string(content) {
			t.Fatalf("the dashboard has no %s", right)
		}
		if conforms([]byte(slipped)) == nil {
			t.Errorf("%s in the place of %s goes unnoticed", wrong, right)
		}
	}
}

// panels returns the panels of a dashboard without its rows' headlines.
func panels(d classic) []dashboard.Panel {
	var all []dashboard.Panel
	for _, p := range d.Panels {
		if p.Panel != nil {
			all = append(all, *p.Panel)
		} else {
			all = append(all, p.RowPanel.Panels...)
		}
	}
	return all
}

func targets(t *testing.T, p dashboard.Panel) []prometheus.Dataquery {
	t.Helper()
	var all []prometheus.Dataquery
	for _, target := range p.Targets {
		query, ok := target.(*prometheus.Dataquery)
		if !ok {
			t.Fatalf("%s: a query is a %T, not one of Prometheus", *p.Title, target)
		}
		all = append(all, *query)
	}
	return all
}

func TestCheckedInFilesAreTheGeneratedOnes(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	generate := exec.CommandContext(t.Context(), "go", "run", ".", folder)
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	for file := range shipped(t) {
		want, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(shippedFolder, file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes; run go generate ./dashboards", file)
		}
	}
}

// What an import, or provisioning, needs to find.
func TestDashboardsAreImportable(t *testing.T) {
	t.Parallel()
	for file, d := range shipped(t) {
		if d.Uid == nil || file != *d.Uid+".json" {
			t.Errorf("%s: the uid is %v, want the file's name", file, d.Uid)
		}
		content, err := os.ReadFile(filepath.Join(shippedFolder, file))
		if err != nil {
			t.Fatal(err)
		}
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(content, &raw); err != nil {
			t.Fatal(err)
		}
		if string(raw["id"]) != "null" {
			t.Errorf("%s: id is %s, want null", file, raw["id"])
		}
		for name := range raw {
			if strings.HasPrefix(name, "__") {
				t.Errorf("%s: has %s, which provisioning does not understand", file, name)
			}
		}
		if d.Editable == nil || *d.Editable {
			t.Errorf("%s: can be edited, so that the next version would undo it", file)
		}
		if d.SchemaVersion > 38 {
			t.Errorf("%s: schema version %d is newer than Grafana 10.0", file, d.SchemaVersion)
		}
		if d.Title == nil || d.Description == nil || *d.Description == "" || len(d.Tags) == 0 || d.Time == nil || d.Refresh == nil {
			t.Errorf("%s: title, description, tags, time range and refresh must be set", file)
		}
	}
}

// Nothing names a data source but the variable, and nothing is a plugin.
func TestDataSourceIsChosenByTheReader(t *testing.T) {
	t.Parallel()
	reference := regexp.MustCompile(`"datasource": \{\s*"type": "([^"]*)",\s*"uid": "([^"]*)"`)
	for file, d := range shipped(t) {
		content, err := os.ReadFile(filepath.Join(shippedFolder, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range reference.FindAllStringSubmatch(string(content), -1) {
			if found[1] != "prometheus" || found[2] != "${datasource}" {
				t.Errorf("%s: a data source is %s, %s", file, found[1], found[2])
			}
		}
		for _, p := range panels(d) {
			if p.Datasource == nil {
				t.Errorf("%s: %s has no data source", file, *p.Title)
			}
			for _, query := range targets(t, p) {
				if query.Datasource == nil {
					t.Errorf("%s: a query of %s has no data source", file, *p.Title)
				}
			}
			if !slices.Contains([]string{"stat", "bargauge", "timeseries", "table", "heatmap", "state-timeline"}, p.Type) {
				t.Errorf("%s: %s is a panel of type %s, which is not in every Grafana", file, *p.Title, p.Type)
			}
		}
		var names []string
		for _, v := range d.Templating.List {
			names = append(names, v.Name)
			if v.Label == nil || v.Description == nil {
				t.Errorf("%s: the variable %s has no label or description", file, v.Name)
			}
			if v.Type == dashboard.VariableTypeQuery && v.Datasource == nil {
				t.Errorf("%s: the variable %s has no data source", file, v.Name)
			}
		}
		if !slices.Equal(names[:3], []string{"datasource", "job", "instance"}) {
			t.Errorf("%s: the variables are %v, want datasource, job and instance first", file, names)
		}
		if len(d.Annotations.List) != 2 {
			t.Errorf("%s: there are %d annotations, want pages and restarts", file, len(d.Annotations.List))
		}
		for _, a := range d.Annotations.List {
			if a.Datasource == nil {
				t.Errorf("%s: the annotation %s has no data source", file, a.Name)
			}
		}
	}
}

// Each panel can be read by somebody who has never seen it.
func TestPanelsExplainThemselves(t *testing.T) {
	t.Parallel()
	advice := regexp.MustCompile(`(?i)\b(if|while|red|amber)\b[^.]*: \w`)
	for file, d := range shipped(t) {
		titles, ids := map[string]bool{}, map[uint32]bool{}
		for _, p := range panels(d) {
			if p.Title == nil || *p.Title == "" || titles[*p.Title] {
				t.Fatalf("%s: a panel has no title, or another's: %v", file, p.Title)
			}
			titles[*p.Title] = true
			where := file + ": " + *p.Title
			if p.Id == nil || ids[*p.Id] {
				t.Errorf("%s: has no id of its own", where)
			} else {
				ids[*p.Id] = true
			}
			if p.Description == nil || len(*p.Description) < 60 || !advice.MatchString(*p.Description) {
				t.Errorf("%s: the description does not say what to do", where)
			}
			defaults := p.FieldConfig.Defaults
			if defaults.Unit == nil || *defaults.Unit == "" {
				t.Errorf("%s: has no unit", where)
			}
			if defaults.NoValue == nil || *defaults.NoValue == "" {
				t.Errorf("%s: does not say what it means that there are no data", where)
			}
			if len(p.Targets) == 0 {
				t.Errorf("%s: has no query", where)
			}
			for i, query := range targets(t, p) {
				if query.RefId == nil || *query.RefId != string(rune('A'+i)) {
					t.Errorf("%s: query %d has the letter %v", where, i, query.RefId)
				}
				if len(p.Targets) > 1 && p.Type != "table" && (query.LegendFormat == nil || *query.LegendFormat == "") {
					t.Errorf("%s: query %d has no legend", where, i)
				}
			}
		}
	}
}

// A panel of now asks for now: a range would go on showing the last value after
// its series has vanished.
func TestPanelsOfNowAskForNow(t *testing.T) {
	t.Parallel()
	for file, d := range shipped(t) {
		for _, p := range panels(d) {
			ofNow := slices.Contains([]string{"stat", "bargauge", "table"}, p.Type)
			for _, query := range targets(t, p) {
				instant := query.Instant != nil && *query.Instant
				ranged := query.Range != nil && *query.Range
				if instant != ofNow || ranged == ofNow {
					t.Errorf("%s: %s is a %s, but its query is instant: %t, range: %t", file, *p.Title, p.Type, instant, ranged)
				}
			}
		}
	}
}

// A value that is missing looks like one: its color is that of no judgement.
func TestMissingNeverLooksGood(t *testing.T) {
	t.Parallel()
	for file, d := range shipped(t) {
		for _, p := range panels(d) {
			defaults := p.FieldConfig.Defaults
			if defaults.Thresholds == nil {
				continue
			}
			base := defaults.Thresholds.Steps[0]
			if base.Value != nil || base.Color != "#66707A" && base.Color != "transparent" {
				t.Errorf("%s: %s shows a missing value in %s", file, *p.Title, base.Color)
			}
		}
	}
}

// The lines are full, nothing overlaps, and what matters fits one screen of
// 1080 pixels: 20 units of 38.
func TestLayout(t *testing.T) {
	t.Parallel()
	for file, d := range shipped(t) {
		taken := map[[2]uint32]string{}
		bottom, firstRow := uint32(0), uint32(0)
		place := func(title string, g dashboard.GridPos) {
			if g.X+g.W > 24 {
				t.Errorf("%s: %s is wider than the screen", file, title)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other := taken[[2]uint32{x, y}]; other != "" {
						t.Fatalf("%s: %s covers %s", file, title, other)
					}
					taken[[2]uint32{x, y}] = title
				}
			}
			bottom = max(bottom, g.Y+g.H)
		}
		for _, p := range d.Panels {
			if r := p.RowPanel; r != nil {
				if firstRow == 0 {
					firstRow = r.GridPos.Y
				}
				if r.Collapsed != slices.Contains([]string{"Walks", "Process"}, *r.Title) || r.Collapsed != (len(r.Panels) > 0) {
					t.Errorf("%s: the row %s is folded away: %t, with %d panels", file, *r.Title, r.Collapsed, len(r.Panels))
				}
				place(*r.Title, *r.GridPos)
				continue
			}
			place(*p.Panel.Title, *p.Panel.GridPos)
		}
		if firstRow == 0 || firstRow > 20 {
			t.Errorf("%s: the first screen ends at %d, want at most 20", file, firstRow)
		}
		for y := range bottom {
			for x := range uint32(24) {
				if taken[[2]uint32{x, y}] == "" {
					t.Fatalf("%s: there is a hole at %d, %d", file, x, y)
				}
			}
		}
	}
}

func TestLinksLeadToEachOther(t *testing.T) {
	t.Parallel()
	all := shipped(t)
	for file, d := range all {
		leads := map[string]bool{}
		for _, link := range d.Links {
			uid, ok := strings.CutPrefix(*link.Url, "/d/")
			if !ok {
				continue
			}
			if _, exists := all[uid+".json"]; !exists || uid == *d.Uid {
				t.Errorf("%s: links to %s", file, *link.Url)
			}
			if !link.IncludeVars || !link.KeepTime {
				t.Errorf("%s: the link to %s loses what was chosen", file, uid)
			}
			leads[uid] = true
		}
		if len(leads) != 2 || *d.Links[len(d.Links)-1].Url != "http://localhost:10101/runbook" {
			t.Errorf("%s: the links are %v, want the two others and the runbook", file, leads)
		}
	}
}

// The rows that say that no alert fires, or that none can, lead to the section of
// the runbook on the alert that always fires, and not to the top of the page.
func TestRowsWithoutAnAlertLeadToASection(t *testing.T) {
	t.Parallel()
	anchors := map[string]bool{}
	for _, name := range alertNames(t) {
		anchors[name], anchors[strings.ToLower(name)] = true, true
	}
	for file, d := range shipped(t) {
		for _, p := range panels(d) {
			if *p.Title != "Alerts that fire" {
				continue
			}
			named := regexp.MustCompile(`"alertname", "(\w+)"`).FindAllStringSubmatch(targets(t, p)[0].Expr, -1)
			if len(named) != 2 {
				t.Fatalf("%s: there are the rows %v, want two", file, named)
			}
			config, err := json.Marshal(p.FieldConfig.Overrides)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range named {
				if !anchors[row[1]] || !strings.Contains(string(config), `"`+row[1]+`":{`) {
					t.Errorf("%s: the row %s has no section, or no words", file, row[1])
				}
			}
		}
	}
}

// fill is a query as Grafana sends it, with something chosen.
func fill(expr string) string {
	return strings.NewReplacer("$__rate_interval", "1m15s", "$__interval", "15s", "$__range", "6h").Replace(expr)
}

// queries calls f with every query that reaches Prometheus.
func queries(t *testing.T, d classic, f func(where, expr string)) {
	t.Helper()
	for _, p := range panels(d) {
		for _, query := range targets(t, p) {
			f(*d.Uid+": "+*p.Title, query.Expr)
		}
	}
	for _, a := range d.Annotations.List {
		f(*d.Uid+": annotation "+a.Name, *a.Expr)
	}
	values := regexp.MustCompile(`^label_values\((.+), \w+\)$`)
	for _, v := range d.Templating.List {
		if v.Type == dashboard.VariableTypeQuery {
			found := values.FindStringSubmatch(*v.Query.String)
			if found == nil {
				t.Fatalf("%s: variable %s asks %s", *d.Uid, v.Name, *v.Query.String)
			}
			f(*d.Uid+": variable "+v.Name, found[1])
		}
	}
}

// Every selector is of what was chosen. Alerts and recorded series are by job.
func TestSelectorsAreOfWhatWasChosen(t *testing.T) {
	t.Parallel()
	promql := parser.NewParser(parser.Options{})
	for _, d := range shipped(t) {
		queries(t, d, func(where, query string) {
			expr, err := promql.ParseExpr(fill(query))
			if err != nil {
				t.Fatalf("%s: %v\n%s", where, err, query)
			}
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				selector, ok := node.(*parser.VectorSelector)
				if !ok {
					return nil
				}
				byJob := matches(selector, "job", "$job")
				byInstance := matches(selector, "instance", "$instance")
				switch {
				case matches(selector, "alertname", "YativoCardWatchdog"), strings.HasSuffix(where, "variable job"):
				case strings.HasSuffix(where, "variable instance"), strings.HasPrefix(selector.Name, "ALERTS"), strings.Contains(selector.Name, ":"):
					if !byJob {
						t.Errorf("%s: %s is not of the chosen job", where, selector)
					}
				case !byJob || !byInstance:
					t.Errorf("%s: %s is not of the chosen job and instance", where, selector)
				}
				return nil
			})
		})
	}
}

func matches(selector *parser.VectorSelector, label, value string) bool {
	return slices.ContainsFunc(selector.LabelMatchers, func(m *labels.Matcher) bool {
		return m.Name == label && m.Value == value
	})
}

// A rate is taken over what the resolution of the graph asks for. Only counts
// are taken over a window of their own, which people think in and titles name.
func TestRatesFollowTheResolution(t *testing.T) {
	t.Parallel()
	promql := parser.NewParser(parser.Options{})
	for _, d := range shipped(t) {
		queries(t, d, func(where, query string) {
			expr, err := promql.ParseExpr(fill(query))
			if err != nil {
				t.Fatal(err)
			}
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				call, ok := node.(*parser.Call)
				if !ok || !slices.Contains([]string{"rate", "irate", "increase"}, call.Func.Name) {
					return nil
				}
				window := call.Args[0].(*parser.MatrixSelector).Range
				name := map[time.Duration][]string{time.Hour: {"hour"}, 24 * time.Hour: {"24 h"}, 75 * time.Second: {""}}[window]
				if name == nil || !strings.Contains(where, name[0]) || name[0] != "" && call.Func.Name != "increase" {
					t.Errorf("%s: %s over %s, which the title does not name", where, call.Func.Name, window)
				}
				return nil
			})
		})
	}
}

// Amounts of different currencies are never added.
func TestCurrenciesAreNeverAdded(t *testing.T) {
	t.Parallel()
	promql := parser.NewParser(parser.Options{})
	amount := regexp.MustCompile(`^yativo_card_\w*_balance$`)
	for _, d := range shipped(t) {
		queries(t, d, func(where, query string) {
			expr, err := promql.ParseExpr(fill(query))
			if err != nil {
				t.Fatal(err)
			}
			parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
				if selector, ok := node.(*parser.VectorSelector); !ok || !amount.MatchString(selector.Name) {
					return nil
				}
				for _, outer := range path {
					aggregation, ok := outer.(*parser.AggregateExpr)
					if !ok || aggregation.Op == parser.TOPK || slices.Contains(aggregation.Grouping, "currency") {
						continue
					}
					if aggregation.Op != parser.MAX || !strings.Contains(where, "$currency") {
						t.Errorf("%s: %s puts currencies together", where, aggregation)
					}
				}
				return nil
			})
		})
	}
}

// Grafana draws the colors as they were chosen: a timeline that is colored by
// threshold merges all states that no threshold parts, and a background that is
// not solid is a gradient to another hue.
func TestColorsAreDrawnAsChosen(t *testing.T) {
	t.Parallel()
	for file, d := range shipped(t) {
		for _, p := range panels(d) {
			if p.Type == "state-timeline" && p.FieldConfig.Defaults.Color.Mode == dashboard.FieldColorModeIdThresholds {
				t.Errorf("%s: %s merges its states", file, *p.Title)
			}
		}
		content, err := os.ReadFile(filepath.Join(shippedFolder, file))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(`"colorMode": "background",`)) {
			t.Errorf("%s: has a background that is a gradient", file)
		}
	}
}
