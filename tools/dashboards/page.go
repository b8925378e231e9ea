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
// headline: it is the screen that answers at a glance. Rows that are folded away
// until somebody asks come last.
type row struct {
	title  string
	panels []cog.Builder[dashboard.Panel]
	folded bool
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
		r.addTo(b)
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
	closeRanks(d.Panels)
	return d, nil
}

// addTo appends a row to a dashboard, which takes what is folded away inside of
// the headline and the rest after it.
func (r row) addTo(b *dashboard.DashboardBuilder) { //nolint:staticcheck // see classic
	if r.title == "" {
		for _, panel := range r.panels {
			b.WithPanel(panel)
		}
		return
	}
	headline := dashboard.NewRowBuilder(r.title).Collapsed(r.folded)
	if r.folded {
		for _, panel := range r.panels {
			headline.WithPanel(panel)
		}
	}
	b.WithRow(headline)
	if !r.folded {
		row{panels: r.panels}.addTo(b)
	}
}

// number gives each panel its id and each query of a panel its letter.
func number(panels []dashboard.PanelOrRowPanel) {
	id := uint32(0)
	one := func(p *dashboard.Panel) {
		id++
		p.Id = new(id)
		for j, target := range p.Targets {
			if query, ok := target.(prometheus.Dataquery); ok {
				query.RefId = new(string(rune('A' + j)))
				p.Targets[j] = query
			}
		}
	}
	for _, p := range panels {
		if p.RowPanel == nil {
			one(p.Panel)
			continue
		}
		id++
		p.RowPanel.Id = id
		for i := range p.RowPanel.Panels {
			one(&p.RowPanel.Panels[i])
		}
	}
}

// closeRanks moves each row that is folded away right below what is above it:
// the SDK leaves the space that it would take if it were open.
func closeRanks(panels []dashboard.PanelOrRowPanel) {
	bottom := uint32(0)
	for _, p := range panels {
		if p.RowPanel == nil {
			bottom = max(bottom, p.Panel.GridPos.Y+p.Panel.GridPos.H)
			continue
		}
		gap := p.RowPanel.GridPos.Y - bottom
		p.RowPanel.GridPos.Y = bottom
		bottom++
		for _, inner := range p.RowPanel.Panels {
			inner.GridPos.Y -= gap
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

// annotations mark in every graph, each by a single line, when what may explain
// it began. How long it lasted, the timelines show.
func annotations() []cog.Builder[dashboard.AnnotationQuery] {
	mark := func(name, color, expr, title, text string) cog.Builder[dashboard.AnnotationQuery] {
		return dashboard.NewAnnotationQueryBuilder().
			Name(name).Datasource(source()).Enable(true).IconColor(color).
			Expr(expr).Step("60s").TitleFormat(title).TextFormat(text)
	}
	pages := firing(`severity="critical"`)
	return []cog.Builder[dashboard.AnnotationQuery]{
		mark("Pages", bad, pages+" unless "+pages+" offset 60s", "{{alertname}}", "{{flow_status}}{{currency}}{{reason}}"),
		// Not a change of the series: a pod that takes another's place has a new one.
		mark("Restarts", unknown, of("process_start_time_seconds")+" > time() - 60",
			"The exporter started", "{{instance}}"),
	}
}

// The pages, as links name them.
const (
	onboardingUID = "yativo-card-onboarding"
	balancesUID   = "yativo-card-balances"
	exporterUID   = "yativo-card-exporter"
)

// Where the exporter on the reader's own machine shows the runbook, and who is
// stalled, or says how to get there. The dashboards command replaces them.
const (
	runbookURL = "http://localhost:10101/runbook"
	stalledURL = "http://localhost:10101/stalled"
)

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

// leadsTo is a link in a panel's corner to a page outside of Grafana.
func leadsTo(title, url string) cog.Builder[dashboard.DashboardLink] {
	return dashboard.NewDashboardLinkBuilder(title).
		Type(dashboard.DashboardLinkTypeLink).Url(url).TargetBlank(true)
}
