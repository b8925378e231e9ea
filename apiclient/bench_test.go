package apiclient_test

import (
	"context"
	"testing"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

// BenchmarkPage decodes a page of 100 rows, the whole call around it included.
func BenchmarkPage(b *testing.B) {
	body := pageBody(b)
	r := newRig(b, nil, func(o *apiclient.Options) { o.Transport = answering(body) })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Page(context.Background(), 1, true); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/row")
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
