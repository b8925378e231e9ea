package collector_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/onboarding"
)

// onePage is a Lister whose list has one page; an apiclient.Client is the real
// one.
type onePage []apiclient.Row

func (p onePage) Walk(context.Context, apiclient.WalkOptions) iter.Seq2[*apiclient.Page, error] {
	return func(yield func(*apiclient.Page, error) bool) {
		yield(&apiclient.Page{Number: 1, Rows: p, Total: len(p), Limit: 100}, nil)
	}
}

func ExampleRefresher() {
	registry, logger := prometheus.NewRegistry(), slog.New(slog.DiscardHandler)
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds: onboarding.DefaultThresholds(), RefreshInterval: time.Minute, Logger: logger, Registerer: registry,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	refresher := collector.NewRefresher(collector.Options{
		Client: onePage{
			{ID: "1", Status: onboarding.Active},
			{ID: "2", Status: onboarding.Active},
			{ID: "3", Status: onboarding.KYCInitiated},
		},
		Tracker: tracker, RefreshInterval: time.Minute, MaxStaleness: 15 * time.Minute, Logger: logger,
	})
	registry.MustRegister(refresher)

	refresher.Refresh(context.Background()) // Run does so at each interval.
	families, err := registry.Gather()
	if err != nil {
		fmt.Println(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "yativo_card_customers" && m.GetGauge().GetValue() > 0 {
				fmt.Println(m.GetLabel()[0].GetValue(), m.GetGauge().GetValue())
			}
		}
	}
	fmt.Println(tracker.Close())
	// Output:
	// active 2
	// kyc_initiated 1
	// <nil>
}
