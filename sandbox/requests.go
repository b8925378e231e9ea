package sandbox

import (
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Request is what the sandbox remembers of a request.
type Request struct {
	Time     time.Time // of arrival
	Endpoint Endpoint
	// Page and Limit are as asked for, 0 where absent or not a number.
	Page, Limit int
	Status      string // the filter, as asked for
	Balances    bool   // false only where include_balances=false
	// Code is the status of the answer; 0 while it is awaited, and where none
	// was sent.
	Code int
}

// Counters count requests since New or ResetRequests.
type Counters struct {
	Arrived map[Endpoint]int
	// Answered counts by status code, those that ended without one under 0.
	Answered map[int]int
}

// logged is how many requests the log keeps.
const logged = 10_000

// requestLog keeps the last requests; the counters count all.
type requestLog struct {
	ring    []Request // by number modulo logged
	arrived uint64    // the number of the next request
	first   uint64    // the first number since the log was reset
	count   Counters
}

func newRequestLog() requestLog {
	return requestLog{count: Counters{Arrived: map[Endpoint]int{}, Answered: map[int]int{}}}
}

func newRequest(at time.Time, endpoint Endpoint, r *http.Request) Request {
	v := r.URL.Query()
	page, _ := strconv.Atoi(v.Get("page"))
	limit, _ := strconv.Atoi(v.Get("limit"))
	return Request{
		Time: at, Endpoint: endpoint, Page: page, Limit: limit,
		Status: v.Get("status"), Balances: v.Get("include_balances") != "false",
	}
}

func (l *requestLog) arrive(r Request) (number uint64) {
	number = l.arrived
	l.arrived++
	l.count.Arrived[r.Endpoint]++
	if i := number % logged; i < uint64(len(l.ring)) {
		l.ring[i] = r
	} else {
		l.ring = append(l.ring, r)
	}
	return number
}

func (l *requestLog) finish(number uint64, code int) {
	if number < l.first {
		return
	}
	l.count.Answered[code]++
	if l.arrived-number <= logged {
		l.ring[number%logged].Code = code
	}
}

// Requests returns the last requests, at most 10,000, in the order of arrival.
func (s *Sandbox) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.log
	n := min(l.arrived-l.first, logged)
	all := make([]Request, 0, n)
	for i := l.arrived - n; i < l.arrived; i++ {
		all = append(all, l.ring[i%logged])
	}
	return all
}

// Counters returns a copy of the counters.
func (s *Sandbox) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counters{Arrived: maps.Clone(s.log.count.Arrived), Answered: maps.Clone(s.log.count.Answered)}
}

// ResetRequests empties the log and sets the counters to 0. Requests under way
// then are not counted when they end.
func (s *Sandbox) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.first = s.log.arrived
	clear(s.log.count.Arrived)
	clear(s.log.count.Answered)
}

// statusWriter remembers the status code of an answer.
type statusWriter struct {
	http.ResponseWriter
	code int
}

func (w *statusWriter) WriteHeader(code int) {
	if w.code == 0 {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find what the real writer can do.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
