package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/exporter"
	"yativo-card-exporter/internal/onboarding"
)

// checkTimeout bounds the check, which retries and waits as the exporter does:
// all tries of two requests, and a wait for the limit or the quota.
func checkTimeout(c config.Config) time.Duration {
	return 8*c.Timeout + 15*time.Second + min(max(time.Minute, c.RefreshInterval), 5*time.Minute)
}

// check says whether the exporter would work with this configuration,
// and what it would cost.
func check(ctx context.Context, p Process) error {
	c, err := config.Read(p.Environment)
	if err != nil {
		return err
	}
	say(p.Stdout, "configuration", "ok")
	for _, warning := range c.Warnings {
		say(p.Stdout, "attention", "%s", warning)
	}
	say(p.Stdout, "API", "%s", c.BaseURL)
	c.StateFile = "" // which an exporter may use at this moment
	client := exporter.NewClient(c, p.version(), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	ctx, cancel := context.WithTimeout(ctx, checkTimeout(c))
	defer cancel()
	begun := time.Now()
	survey, err := client.Survey(ctx, c.BalanceInterval > 0)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("check: not done within %s, held back by YATIVO_RATE_LIMIT, by the API's quota, or by what follows: %w", checkTimeout(c), err)
	}
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	say(p.Stdout, "access", "ok: the credentials are accepted (answered within %s)", time.Since(begun).Round(time.Millisecond))
	reportPage(p.Stdout, c, survey.Page)
	reportForm(p.Stdout, c, survey)
	reportCost(p.Stdout, c, client, survey.Page)
	reportFilter(ctx, p.Stdout, client, survey.Page)
	return nil
}

func say(w io.Writer, what, format string, args ...any) {
	_, _ = fmt.Fprintf(w, "%-14s %s\n", what, fmt.Sprintf(format, args...))
}

func reportPage(w io.Writer, c config.Config, page *apiclient.Page) {
	say(w, "customers", "%d in the program, %d of them on page 1", page.Total, len(page.Rows))
	statuses := map[string]int{} // rows
	var broken [apiclient.NumFields]int
	for i := range page.Rows {
		row := &page.Rows[i]
		status := fmt.Sprintf("step %d  %s", row.Step, cmp.Or(row.StatusName, row.Status.String()))
		switch documented := row.Status.Step(); {
		case documented == 0:
			status += " (not documented)"
		case documented != row.Step:
			status += fmt.Sprintf(" (documented as step %d)", documented)
		}
		statuses[status]++
		for f := range apiclient.NumFields {
			if row.Broken[f] {
				broken[f]++
			}
		}
	}
	for _, status := range slices.Sorted(maps.Keys(statuses)) {
		say(w, "", "%-24s %d on page 1", status, statuses[status])
	}
	for f, rows := range broken {
		if rows > 0 {
			say(w, "attention", "%s is missing, broken or unknown in %d of the rows on page 1", apiclient.Field(f), rows)
		}
	}
	switch {
	case c.BalanceInterval == 0:
		say(w, "balances", "not asked for (EXPORTER_BALANCE_INTERVAL is 0)")
	case !page.Balances:
		say(w, "attention", "balances were asked for, but the API left them out")
	default:
		say(w, "balances", "included")
	}
}

// reportForm says where page 1 has another form than the API's document, without
// a word of what it holds, so that it can be shown to others.
func reportForm(w io.Writer, c config.Config, s *apiclient.Survey) {
	if len(s.Rows) == 0 {
		say(w, "fields", "unknown, since page 1 lists nobody")
		return
	}
	if len(s.Absent) > 0 {
		say(w, "attention", "documented fields that page 1 lacks: %s", strings.Join(s.Absent, ", "))
	} else {
		say(w, "fields", "every documented one is there")
	}
	if len(s.Undocumented) > 0 {
		say(w, "", "not documented: %s", strings.Join(s.Undocumented, ", "))
	}
	limit := cmp.Or(s.Limit, c.PageSize)
	if want := min(limit, s.Total); limit != c.PageSize || len(s.Rows) != want {
		say(w, "attention", "asked for %d rows, page 1 lists %d; its limit of %d and its total of %d would make %d", c.PageSize, len(s.Rows), limit, s.Total, want)
	}
	later, earlier := 0, 0 // than the row before
	for i := range s.Rows[1:] {
		order := s.Rows[i+1].CreatedAt.Compare(s.Rows[i].CreatedAt)
		later, earlier = later+max(order, 0), earlier+max(-order, 0)
	}
	switch {
	case later > 0 && earlier > 0:
		say(w, "order", "not by created_at")
	case later > 0:
		say(w, "order", "the oldest customer first; whoever signs up during a walk is on its last page")
	default:
		say(w, "order", "the newest customer first; sign-ups move others on to later pages during a walk")
	}
}

// reportFilter says whether the list can be filtered by a status on page 1.
func reportFilter(ctx context.Context, w io.Writer, client *apiclient.Client, page *apiclient.Page) {
	byStatus := map[onboarding.Status]int{}
	for i := range page.Rows {
		byStatus[page.Rows[i].Status]++
	}
	for _, status := range onboarding.Statuses() {
		here := byStatus[status]
		if here == 0 || status == onboarding.SafeDeploying || status == onboarding.StatusUnknown {
			continue // the filter is documented to know neither
		}
		total, err := client.CountIn(ctx, status)
		switch {
		case err != nil:
			say(w, "filter", "status=%s: %v", status, err)
		case total < here || total >= page.Total && here < len(page.Rows):
			say(w, "filter", "status=%s does not work: it counts %d of %d customers, but %d of the %d rows on page 1 have this status", status, total, page.Total, here, len(page.Rows))
		default:
			say(w, "filter", "status=%s counts %d of %d", status, total, page.Total)
		}
		return
	}
}

// reportCost says what a refresh costs, how long it takes under the limits, and
// which thresholds that is too slow for.
func reportCost(w io.Writer, c config.Config, client *apiclient.Client, page *apiclient.Page) {
	p := exporter.NewPace(c, client, page)
	say(w, "cost", "%d page requests a refresh, every %s", p.Requests, c.RefreshInterval)
	if limit, remaining, until, known := client.Quota(); known {
		say(w, "quota", "the API grants %d requests in its window and has %d left, until %s", limit, remaining, until.UTC().Format(time.TimeOnly+" UTC"))
	} else {
		say(w, "attention", "the API states no quota, so only YATIVO_RATE_LIMIT leaves any to production")
	}
	if client.QuotaIsOdd() {
		say(w, "attention", "the API states its quota, or when it resets, in a form that is not understood")
	}
	takes := "as long as the API takes to answer"
	if p.Walk > 0 {
		takes = "about " + p.Walk.String()
	}
	say(w, "freshness", "a walk takes %s, at %.0f requests a minute; a change is shown after about %s at most", takes, p.RequestsPerMinute, p.Unseen)
	if late := p.Late(c.Thresholds); late != "" {
		say(w, "attention", "stalls are reported late in %s: a walk takes longer than the threshold (EXPORTER_STALLED_AFTER)", late)
	} else {
		say(w, "alerts", "no threshold of EXPORTER_STALLED_AFTER is shorter than a walk")
	}
}
