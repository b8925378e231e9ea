package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/exporter"
	"yativo-card-exporter/internal/onboarding"
)

// checkTimeout bounds the check, which retries and waits as the exporter does:
// all tries of one request, and a wait for the limit or the quota.
func checkTimeout(c config.Config) time.Duration {
	return 4*c.Timeout + 15*time.Second + min(max(time.Minute, c.RefreshInterval), 5*time.Minute)
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
	client, err := exporter.NewClient(c, p.version(), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout(c))
	defer cancel()
	begun := time.Now()
	page, err := client.Page(ctx, 1, c.BalanceInterval > 0)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("check: not done within %s, held back by YATIVO_RATE_LIMIT, by the API's quota, or by what follows: %w", checkTimeout(c), err)
	}
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	say(p.Stdout, "access", "ok: the credentials are accepted (answered within %s)", time.Since(begun).Round(time.Millisecond))
	reportPage(p.Stdout, c, page)
	reportCost(p.Stdout, c, client, page)
	return nil
}

func say(w io.Writer, what, format string, args ...any) {
	_, _ = fmt.Fprintf(w, "%-14s %s\n", what, fmt.Sprintf(format, args...))
}

func reportPage(w io.Writer, c config.Config, page *apiclient.Page) {
	say(w, "customers", "%d in the program, %d of them on page 1", page.Total, len(page.Rows))
	var byStatus [onboarding.NumStatuses]int
	var broken [apiclient.NumFields]int
	for i := range page.Rows {
		byStatus[page.Rows[i].Status]++
		for f := range apiclient.NumFields {
			if page.Rows[i].Broken.Has(f) {
				broken[f]++
			}
		}
	}
	for _, s := range onboarding.Statuses() {
		if byStatus[s] > 0 {
			say(w, "", "%-15s %d on page 1", s, byStatus[s])
		}
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

// reportCost says what a refresh costs, how long it takes under the limits, and
// which thresholds that is too slow for.
func reportCost(w io.Writer, c config.Config, client *apiclient.Client, page *apiclient.Page) {
	p := exporter.NewPace(c, client, page)
	say(w, "cost", "%d page requests a refresh, every %s", p.Requests, c.RefreshInterval)
	if limit, remaining, known := client.Quota(); known {
		say(w, "quota", "the API grants %d requests in its window and has %d left", limit, remaining)
	}
	takes := "as long as the API takes to answer"
	if p.Walk > 0 {
		takes = "about " + p.Walk.String()
	}
	say(w, "freshness", "a walk takes %s, at %.0f requests a minute; a change is shown after at most some %s", takes, p.RequestsPerMinute, p.Unseen)
	if late := p.Late(c.Thresholds); late != "" {
		say(w, "attention", "stalls are told late in %s: a walk takes longer than the threshold (EXPORTER_STALLED_AFTER)", late)
	} else {
		say(w, "alerts", "no threshold of EXPORTER_STALLED_AFTER is shorter than a walk")
	}
}
