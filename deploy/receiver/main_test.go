package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func post(t *testing.T, h http.Handler, path, body string) int {
	t.Helper()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
	return answer.Code
}

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

func TestMessagesArePrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := newHandler(&out, noon)
	if code := post(t, h, "/page", `{"attachments":[{"title":"CRITICAL: KYC\u001b[31m stands still","text":"Nobody\n  gets through\n\n"}]}`); code != http.StatusOK {
		t.Errorf("/page answers %d", code)
	}
	post(t, h, "/ticket", `{"attachments":[{"title":"WARNING","text":""}]}`)
	want := "\n12:00:00  PAGE  CRITICAL: KYC[31m stands still\n    Nobody\n      gets through\n\n12:00:00  TICKET  WARNING\n"
	if out.String() != want {
		t.Errorf("it prints %q, want %q", out.String(), want)
	}
}

func TestWatchdogIsSaidOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := newHandler(&out, noon)
	for range 3 {
		post(t, h, "/watchdog", `{}`)
	}
	if n := strings.Count(out.String(), "watchdog"); n != 1 {
		t.Errorf("it says so %d times: %s", n, out.String())
	}
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := newHandler(&out, noon)
	if code := post(t, h, "/page", "payload"); code != http.StatusBadRequest || out.Len() > 0 {
		t.Errorf("no JSON: answers %d and prints %q", code, out.String())
	}
	if code := post(t, h, "/page", `{"attachments":[{"text":"`+strings.Repeat("x", maxMessage)+`"}]}`); code != http.StatusBadRequest {
		t.Errorf("a huge message: answers %d", code)
	}
}

func TestProbeTellsWhetherItAnswers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newHandler(&bytes.Buffer{}, noon))
	address := strings.TrimPrefix(server.URL, "http://")
	if err := probe(t.Context(), address); err != nil {
		t.Error(err)
	}
	server.Close()
	if probe(t.Context(), address) == nil {
		t.Error("a receiver that is gone answers")
	}
}
