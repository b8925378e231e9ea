package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// page is one dashboard: what it asks, and its panels in reading order.
type page struct {
	uid, title, description string
	from                    string // The start of the default time range.
	variables               []cog.Builder[dashboard.VariableModel]
	rows                    []row
}

// row is a headline with the panels below it. The first row of a page has no
// headline: it is the screen that answers at a glance.
type row struct {
	title  string
	panels []cog.Builder[dashboard.Panel]
}

// schemaVersion is that of Grafana 10.0, the oldest that the dashboards are
// for; newer ones migrate what they read.
const schemaVersion = 38

// classic is the schema of a dashboard that Grafana 10 imports. Its successor,
// which the SDK prefers, cannot be imported there.
type classic = dashboard.Dashboard //nolint:staticcheck // said above

// build lays the page out and gives it the frame that all pages share.
func (p page) build() (classic, error) {
	b := dashboard.NewDashboardBuilder(p.title) //nolint:staticcheck // see classic
	b.Uid(p.uid).
		Description(p.description).
		Tags([]string{"yativo-card"}).
		Readonly().
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Time(p.from, "now").
		Timezone("browser").
		Refresh("1m").
		Version(1).
		Variables(append(commonVariables(), p.variables...)).
		Annotations(annotations()).
		Links(pageLinks(p.uid))
	for _, r := range p.rows {
		if r.title != "" {
			b.WithRow(dashboard.NewRowBuilder(r.title))
		}
		for _, panel := range r.panels {
			b.WithPanel(panel)
		}
	}
	d, err := b.Build()
	if err != nil {
		return d, err
	}
	d.SchemaVersion = schemaVersion
	// The SDK's default placement is newer than Grafana 10, and hides in a menu
	// what should be seen.
	for i := range d.Links {
		d.Links[i].Placement = nil
	}
	for i := range d.Annotations.List {
		d.Annotations.List[i].Placement = nil
	}
	number(d.Panels)
	return d, nil
}

// number gives each panel its id and each query of a panel its letter.
func number(panels []dashboard.PanelOrRowPanel) {
	for i := range panels {
		id := uint32(i + 1)
		if r := panels[i].RowPanel; r != nil {
			r.Id = id
			continue
		}
		panels[i].Panel.Id = &id
		for j, target := range panels[i].Panel.Targets {
			if query, ok := target.(prometheus.Dataquery); ok {
				query.RefId = new(string(rune('A' + j)))
				panels[i].Panel.Targets[j] = query
			}
		}
	}
}

// source is whichever Prometheus the reader picks.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
}

// commonVariables choose what is looked at. One job is one program, and programs
// are never merged, so only one can be chosen.
func commonVariables() []cog.Builder[dashboard.VariableModel] {
	return []cog.Builder[dashboard.VariableModel]{
		dashboard.NewDatasourceVariableBuilder("datasource").
			Label("Data source").
			Description("The Prometheus that scrapes the exporter.").
			Type("prometheus"),
		dashboard.NewQueryVariableBuilder("job").
			Label("Job").
			Description("The program: one scrape job each.").
			Datasource(source()).
			Query(text("label_values(yativo_exporter_build_info, job)")).
			Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
			Sort(dashboard.VariableSortAlphabeticalAsc),
		dashboard.NewQueryVariableBuilder("instance").
			Label("Instance").
			Description("The replicas. They watch the same customers, who are counted once.").
			Datasource(source()).
			Query(text(`label_values(yativo_exporter_build_info{job=~"$job"}, instance)`)).
			Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
			Sort(dashboard.VariableSortAlphabeticalAsc).
			Multi(true).
			IncludeAll(true).
			AllValue(".+").
			Current(all()),
	}
}

// all chooses every value of a variable.
func all() dashboard.VariableOption {
	return dashboard.VariableOption{
		Selected: new(true),
		Text:     dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
		Value:    dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
	}
}

func text(s string) dashboard.StringOrMap { return dashboard.StringOrMap{String: &s} }

// annotations mark in every graph what may explain it.
func annotations() []cog.Builder[dashboard.AnnotationQuery] {
	mark := func(name, colour, expr, title, text string) cog.Builder[dashboard.AnnotationQuery] {
		return dashboard.NewAnnotationQueryBuilder().
			Name(name).Datasource(source()).Enable(true).IconColor(colour).
			Expr(expr).Step("60s").TitleFormat(title).TextFormat(text)
	}
	return []cog.Builder[dashboard.AnnotationQuery]{
		mark("Pages", bad, firing(`severity="critical"`), "{{alertname}}", "{{flow_status}}{{currency}}{{reason}}"),
		mark("Tickets", watch, firing(`severity="warning"`), "{{alertname}}", "{{flow_status}}{{currency}}{{reason}}"),
		mark("Breaker openings", fourth, `changes(`+of("yativo_api_circuit_breaker_transitions_total", `to="open"`)+`[2m]) > 0`,
			"The circuit breaker opened", "{{instance}}"),
		// Not a change of the series: a pod that takes another's place has a new one.
		mark("Restarts", unknown, of("process_start_time_seconds")+" > time() - 180",
			"The exporter started", "{{instance}}"),
	}
}

// The pages, as links name them.
const (
	onboardingUID = "yativo-card-onboarding"
	balancesUID   = "yativo-card-balances"
	exporterUID   = "yativo-card-exporter"
)

// runbookURL is where the exporter on the reader's own machine shows the
// runbook. The dashboards command replaces it.
const runbookURL = "http://localhost:10101/runbook"

// pageLinks lead to the other two pages, and to the runbook.
func pageLinks(self string) []cog.Builder[dashboard.DashboardLink] {
	var links []cog.Builder[dashboard.DashboardLink]
	for _, to := range []struct{ uid, title, tooltip string }{
		{onboardingUID, "Onboarding", "Is anybody stuck, where, since when?"},
		{balancesUID, "Balances", "What do the wallets hold, and how sure is that?"},
		{exporterUID, "Exporter", "Can the other two be believed?"},
	} {
		if to.uid != self {
			links = append(links, dashboard.NewDashboardLinkBuilder(to.title).
				Type(dashboard.DashboardLinkTypeLink).Icon("dashboard").Tooltip(to.tooltip).
				Url("/d/"+to.uid).IncludeVars(true).KeepTime(true))
		}
	}
	return append(links, dashboard.NewDashboardLinkBuilder("Runbook").
		Type(dashboard.DashboardLinkTypeLink).Icon("doc").Tooltip("What each alert means and what to do").
		Url(runbookURL).TargetBlank(true))
}
