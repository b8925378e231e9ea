package sandbox

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is a way in which the API misbehaves.
type Fault struct {
	// Endpoint is where; empty is Any.
	Endpoint Endpoint
	// Match, unless nil, says which requests of the endpoint meet the fault.
	Match func(*http.Request) bool
	// Times is how many requests meet it; 0 is all until it is removed.
	Times int
	// Handle answers in place of next, which is the API with the faults that
	// were injected earlier.
	Handle func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

// On returns the fault for one endpoint only.
func (f Fault) On(e Endpoint) Fault { f.Endpoint = e; return f }

// First returns the fault for the next n requests only.
func (f Fault) First(n int) Fault { f.Times = n; return f }

// When returns the fault for the matching requests only.
func (f Fault) When(match func(*http.Request) bool) Fault { f.Match = match; return f }

// OnPage matches requests for one page.
func OnPage(n int) func(*http.Request) bool {
	return func(r *http.Request) bool { return pageOf(r) == n }
}

// injected is a fault in force; it has an identity, and a count.
type injected struct {
	Fault
	met int
}

// InjectFault switches a fault on. Several may be on: the latest is met first.
// Calling remove more than once does no harm.
func (s *Sandbox) InjectFault(f Fault) (remove func()) {
	in := &injected{Fault: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, in)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(other *injected) bool { return other == in })
	}
}

// withFaults puts the faults that a request meets in front of a handler. The
// caller holds the lock.
func (s *Sandbox) withFaults(endpoint Endpoint, r *http.Request, next http.Handler) http.Handler {
	for _, f := range s.faults {
		if f.Endpoint != "" && f.Endpoint != Any && f.Endpoint != endpoint ||
			f.Match != nil && !f.Match(r) || f.Times > 0 && f.met >= f.Times {
			continue
		}
		f.met++
		inner := next
		next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.Handle(w, r, inner) })
	}
	return next
}

// answer is a fault that never asks the API.
func answer(f func(w http.ResponseWriter, r *http.Request)) Fault {
	return Fault{Handle: func(w http.ResponseWriter, r *http.Request, _ http.Handler) { f(w, r) }}
}

// deliver is a fault in how the API's own answer, complete in body, is sent.
func deliver(f func(w http.ResponseWriter, r *http.Request, code int, body []byte)) Fault {
	return Fault{Handle: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		held := &heldWriter{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(held, r)
		f(w, r, held.code, held.body.Bytes())
	}}
}

// heldWriter passes the header on and keeps the rest of an answer.
type heldWriter struct {
	http.ResponseWriter
	code int
	body bytes.Buffer
}

func (w *heldWriter) WriteHeader(code int)        { w.code = code }
func (w *heldWriter) Write(b []byte) (int, error) { return w.body.Write(b) }

// ask is a fault that changes the query that reaches the API.
func ask(change func(url.Values)) Fault {
	return Fault{Handle: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		v := r.URL.Query()
		change(v)
		r = r.Clone(r.Context())
		r.URL.RawQuery = v.Encode()
		next.ServeHTTP(w, r)
	}}
}

// Status answers with a status code, further headers given as names and values
// in turn, and the API's error body.
func Status(code int, headers ...string) Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		fail(w, code, strings.ReplaceAll(strings.ToLower(http.StatusText(code)), " ", "_"), http.StatusText(code)+".")
	})
}

// Hang answers nothing until the client gives up.
func Hang() Fault {
	return answer(func(_ http.ResponseWriter, r *http.Request) {
		// The server notices that the client is gone only once the body is read.
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
}

// Refuse closes the connection without an answer.
func Refuse() Fault {
	return answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// ResetMidBody breaks the connection after half the body.
func ResetMidBody() Fault {
	return deliver(func(w http.ResponseWriter, _ *http.Request, code int, body []byte) {
		w.WriteHeader(code)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
}

// Drip sends so many bytes of the body at every tick.
func Drip(n int, tick time.Duration) Fault {
	return deliver(func(w http.ResponseWriter, r *http.Request, code int, body []byte) {
		w.WriteHeader(code)
		for part := range slices.Chunk(body, n) {
			_, err := w.Write(part)
			if err != nil || http.NewResponseController(w).Flush() != nil || !wait(r, tick) {
				panic(http.ErrAbortHandler)
			}
		}
	})
}

// Truncate sends half the body as if it were all.
func Truncate() Fault { return RewriteBody(func(body []byte) []byte { return body[:len(body)/2] }) }

// HTML answers 200 with a web page.
func HTML() Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>")
	})
}

// SuccessFalse answers 200 with a body that says that it failed.
func SuccessFalse() Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		send(w, http.StatusOK, []byte(`{"success":false,"message":"The operation failed."}`))
	})
}

// Redirect sends the client elsewhere.
func Redirect(code int, location string) Fault {
	return answer(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, location, code) })
}

// Body answers 200 with a JSON body of the test's own.
func Body(body string) Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) { send(w, http.StatusOK, []byte(body)) })
}

// RewriteBody changes the body of the API's answer.
func RewriteBody(rewrite func([]byte) []byte) Fault {
	return deliver(func(w http.ResponseWriter, _ *http.Request, code int, body []byte) {
		body = rewrite(body)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(code)
		_, _ = w.Write(body)
	})
}

// Total replaces the total of a page by raw JSON; an empty text leaves it out.
func Total(total func(page int, actual int64) string) Fault {
	return Fault{Endpoint: CustomersEndpoint, Handle: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		RewriteBody(func(body []byte) []byte {
			return replaceNumber(body, "total", func(actual int64) string { return total(pageOf(r), actual) })
		}).Handle(w, r, next)
	}}
}

// SamePage answers every page with the first.
func SamePage() Fault { return ask(func(v url.Values) { v.Del("page") }).On(CustomersEndpoint) }

// IgnoreLimit answers with 20 rows a page, whatever was asked for.
func IgnoreLimit() Fault { return ask(func(v url.Values) { v.Del("limit") }).On(CustomersEndpoint) }

// EmptyPage answers page n without a row.
func EmptyPage(n int) Fault {
	return RewriteBody(func(body []byte) []byte {
		head, rest, found := bytes.Cut(body, []byte(`"customers":[`))
		end := bytes.LastIndex(rest, []byte(`],"total":`))
		if !found || end < 0 {
			return body
		}
		return slices.Concat(head, []byte(`"customers":[`), rest[end:])
	}).On(CustomersEndpoint).When(OnPage(n))
}

// ExpiresIn replaces the life of a minted token, in seconds, by raw JSON; an
// empty text leaves it out. The field expires_at keeps the truth.
func ExpiresIn(raw string) Fault {
	return RewriteBody(func(body []byte) []byte {
		return replaceNumber(body, "expires_in", func(int64) string { return raw })
	}).On(TokenEndpoint)
}

// DeepNesting answers 200 with arrays in each other, in place of the customers.
func DeepNesting(depth int) Fault {
	return Body(`{"success":true,"data":{"customers":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) +
		`,"total":1,"page":1,"limit":100,"balances_included":true}}`)
}

// HugeBody answers 200 with so many bytes that begin as a page does and never
// get to a row.
func HugeBody(n int64) Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		writeHuge(w, n)
	})
}

// GzipBomb answers as HugeBody does, compressed to about a thousandth.
func GzipBomb(n int64) Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		writeHuge(z, n)
		_ = z.Close()
	})
}

func writeHuge(w io.Writer, n int64) {
	_, err := io.WriteString(w, `{"success":true,"data":{"customers":[`)
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for ; err == nil && n > 0; n -= int64(len(spaces)) {
		_, err = w.Write(spaces[:min(n, int64(len(spaces)))])
	}
}

// Gzip compresses the API's answer.
func Gzip() Fault {
	return deliver(func(w http.ResponseWriter, _ *http.Request, code int, body []byte) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Del("Content-Length")
		w.WriteHeader(code)
		z := gzip.NewWriter(w)
		_, _ = z.Write(body)
		_ = z.Close()
	})
}

func pageOf(r *http.Request) int {
	if page, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
		return page
	}
	return 1
}

// replaceNumber replaces the last number of a name in a JSON object, or takes
// it out where the replacement is empty. Another field follows it.
func replaceNumber(body []byte, name string, replace func(int64) string) []byte {
	key := fmt.Appendf(nil, "%q:", name)
	at := bytes.LastIndex(body, key)
	if at < 0 {
		return body
	}
	rest := body[at+len(key):]
	digits := bytes.IndexByte(rest, ',')
	value, err := strconv.ParseInt(string(rest[:max(0, digits)]), 10, 64)
	if err != nil {
		return body
	}
	if raw := replace(value); raw != "" {
		return slices.Concat(body[:at], key, []byte(raw), rest[digits:])
	}
	return slices.Concat(body[:at], rest[digits+1:])
}
