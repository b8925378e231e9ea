package apiclient_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

// needed are the fields that metrics need, as the standard library decodes them.
type needed struct {
	Success bool `json:"success"`
	Data    struct {
		Customers []struct {
			ID         string      `json:"customer_id"`
			ExternalID string      `json:"external_customer_id"`
			Status     string      `json:"flow_status"`
			Deployed   *bool       `json:"safe_deployed"`
			Currency   *string     `json:"currency"`
			Ledger     json.Number `json:"ledger_balance"`
			Available  json.Number `json:"available_balance"`
			Pending    json.Number `json:"pending_balance"`
			Freshness  *string     `json:"balance_freshness"`
			Cards      int         `json:"cards_count"`
			CreatedAt  time.Time   `json:"created_at"`
		} `json:"customers"`
		Total, Page, Limit int
		Balances           bool `json:"balances_included"`
	} `json:"data"`
}

// BenchmarkPage decodes a page of 100 rows, the whole call around it included,
// and shows the standard library's share of the same work as a ratio.
func BenchmarkPage(b *testing.B) {
	body := pageBody(b)
	r := newRig(b, nil, func(o *apiclient.Options) { o.Transport = answering(body) })
	ctx := context.Background()
	var ours, theirs time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		if _, err := r.Page(ctx, 1, true); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)

		start = time.Now()
		var page needed
		if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Data.Customers) != 100 {
			b.Fatal(err)
		}
		theirs += time.Since(start)
	}
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N)/100, "µs/row")
	b.ReportMetric(float64(theirs.Microseconds())/float64(b.N)/100, "encoding/json-µs/row")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
}

// pageBody is a page of 100 rows as the sandbox sends it.
func pageBody(b *testing.B) string {
	b.Helper()
	api := sandbox.New(sandbox.Options{Seed: 1, Customers: 1000, Quota: -1})
	body := ""
	api.InjectFault(sandbox.RewriteBody(func(sent []byte) []byte {
		body = string(sent)
		return sent
	}).On(sandbox.CustomersEndpoint))
	if _, err := newRig(b, api, nil).Page(context.Background(), 5, true); err != nil {
		b.Fatal(err)
	}
	return body
}
