package apiclient_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
)

// A total that is capped, or late, hides nobody behind a full page; and an API
// that has no such page may say so instead of listing nobody.
func TestWalkGoesOnPastTheTotal(t *testing.T) {
	notFound, badRequest := sandbox.Status(404), sandbox.Status(400)
	for _, c := range []struct {
		name                string
		customers           int
		total               string
		pastEnd             *sandbox.Fault
		wantRows, wantPages int // pages asked for
	}{
		{name: "capped", customers: 130, total: "100", wantRows: 130, wantPages: 2},
		{name: "capped, with full pages only", customers: 1000, total: "300", wantRows: 1000, wantPages: 11},
		{name: "late by one", customers: 201, total: "200", wantRows: 201, wantPages: 3},
		{name: "right", customers: 200, total: "200", wantRows: 200, wantPages: 3},
		{name: "no such page: 404", customers: 200, total: "200", pastEnd: &notFound, wantRows: 200, wantPages: 3},
		{name: "no such page: 400", customers: 200, total: "200", pastEnd: &badRequest, wantRows: 200, wantPages: 3},
		{name: "counted before a removal: 404", customers: 200, total: "201", pastEnd: &notFound, wantRows: 200, wantPages: 3},
		{name: "counted before a removal: 400", customers: 200, total: "201", pastEnd: &badRequest, wantRows: 200, wantPages: 3},
		{name: "not even a page", customers: 200, total: "99", wantRows: 100, wantPages: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Customers: c.customers, Quota: -1})
			api.InjectFault(total(func(int, int64) string { return c.total }))
			if c.pastEnd != nil {
				api.InjectFault(c.pastEnd.On(sandbox.CustomersEndpoint).When(sandbox.OnPage(3)))
			}
			r := newRig(t, api, nil)
			pages, err := r.walk(false)
			if err != nil {
				t.Fatal(err)
			}
			rows := 0
			for _, p := range pages {
				rows += len(p.Rows)
			}
			if got := r.arrived(sandbox.CustomersEndpoint); rows != c.wantRows || got != c.wantPages {
				t.Errorf("%d rows of %d pages, want %d of %d", rows, got, c.wantRows, c.wantPages)
			}
		})
	}
}

// A program that fills its last page to the full goes on being read, however the
// API says that there are no more: with a status, or in its own form without.
func TestEveryEndOfTheListIsOne(t *testing.T) {
	ends := map[string]sandbox.Fault{
		"success: false": sandbox.SuccessFalse(),
		"no content":     {Handle: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusNoContent) }},
	}
	for _, code := range []int{400, 404, 405, 410, 416, 422} {
		ends[strconv.Itoa(code)] = sandbox.Status(code)
	}
	for _, body := range []string{
		`{}`, `{"success":true,"data":null}`, `{"data":[]}`, `{"data":{"customers":null,"total":200}}`, `{"data":{"customers":[]}}`,
		`{"data":{"customers":[],"total":0}}`,
	} {
		ends[body] = sandbox.Body(body)
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Customers: 200, Quota: -1})
			api.InjectFault(end.On(sandbox.CustomersEndpoint).When(sandbox.OnPage(3)))
			// Somebody may have been removed since the first page was counted.
			for _, counted := range []string{"200", "201"} {
				remove := api.InjectFault(total(func(int, int64) string { return counted }))
				if pages, err := newRig(t, api, nil).walk(false); err != nil || len(pages) != 2 && !strings.Contains(name, "total\":0") {
					t.Errorf("%d pages of %s customers, %v", len(pages), counted, err)
				}
				remove()
			}
			api.InjectFault(end.On(sandbox.CustomersEndpoint).When(sandbox.OnPage(1)))
			if _, err := newRig(t, api, nil).walk(false); err == nil && !strings.Contains(name, "total") {
				t.Error("no error where it stands in place of the first page")
			}
		})
	}
}

// An API in trouble behind the last full page has not said that the list ends
// there; nor does the list end before a page that is rejected in the middle, or
// hold nobody if it is the first.
func TestWalkFailsPastTheTotal(t *testing.T) {
	for name, fault := range map[string]sandbox.Fault{
		"500 past the end": sandbox.Status(500).When(sandbox.OnPage(4)), "a web page past the end": sandbox.HTML().When(sandbox.OnPage(4)),
		"cut off past the end": sandbox.Truncate().When(sandbox.OnPage(4)), "401 past the end": sandbox.Status(401).When(sandbox.OnPage(4)),
		"408 past the end":      sandbox.Status(408).When(sandbox.OnPage(4)),
		"404 in the middle":     sandbox.Status(404).When(sandbox.OnPage(2)),
		"404 on the first page": sandbox.Status(404).When(sandbox.OnPage(1)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{Customers: 300, Quota: -1})
				api.InjectFault(fault.On(sandbox.CustomersEndpoint))
				if _, err := newRig(t, api, nil).walk(false); err == nil {
					t.Error("no error")
				}
			})
		})
	}
}

// One page at a time means that a page is asked for when the one before has come.
func TestWalkOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{Customers: 1050, Quota: -1, Latency: time.Second})
		r := newRig(t, api, nil)
		next := 1
		for page, err := range r.Walk(context.Background(), apiclient.WalkOptions{OneAtATime: true}) {
			if err != nil || page.Number != next {
				t.Fatalf("page %v, %v; want page %d", page, err, next)
			}
			next++
		}
		var pages []sandbox.Request
		for _, q := range api.Requests() {
			if q.Endpoint == sandbox.CustomersEndpoint {
				pages = append(pages, q)
			}
		}
		if len(pages) != 11 {
			t.Fatalf("%d requests, want 11", len(pages))
		}
		for i, q := range pages[1:] {
			if q.Page != i+2 || q.Time.Sub(pages[i].Time) < time.Second {
				t.Errorf("page %d was asked for %s after the one before", q.Page, q.Time.Sub(pages[i].Time))
			}
		}
	})
}
