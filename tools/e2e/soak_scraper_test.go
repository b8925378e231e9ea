//go:build e2e

package e2e_test

import (
	"net/http"
	"strings"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

// scraper scrapes an exporter in a soak, as a Prometheus does, and judges what
// it gets.
type scraper struct {
	e      *exporter
	s      *soak
	checks bool // the snapshots, which only one scraper needs to

	took      []time.Duration
	snapshots int // that were checked
	wrong     int // values of theirs that the population never had
	last      series
	seen      []*sighting // the last two
}

// sighting is when a snapshot was first seen.
type sighting struct {
	at   float64 // its timestamp
	mark *sandbox.Mark
	gone int64 // customers who had been removed by then
}

// run scrapes until it is told to stop.
func (sc *scraper) run(stop <-chan struct{}) {
	pace := time.NewTicker(soakPace)
	defer pace.Stop()
	for {
		select {
		case <-stop:
			return
		case <-pace.C:
			sc.scrape()
		}
	}
}

func (sc *scraper) scrape() {
	t := sc.s.t
	// The mark lies before the scrape: a walk whose snapshot is not seen yet
	// cannot have begun after it and ended before.
	sighted := &sighting{mark: sc.s.api.Mark(), gone: sc.s.gone.Load()}
	begun := time.Now()
	code, body, _ := testutil.Get(t, "http://"+sc.e.address+"/metrics")
	sc.took = append(sc.took, time.Since(begun))
	if code != http.StatusOK {
		t.Errorf("/metrics answers %d: %s", code, body)
		return
	}
	now := parseSeries(t, body)
	for name, value := range now {
		metric, _, _ := strings.Cut(name, "{")
		if strings.HasSuffix(metric, "_total") && value < sc.last[name] {
			t.Errorf("%s fell from %v to %v", name, sc.last[name], value)
		}
	}
	sc.last = now

	sighted.at = now["yativo_exporter_snapshot_timestamp_seconds"]
	newest := len(sc.seen) - 1
	switch {
	case !sc.checks || newest >= 0 && sighted.at == sc.seen[newest].at:
		sighted.mark.Range() // which forgets it
		return
	case newest >= 0 && sighted.at < sc.seen[newest].at:
		t.Errorf("the snapshot went back in time, from %v to %v", sc.seen[newest].at, sighted.at)
	}
	if len(sc.seen) == 2 {
		sc.judge(now, sc.seen[0])
		sc.seen = sc.seen[1:]
	}
	sc.seen = append(sc.seen, sighted)
}

// judge checks a new snapshot against what the population was since the last
// but one was first seen; its walk began when that one had been replaced. A
// customer who is removed during a walk can hide another one from it.
func (sc *scraper) judge(now series, since *sighting) {
	t := sc.s.t
	sc.snapshots++
	within := since.mark.Range()
	hidden := int(sc.s.gone.Load() - since.gone)
	check := func(metric string, always, ever int, labels ...string) {
		got := 0
		for _, of := range labels {
			got += int(now[metric+of])
		}
		if got < always-hidden || got > ever {
			sc.wrong++
			t.Errorf("%s%v is %d; the population had %d to %d, and %d left", metric, labels, got, always, ever, hidden)
		}
	}
	labels := map[onboarding.Status][]string{}
	for _, odd := range oddStatuses() {
		labels[odd.documented] = []string{label(odd.label)}
	}
	for _, status := range onboarding.Statuses()[:onboarding.NumStatuses-1] { // nobody is in the unknown one
		of := append(labels[status], label(status.String()))
		check("yativo_card_customers", within.Always.ByStatus[status], within.Ever.ByStatus[status], of...)
		check("yativo_card_undeployed_safes", within.Always.Undeployed[status], within.Ever.Undeployed[status], of...)
	}
	check("yativo_exporter_upstream_customers", within.Min.Total, within.Max.Total, "")
}
