package exporter

import (
	"bytes"
	"net/http"
)

// maxRendered is how many scrapes are rendered at once. Compression takes about
// 1 MiB for each, so that 1,000 scrapers at once would take as many.
const maxRendered = 8

// bounded renders at most limit responses of next at once; further requests
// wait. A response is sent once it is complete, so that a slow reader keeps no
// other waiting.
func bounded(next http.Handler, limit int) http.Handler {
	slots := make(chan struct{}, limit)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
		case <-r.Context().Done():
			return
		}
		response := bufferedResponse{header: w.Header(), status: http.StatusOK}
		func() {
			defer func() { <-slots }()
			next.ServeHTTP(&response, r)
		}()
		w.WriteHeader(response.status)
		_, _ = w.Write(response.body.Bytes())
	})
}

// bufferedResponse holds a response until it is complete.
type bufferedResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *bufferedResponse) Header() http.Header         { return b.header }
func (b *bufferedResponse) WriteHeader(status int)      { b.status = status }
func (b *bufferedResponse) Write(p []byte) (int, error) { return b.body.Write(p) }
