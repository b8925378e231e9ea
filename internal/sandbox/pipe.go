package sandbox

import (
	"cmp"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
)

// Client returns an HTTP client that reaches the sandbox in process, whatever
// host its requests name.
func (s *Sandbox) Client() *http.Client { return &http.Client{Transport: s.Transport()} }

// Transport returns a round tripper that calls the sandbox without sockets. It
// streams bodies, honors cancellation, and works in a synctest bubble. What
// http.Transport adds, such as compression and connection reuse, is had with
// Pipe.
func (s *Sandbox) Transport() http.RoundTripper { return transport{s} }

type transport struct{ handler http.Handler }

func (t transport) RoundTrip(out *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(out.Context())
	in := out.Clone(ctx)
	in.RequestURI = out.URL.RequestURI()
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.Host == "" {
		in.Host = out.URL.Host
	}
	body, bodyWriter := io.Pipe()
	w := &responseWriter{header: http.Header{}, body: bodyWriter, ready: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { bodyWriter.CloseWithError(context.Cause(ctx)) })

	done := make(chan struct{})
	go func() {
		defer close(done)
		defer stop()
		defer in.Body.Close()
		defer w.finish(ctx)
		t.handler.ServeHTTP(w, in)
	}()

	select {
	case <-w.ready:
	case <-done:
	case <-out.Context().Done():
		cancel()
		return nil, out.Context().Err()
	}
	if w.sent == nil {
		cancel()
		// As http.Transport says of a connection closed without an answer.
		return nil, cmp.Or(out.Context().Err(), io.EOF)
	}
	length, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64)
	if err != nil {
		length = -1
	}
	return &http.Response{
		Status: strconv.Itoa(w.code) + " " + http.StatusText(w.code), StatusCode: w.code,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, ContentLength: length, Request: out,
		Body: &responseBody{PipeReader: body, cancel: cancel},
	}, nil
}

// responseWriter hands an answer over as it is written.
type responseWriter struct {
	header, sent http.Header
	code         int
	body         *io.PipeWriter
	ready        chan struct{} // closed when code and sent are set
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(code int) {
	if w.sent == nil {
		w.code, w.sent = code, w.header.Clone()
		close(w.ready)
	}
}

func (w *responseWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush has nothing to do: what is written is read at once.
func (w *responseWriter) Flush() { w.WriteHeader(http.StatusOK) }

// finish ends the body: where the handler aborted, as a broken connection, or
// as the cancellation that made it abort.
func (w *responseWriter) finish(ctx context.Context) {
	switch problem := recover(); problem {
	case nil:
		w.WriteHeader(http.StatusOK)
		_ = w.body.Close()
	case http.ErrAbortHandler:
		_ = w.body.CloseWithError(cmp.Or(context.Cause(ctx), io.ErrUnexpectedEOF))
	default:
		panic(problem)
	}
}

type responseBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *responseBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// Dial opens a connection, as http.Transport's DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Pipe serves a handler with a real HTTP server over connections in memory,
// which work in a synctest bubble. Every dial reaches it, whatever the
// address. Close ends the server and its connections; dials are refused then.
func Pipe(handler http.Handler) (dial Dial, closeServer func()) {
	l := &pipeListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // it always ends with an error, that of Close
	}()
	return l.dial, func() {
		_ = server.Close()
		<-served
	}
}

type pipeListener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.accepted <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddress{} }

type pipeAddress struct{}

func (pipeAddress) Network() string { return "pipe" }
func (pipeAddress) String() string  { return "pipe" }
