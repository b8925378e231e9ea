package exporter

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/onboarding"
)

// statusPage is the page for people who want to know how it is going. It names
// no customer.
type statusPage struct {
	numbers
	Health    health
	Rows      []statusRow
	Refreshes []collector.PastRefresh // newest first
	Cause     collector.PastRefresh   // of the last failure, if there is one
	Private   bool                    // /stalled is served to whoever asks
	Settings  []config.Setting
	Version   string
	Uptime    string
	FlowsOf   string // the time in which customers entered and left
}

// State is that of the data, unless they are current and tell of somebody who is
// stuck.
func (p statusPage) State() string {
	needs := func(r statusRow) bool { return r.Needs.Words != "" }
	if p.Health.State == "OK" && slices.ContainsFunc(p.Rows, needs) {
		return "Stuck"
	}
	return p.Health.State
}

// statusRow is one status of the funnel.
type statusRow struct {
	Status string
	Waits  bool
	Needs  cause // why somebody has to look, if somebody has to
	Bar    [3]barPart
	Flow   string // who entered and who left
}

// barPart is a part of a bar, in percent of the longest: those who wait, the
// stalled, the abandoned.
type barPart struct{ From, Width float64 }

func (e *Exporter) servePage(access access) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		health, n, rows := e.sees()
		recent := e.refresher.RecentRefreshes()
		if report := e.refresher.Stalled(); report != nil && rows != nil {
			for i, status := range onboarding.Statuses() {
				rows[i].Flow = fmt.Sprintf("%d / %d", report.Entered[status], report.Left[status])
			}
		}
		page := statusPage{
			numbers: n, Health: health, Rows: rows, Refreshes: slices.Clone(recent),
			Private: access.allowed(r), Settings: e.options.Config.Settings, Version: e.options.Version,
			Uptime: span(time.Since(e.started)),
		}
		slices.Reverse(page.Refreshes)
		page.FlowsOf = "in a day"
		if time.Since(e.started) < 24*time.Hour {
			page.FlowsOf = "since " + e.started.UTC().Format("15:04 UTC")
		}
		if len(recent) > 0 {
			page.Cause = lastCause(recent)
		}
		e.render(w, http.StatusOK, "status", page)
	}
}

// sees is what the exporter sees. It sees no customers once their data are too
// old: what outlives them would look like a program that stands still.
func (e *Exporter) sees() (health, numbers, []statusRow) {
	h, n := e.health(), readNumbers(e.registry)
	if h.State == "Blind" {
		return h, n, nil
	}
	return h, n, n.rows()
}

// Warnings are what the status page warns of, in its words: by the status, or of
// the data.
func (e *Exporter) Warnings() map[string]string {
	warnings := map[string]string{}
	h, _, rows := e.sees()
	if h.State != "OK" {
		warnings["the data"] = h.Sentence
	}
	for _, row := range rows {
		if row.Needs.Words != "" {
			warnings[row.Status] = row.Needs.Words
		}
	}
	return warnings
}

// rows lists the documented statuses in their order, then others that there are.
func (n numbers) rows() []statusRow {
	var rows []statusRow
	longest := 1.0
	for _, s := range onboarding.Statuses() {
		rows = append(rows, statusRow{Status: s.String(), Waits: s.Waits(), Needs: n.needs(s)})
		if s.Waits() {
			longest = max(longest, n.card("customers", s.String()))
		}
	}
	for _, name := range n.Labels("yativo_card_customers") {
		if !slices.ContainsFunc(rows, func(r statusRow) bool { return r.Status == name }) {
			rows = append(rows, statusRow{Status: name})
		}
	}
	for i, row := range rows {
		if !row.Waits {
			continue
		}
		stalled, abandoned := n.card("stalled_customers", row.Status), n.card("abandoned_customers", row.Status)
		from := 0.0
		for part, count := range []float64{max(n.card("customers", row.Status)-stalled-abandoned, 0), stalled, abandoned} {
			rows[i].Bar[part] = barPart{from, 100 * count / longest}
			from += rows[i].Bar[part].Width
		}
	}
	return rows
}

// needs says why somebody has to look at a status, as the alerts judge it.
func (n numbers) needs(s onboarding.Status) cause {
	name := s.String()
	stalled, enough := n.card("stalled_customers", name), n.card("entered_since_advance_limit", name)
	missed, known := n.of("yativo_card_missed_advances", name)
	switch {
	case s == onboarding.SafeDeploying && stalled > 0:
		return cause{"wallets do not deploy", "yativocardsafedeploymentstalled"}
	case s.Step() == onboarding.Active.Step() && n.card("undeployed_safes", name) > 0:
		return cause{"wallets are not deployed, so that they cannot be funded", "yativocardactivewithoutsafe"}
	case s.Waits() && enough > 0 && n.card("entered_since_advance_customers", name) >= enough &&
		(known && missed >= n.card("missed_advances_limit", name) || !known && stalled > 0):
		section := "yativocardstepstalled"
		if s == onboarding.KYCInitiated {
			section = "yativocardkycstalled"
		}
		return cause{n.Count("yativo_card_entered_since_advance_customers", name) + " entered and wait, and nobody has passed for " +
			n.Age("yativo_card_last_advance_timestamp_seconds", name), section}
	default:
		return cause{}
	}
}
