//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// listFaults are lists that lie about how long they are.
func listFaults() []row {
	// A refresh walks with balances and then without, each up to three times.
	incomplete := func(pages int, says, looksLike string) effect {
		return effect{reason: "incomplete", says: says + "; it looks like " + looksLike, requests: 6 * pages}
	}
	notCount := effect{reason: "bad_response", says: "the answer's data.total is not a count of customers up to 10000000", breaker: true, requests: 2}
	always := func(raw string) sandbox.Fault { return sandbox.Total(func(int, int64) string { return raw }) }
	rows := []row{
		{name: "total is negative", begin: inject(always("-1")), want: notCount},
		{name: "total is 10^12", begin: inject(always("1000000000000")), want: notCount},
		{name: "total is absent", begin: inject(always("")), want: notCount},
		{name: "total is text", begin: inject(always(`"230"`)), want: notCount},
		{name: "total is 0", begin: inject(always("0")), want: incomplete(1, "3 walks found 100 distinct customers, but the API counts 0", "a total that does not count what is listed; report it to Yativo")},
		{
			name:  "total is 0 and nobody is listed",
			begin: inject(sandbox.Body(`{"success":true,"data":{"customers":[],"total":0}}`).On(sandbox.CustomersEndpoint)),
			want: effect{
				reason: "incomplete", requests: 2,
				says: "the API lists nobody, but there were 230 customers; if the program is not empty, ask Yativo; if it is empty, this ends within 1h0m0s",
			},
		},
		{name: "total is 9,999,999", begin: inject(always("9999999")), want: incomplete(12, "3 walks found 230 distinct customers, but the API counts 9999999", "a page that lists nobody before the end of the list")},
		{
			name: "total differs on every page",
			begin: inject(sandbox.Total(func(page int, actual int64) string {
				return strconv.FormatInt(actual+100*int64(1+page%3), 10)
			})),
			want: incomplete(7, "3 walks found 230 distinct customers, but the API counts 430", "a total that is wrong on some pages"),
		},
		{name: "the same page forever", begin: inject(sandbox.SamePage()), want: incomplete(3, "3 walks found 100 distinct customers, but the API counts 230", "the same page for every request; check any proxy between here and the API")},
		{name: "an empty page in the middle", begin: inject(sandbox.EmptyPage(2)), want: incomplete(3, "3 walks found 100 distinct customers, but the API counts 230", "a page that lists nobody before the end of the list")},
		{
			name:  "an empty page in the middle that says total 0",
			begin: inject(sandbox.EmptyPage(2), always("0").When(sandbox.OnPage(2))),
			want:  incomplete(3, "3 walks found 100 distinct customers, but the API counts 0", "a total that is wrong on some pages"),
		},
		{name: "total is capped at 100", begin: inject(always("100")), want: effect{requests: 3}, shows: "the list is read to its own end"},
		{
			name: "the last page is full, and past it the API says success: false", options: sandbox.Options{PageCap: 46},
			begin: inject(sandbox.SuccessFalse().On(sandbox.CustomersEndpoint).When(sandbox.OnPage(6))), want: effect{requests: 6}, shows: "that is the end of the list",
		},
		{name: "limit is ignored: 20 a page", begin: inject(sandbox.IgnoreLimit()), want: effect{requests: 12}, shows: "pages of 20 are read"},
		{
			name: "two customers with one id", begin: insert(plain("twin"), plain("twin")),
			want: incomplete(3, "3 walks found 231 distinct customers, but the API counts 232", "one customer_id for two rows; report it to Yativo"),
		},
	}
	rows = append(rows, row{
		name: "somebody signs up every ten pages, the newest first", options: sandbox.Options{PageCap: 10},
		// As many pages again, those that sign-ups add meanwhile, and a walk under way.
		begin: signUps, want: effect{requests: 100}, shows: "what does not add up is read again, one page at a time; nobody is missing or gone",
		data: func(now, before series) error {
			errs := []error{now.is("yativo_exporter_missing_customers", 0), now.above(`yativo_card_status_transitions_total{from="new",to="kyc_initiated"}`, 0)}
			for _, status := range onboarding.Statuses() {
				errs = append(errs, now.is(fmt.Sprintf(`yativo_card_status_transitions_total{from=%q,to="gone"}`, status), 0))
			}
			return errors.Join(append(errs, now.above("yativo_exporter_tracked_customers", before["yativo_exporter_tracked_customers"]))...)
		},
	})
	for i := range rows {
		rows[i].group = "list"
	}
	return rows
}

// signUps has somebody sign up when the third page of each ten has been read and
// the second has not, or, where that one is waited for, before both.
func signUps(_ *testing.T, s *scene) (end func()) {
	var lock sync.Mutex
	born, over := 0, false
	read := make(chan struct{}, 1)
	remove := s.api.InjectFault(sandbox.Fault{Endpoint: sandbox.CustomersEndpoint, Handle: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch page := r.URL.Query().Get("page"); page[len(page)-1] {
		case '1': // of a walk before
			select {
			case <-read:
			default:
			}
		case '2':
			select {
			case <-read:
			case <-time.After(300 * time.Millisecond):
			}
			lock.Lock()
			if !over { // A request that waited here may outlast the fault.
				born++
				s.api.Add(plain("born-" + strconv.Itoa(born)))
			}
			lock.Unlock()
		case '3':
			defer func() {
				select {
				case read <- struct{}{}:
				default: // one is enough
				}
			}()
		}
		next.ServeHTTP(w, r)
	}})
	return func() {
		remove()
		lock.Lock()
		defer lock.Unlock()
		over = true
		for i := range born {
			s.api.Remove("born-" + strconv.Itoa(i+1))
		}
	}
}
