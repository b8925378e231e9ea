package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

// Endpoint is one of the API's endpoints.
type Endpoint string

// The endpoints. Any matches each of them, and every other path, in a Fault;
// in the log of requests it stands for a path that does not exist.
const (
	Any               Endpoint = "any"
	CustomersEndpoint Endpoint = "customers"
	TokenEndpoint     Endpoint = "token"
)

const (
	customersPath = BasePath + "/card-issuer/customers"
	tokenPath     = BasePath + "/auth/token"
)

func endpointOf(path string) Endpoint {
	switch path {
	case customersPath:
		return CustomersEndpoint
	case tokenPath:
		return TokenEndpoint
	}
	return Any
}

// serveAPI answers as the healthy API.
func (s *Sandbox) serveAPI(w http.ResponseWriter, r *http.Request) {
	if !wait(r, s.options.Latency) {
		panic(http.ErrAbortHandler)
	}
	if !s.withinQuota(w) {
		return
	}
	endpoint := endpointOf(r.URL.Path)
	method := map[Endpoint]string{CustomersEndpoint: http.MethodGet, TokenEndpoint: http.MethodPost}[endpoint]
	switch {
	case endpoint == Any:
		fail(w, http.StatusNotFound, "not_found", "The path does not exist.")
	case r.Method != method:
		w.Header().Set("Allow", method)
		fail(w, http.StatusMethodNotAllowed, "method_not_allowed", "Use "+method+".")
	case endpoint == TokenEndpoint:
		s.serveToken(w, r)
	case !s.authorized(r):
		fail(w, http.StatusUnauthorized, "unauthorized", "The access token is missing, invalid or expired.")
	default:
		s.serveCustomers(w, r)
	}
}

// withinQuota takes a request from the quota and sets the headers that tell
// what is left. Over the quota it answers 429 and returns false. The sandbox
// has one key, so whatever arrives counts against it.
func (s *Sandbox) withinQuota(w http.ResponseWriter) bool {
	s.mu.Lock()
	now := s.advance()
	ok, remaining, reset := s.quota.take(now)
	s.mu.Unlock()

	resetUnix := s.start.Add(reset).Add(time.Second - 1).Unix()
	h := w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(s.quota.shown()))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(resetUnix, 10))
	if ok {
		return true
	}
	seconds := max(1, int((reset-now+time.Second-1)/time.Second))
	h.Set("Retry-After", strconv.Itoa(seconds))
	send(w, http.StatusTooManyRequests, fmt.Appendf(nil,
		`{"error":"rate_limit_exceeded","message":"Too many requests. Please wait before retrying.","retry_after":%d}`, seconds))
	return false
}

// query is a parsed request for a page of customers.
type query struct {
	page, limit int
	status      onboarding.Status // StatusUnknown is no filter
	balances    bool
}

// filterable are the statuses that the filter lists.
func filterable(status onboarding.Status) bool { return status != onboarding.SafeDeploying }

func (s *Sandbox) parseQuery(v url.Values) (q query, problem string) {
	q = query{page: 1, limit: 20, balances: true}
	var err error
	if v.Has("page") {
		if q.page, err = strconv.Atoi(v.Get("page")); err != nil || q.page < 1 {
			return q, "page must be a number from 1."
		}
	}
	if v.Has("limit") {
		if q.limit, err = strconv.Atoi(v.Get("limit")); err != nil || q.limit < 1 {
			return q, "limit must be a number from 1 to 100."
		}
	}
	q.limit = min(q.limit, s.options.PageCap)
	if v.Has("status") {
		var ok bool
		if q.status, ok = onboarding.ParseStatus(v.Get("status")); !ok || !filterable(q.status) {
			return q, "status must be one of otp_requested, otp_verified, kyc_initiated, kyc_completed, card_created, active."
		}
	}
	if v.Has("include_balances") {
		text := v.Get("include_balances")
		if q.balances = text == "true"; !q.balances && text != "false" {
			return q, "include_balances must be true or false."
		}
	}
	return q, ""
}

func (s *Sandbox) serveCustomers(w http.ResponseWriter, r *http.Request) {
	q, problem := s.parseQuery(r.URL.Query())
	if problem != "" {
		fail(w, http.StatusBadRequest, "invalid_request", problem)
		return
	}
	buffer := s.pages.Get().(*[]byte)
	s.mu.Lock()
	s.advance()
	*buffer = s.people.appendPage((*buffer)[:0], q)
	s.mu.Unlock()
	send(w, http.StatusOK, *buffer)
	s.pages.Put(buffer)
}

// appendPage appends the answer to a query.
func (p *population) appendPage(b []byte, q query) []byte {
	b = append(b, `{"success":true,"data":{"customers":[`...)
	start := len(b)
	for slot := range p.page(q) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = p.appendRow(b, slot, q.balances)
	}
	b = append(b, `],"total":`...)
	b = strconv.AppendInt(b, int64(p.listed(q.status)), 10)
	b = append(b, `,"page":`...)
	b = strconv.AppendInt(b, int64(q.page), 10)
	b = append(b, `,"limit":`...)
	b = strconv.AppendInt(b, int64(q.limit), 10)
	b = append(b, `,"balances_included":`...)
	b = strconv.AppendBool(b, q.balances)
	return append(b, "}}"...)
}

// listed is how many customers a list filtered by a status has.
func (p *population) listed(filter onboarding.Status) int {
	if filter == onboarding.StatusUnknown {
		return len(p.order)
	}
	return p.tally.counts[measure{kind: byStatus, detail: uint16(filter)}]
}

// page yields the slots of a page, newest customer first.
func (p *population) page(q query) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		n := len(p.order)
		if q.page-1 > p.listed(q.status)/q.limit {
			return
		}
		skip, left := (q.page-1)*q.limit, q.limit
		if q.status == onboarding.StatusUnknown {
			n, skip = n-skip, 0
		}
		for _, slot := range slices.Backward(p.order[:max(0, n)]) {
			if q.status != onboarding.StatusUnknown && p.records[slot].status != q.status {
				continue
			}
			if skip--; skip >= 0 {
				continue
			}
			if left--; left < 0 || !yield(slot) {
				return
			}
		}
	}
}

// send writes a JSON answer.
func send(w http.ResponseWriter, code int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client is gone, which is its own affair
}

// fail writes an error answer.
func fail(w http.ResponseWriter, code int, name, message string) {
	body, err := json.Marshal(map[string]string{"error": name, "message": message})
	if err != nil {
		panic(fmt.Sprintf("sandbox: encode an error answer: %v", err))
	}
	send(w, code, body)
}

// wait lets time pass and reports whether the client is still there.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// bearer returns the request's access token, or "".
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}
