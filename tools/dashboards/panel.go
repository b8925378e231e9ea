package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// about is what every panel says of itself. The text ends with what to do when
// the panel is red.
type about struct {
	title, text   string
	width, height uint32 // In the grid's units: 24 make the screen's width, one is 38 pixels high.
}

// The kinds of panel, each with the settings that all of its kind share.

// stats are values of now, large. Their queries are instant ones: a range would
// go on showing the last value after the series has vanished.
func stats(a about, unit string, queries ...cog.Builder[variants.Dataquery]) *stat.PanelBuilder {
	return stat.NewPanelBuilder().
		Title(a.title).Description(a.text).Span(a.width).Height(a.height).
		Datasource(source()).Targets(queries).Unit(unit).NoValue("No current data").
		GraphMode(common.BigValueGraphModeNone).
		ColorMode(common.BigValueColorModeNone). // No color is legible as text in both themes.
		JustifyMode(common.BigValueJustifyModeCenter).
		Orientation(common.VizOrientationAuto).
		TextMode(common.BigValueTextModeValue).
		ColorScheme(fixedColor(unknown)).
		ReduceOptions(lastValue())
}

// verdict is a judgement in words, on the judgement's color. That is solid, as
// all such colors are: Grafana's gradient would leave the palette.
func verdict(a about, list []word, query string) *stat.PanelBuilder {
	return stats(a, "none", now(query, "")).
		ColorMode(common.BigValueColorModeBackgroundSolid).
		ColorScheme(byThreshold()).
		Thresholds(steps()).
		Mappings(words(list...))
}

// graph shows values over time. A gap stays a gap, and the legend shows no value
// of a series that has ended.
func graph(a about, unit string, queries ...cog.Builder[variants.Dataquery]) *timeseries.PanelBuilder {
	g := timeseries.NewPanelBuilder().
		Title(a.title).Description(a.text).Span(a.width).Height(a.height).
		Datasource(source()).Targets(queries).Unit(unit).NoValue("No data in this time range").
		Mappings([]dashboard.ValueMapping{shownAs(dashboard.SpecialValueMatchNull, "–")}).
		AxisSoftMin(0).ColorScheme(shades(neutral)).
		LineWidth(2).FillOpacity(8).ShowPoints(common.VisibilityModeNever).
		LineInterpolation(common.LineInterpolationStepAfter).
		SpanNulls(common.BoolOrFloat64{Bool: new(false)}).
		Legend(legend(a.width)).Tooltip(tooltip())
	if unit == "none" {
		// Counts that are all 0 would be drawn on an axis up to 100.
		g.AxisSoftMax(5)
	}
	return g
}

// stacked makes a graph one of events, piled up in bars.
func stacked(g *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	return g.DrawStyle(common.GraphDrawStyleBars).FillOpacity(100).LineWidth(0).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A"))
}

// limits makes a graph draw its thresholds.
func limits(g *timeseries.PanelBuilder, list ...step) *timeseries.PanelBuilder {
	return g.Thresholds(lines(list...)).
		ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed))
}

// timeline shows which state held when. The colors are those of the words:
// coloring by threshold would make one state of all that no threshold parts.
// The legend says the words, which a short state would cut.
func timeline(a about, list []word, queries ...cog.Builder[variants.Dataquery]) *statetimeline.PanelBuilder {
	return statetimeline.NewPanelBuilder().
		Title(a.title).Description(a.text).Span(a.width).Height(a.height).
		Datasource(source()).Targets(queries).Unit("none").NoValue("Nothing in this time range").
		Mappings(words(list...)).
		ColorScheme(fixedColor(unknown)).
		MergeValues(true).ShowValue(common.VisibilityModeNever).
		RowHeight(0.8).FillOpacity(100).LineWidth(0).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).
			DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).Calcs([]string{})).
		Tooltip(tooltip())
}

// density shows how a population spreads over the buckets of a histogram that
// describes the present, so the counts are drawn as they are.
func density(a about, unit, query string) *heatmap.PanelBuilder {
	return heatmap.NewPanelBuilder().
		Title(a.title).Description(a.text).Span(a.width).Height(a.height).
		Datasource(source()).NoValue("No data in this time range").
		WithTarget(over(query, "{{le}}").Format(prometheus.PromQueryFormatHeatmap)).
		Calculate(false).CellGap(1).
		Unit("short").
		CellValues(heatmap.NewCellValuesBuilder().Unit("short").Decimals(0)).
		YAxis(heatmap.NewYAxisConfigBuilder().Unit(unit).AxisPlacement(common.AxisPlacementLeft)).
		Color(heatmap.NewHeatmapColorOptionsBuilder().Mode(heatmap.HeatmapColorModeScheme).
			Scheme("Viridis").Scale(heatmap.HeatmapColorScaleExponential).Exponent(0.5).Steps(64).Fill(neutral)).
		Tooltip(heatmap.NewHeatmapTooltipBuilder().Mode(common.TooltipDisplayModeSingle).YHistogram(false)).
		ExemplarsColor(unknown).
		ShowLegend()
}

// rows are the rows of a table: one for each value of a label, under a name and
// in the ascending order of a query's values.
type rows struct {
	label, name string
	width       uint32
	properties  []dashboard.DynamicConfigValue
	order       string
}

// column is a column of a table: its name, the query of its values and how they
// look. The name is also what the query's letter is renamed to.
type column struct {
	name, expr string
	properties []dashboard.DynamicConfigValue
}

// grid is a table that is joined from a query for each column.
func grid(a about, r rows, columns []column) *table.PanelBuilder {
	t := bareTable(a).WithTarget(now(r.order, "").Format(prometheus.PromQueryFormatTable))
	names, order := map[string]string{r.label: r.name}, map[string]int{r.label: 0}
	overrides := []cog.Builder[dashboard.DashboardFieldConfigSourceOverrides]{
		named(r.name, append([]dashboard.DynamicConfigValue{set("custom.width", r.width)}, r.properties...)...),
	}
	for i, c := range columns {
		t.WithTarget(now(c.expr, "").Format(prometheus.PromQueryFormatTable))
		field := "Value #" + string(rune('B'+i))
		names[field], order[field] = c.name, i+1
		if len(c.properties) > 0 {
			overrides = append(overrides, named(c.name, c.properties...))
		}
	}
	return t.Overrides(overrides).Transformations([]dashboard.DataTransformerConfig{
		{Id: "merge", Options: map[string]any{}},
		sortedBy("Value #A"),
		{Id: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true, "Value #A": true}, "indexByName": order, "renameByName": names,
		}},
	})
}

// bareTable is a table without its columns.
func bareTable(a about) *table.PanelBuilder {
	return table.NewPanelBuilder().
		Title(a.title).Description(a.text).Span(a.width).Height(a.height).
		Datasource(source()).Unit("none").NoValue("No current data").
		Mappings(blanks()).
		MinWidth(60). // Grafana's 150 pushes columns out of a narrow table.
		ShowHeader(true).CellHeight(common.TableCellHeightSm).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{})).
		ColorScheme(byThreshold()).Thresholds(lines())
}

// blanks are what a cell says that has no value, and one whose value is not known
// yet.
func blanks() []dashboard.ValueMapping {
	return []dashboard.ValueMapping{shownAs(dashboard.SpecialValueMatchNull, "–"), shownAs(dashboard.SpecialValueMatchNaN, "learning")}
}

// shownAs puts words in the place of what is no number.
func shownAs(match dashboard.SpecialValueMatch, text string) dashboard.ValueMapping {
	return dashboard.ValueMapping{SpecialValueMap: &dashboard.SpecialValueMap{
		Type: dashboard.MappingTypeSpecialValue,
		Options: dashboard.DashboardSpecialValueMapOptions{
			Match: match, Result: dashboard.ValueMappingResult{Text: new(text)},
		},
	}}
}

// sortedBy sorts the rows of a table by a field, ascending.
func sortedBy(field string) dashboard.DataTransformerConfig {
	return dashboard.DataTransformerConfig{Id: "sortBy", Options: map[string]any{"fields": map[string]any{}, "sort": []any{map[string]any{"field": field}}}}
}

func lastValue() cog.Builder[common.ReduceDataOptions] {
	return common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}).Values(false).Fields("")
}

// legend names the series and their last values, beside a graph that is wide
// enough for it.
func legend(width uint32) cog.Builder[common.VizLegendOptions] {
	l := common.NewVizLegendOptionsBuilder().ShowLegend(true).
		DisplayMode(common.LegendDisplayModeTable).Placement(common.LegendPlacementBottom).Calcs([]string{"last"})
	if width >= 12 {
		l.Placement(common.LegendPlacementRight)
	}
	return l
}

func tooltip() cog.Builder[common.VizTooltipOptions] {
	return common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)
}

// now asks for values of now.
func now(expr, name string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Datasource(source()).Expr(expr).Instant().LegendFormat(name)
}

// over asks for values over the time range.
func over(expr, name string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Datasource(source()).Expr(expr).Range().LegendFormat(name)
}
