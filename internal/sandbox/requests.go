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

// requestLog keeps the last requests, in the order of arrival; the counters
// count all.
type requestLog struct {
	last  []*Request
	count Counters
}

func newRequestLog() *requestLog {
	return &requestLog{count: Counters{Arrived: map[Endpoint]int{}, Answered: map[int]int{}}}
}

func (l *requestLog) arrive(at time.Time, endpoint Endpoint, r *http.Request) *Request {
	v := r.URL.Query()
	page, _ := strconv.Atoi(v.Get("page"))
	limit, _ := strconv.Atoi(v.Get("limit"))
	entry := &Request{
		Time: at, Endpoint: endpoint, Page: page, Limit: limit,
		Status: v.Get("status"), Balances: v.Get("include_balances") != "false",
	}
	l.count.Arrived[endpoint]++
	if len(l.last) == logged {
		l.last = l.last[1:]
	}
	l.last = append(l.last, entry)
	return entry
}

// Requests returns the last requests, at most 10,000, in the order of arrival.
func (s *Sandbox) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, len(s.log.last))
	for i, r := range s.log.last {
		all[i] = *r
	}
	return all
}

// Counters returns a copy of the counters.
func (s *Sandbox) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counters{Arrived: maps.Clone(s.log.count.Arrived), Answered: maps.Clone(s.log.count.Answered)}
}

// BusiestMinute is the most of the requests, in the order of their arrival,
// that came in any rolling minute.
func BusiestMinute(requests []Request) (most int) {
	first := 0
	for i, r := range requests {
		for r.Time.Sub(requests[first].Time) >= time.Minute {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// ResetRequests empties the log and sets the counters to 0. A request that is
// under way then is not counted when it ends.
func (s *Sandbox) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = newRequestLog()
}

// statusWriter notes the status code of an answer just before it is sent.
type statusWriter struct {
	http.ResponseWriter
	note  func(code int)
	noted bool
}

func (w *statusWriter) noteOnce(code int) {
	if !w.noted {
		w.noted = true
		w.note(code)
	}
}

func (w *statusWriter) WriteHeader(code int) {
	w.noteOnce(code)
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.noteOnce(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find what the real writer can do.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
