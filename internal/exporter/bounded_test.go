package exporter

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
)

// However many ask at once, few are rendered at once and each is answered.
func TestBoundedRendersFewAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, requests = 3, 50
		rendered, release := make(chan int, requests), make(chan struct{})
		handler := bounded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			rendered <- 1
			<-release
			w.Header().Set("X-Rendered", "yes")
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte("text"))
		}), limit)
		recorders := make([]*httptest.ResponseRecorder, requests)
		for i := range recorders {
			recorders[i] = httptest.NewRecorder()
			go handler.ServeHTTP(recorders[i], httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		}
		synctest.Wait()
		if len(rendered) != limit {
			t.Errorf("%d responses are rendered at once, want %d", len(rendered), limit)
		}
		close(release)
		synctest.Wait()
		for i, r := range recorders {
			if r.Code != http.StatusTeapot || r.Body.String() != "text" || r.Header().Get("X-Rendered") != "yes" {
				t.Errorf("request %d got %d %q %v", i, r.Code, r.Body, r.Header())
			}
		}
	})
}

// blockedWriter is a client that does not read.
type blockedWriter struct {
	*httptest.ResponseRecorder

	read chan struct{}
}

func (b blockedWriter) Write(p []byte) (int, error) {
	<-b.read
	return b.ResponseRecorder.Write(p)
}

func TestBoundedIsNotHeldUpByASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := bounded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("text"))
		}), 1)
		slow := blockedWriter{httptest.NewRecorder(), make(chan struct{})}
		go handler.ServeHTTP(slow, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		synctest.Wait()
		quick := httptest.NewRecorder()
		handler.ServeHTTP(quick, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		if quick.Body.String() != "text" {
			t.Errorf("the quick reader got %q", quick.Body)
		}
		close(slow.read)
	})
}

func TestBoundedForgetsWhoHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, rendered := make(chan struct{}), 0
		handler := bounded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			rendered++
			<-release
		}), 1)
		go handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		synctest.Wait()
		ctx, hangUp := context.WithCancel(t.Context())
		hangUp()
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil).WithContext(ctx))
		if rendered != 1 {
			t.Errorf("%d responses were rendered, want 1", rendered)
		}
		close(release)
	})
}
