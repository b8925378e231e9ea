package apiclient_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a client in front of a sandbox.
type rig struct {
	*apiclient.Client
	t   testing.TB
	api *sandbox.Sandbox
	reg *prometheus.Registry
	log *testutil.Buffer
}

// newRig makes a client that nothing holds back, but for what change sets.
func newRig(tb testing.TB, api *sandbox.Sandbox, change func(*apiclient.Options)) *rig {
	tb.Helper()
	r := &rig{t: tb, api: api, reg: prometheus.NewRegistry(), log: &testutil.Buffer{}}
	o := apiclient.Options{
		BaseURL: parse(tb, "https://api.test"+sandbox.BasePath), TokenPath: "/auth/token", UserAgent: "test",
		APIKey:    apiclient.SecretValue(sandbox.DefaultAPIKey),
		APISecret: apiclient.SecretValue(sandbox.DefaultAPISecret),
		PageSize:  100, Timeout: 15 * time.Second, MaxConcurrency: 4,
		RateLimit: 100_000, RateReserve: 0.5, RefreshInterval: time.Minute,
		BreakerFailures: 1000, BreakerCooldown: 30 * time.Second,
		Random:     func() float64 { return 0.5 },
		Logger:     slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Registerer: r.reg,
		Advice:     map[apiclient.Hint]string{},
	}
	for _, hint := range apiclient.Hints() {
		o.Advice[hint] = "see " + string(hint)
	}
	if api != nil {
		o.Transport = api.Transport()
	}
	if change != nil {
		change(&o)
	}
	r.Client = apiclient.New(o)
	return r
}

func parse(tb testing.TB, address string) *url.URL {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// walk reads all pages and returns them with the error that ended the walk.
func (r *rig) walk(balances bool) (pages []*apiclient.Page, err error) {
	for page, err := range r.Walk(context.Background(), apiclient.WalkOptions{Balances: balances}) {
		if err != nil {
			return pages, err
		}
		pages = append(pages, page)
	}
	return pages, nil
}

// page fetches page 1 with balances and fails the test if it cannot.
func (r *rig) page() *apiclient.Page {
	r.t.Helper()
	page, err := r.Page(context.Background(), 1, true)
	if err != nil {
		r.t.Fatal(err)
	}
	return page
}

// failure fetches page 1 and returns its error, which must be of the reason.
func (r *rig) failure(want apiclient.Reason) error {
	r.t.Helper()
	_, err := r.Page(context.Background(), 1, true)
	if err == nil {
		r.t.Fatalf("no error, want reason %s", want)
	}
	if got := apiclient.ReasonOf(err); got != want {
		r.t.Errorf("reason %s, want %s: %v", got, want, err)
	}
	return err
}

// fails fetches page 1, which must fail for the reason.
func (r *rig) fails(want apiclient.Reason) {
	r.t.Helper()
	_ = r.failure(want)
}

// arrived is how many requests have reached an endpoint.
func (r *rig) arrived(e sandbox.Endpoint) int { return r.api.Counters().Arrived[e] }

// value is the series' value; labels are names and values in turn. A series
// that is absent fails the test.
func (r *rig) value(name string, labels ...string) float64 {
	r.t.Helper()
	m := r.find(name, labels...)
	if m == nil {
		r.t.Fatalf("no series %s %v", name, labels)
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

// find returns a series, or nil.
func (r *rig) find(name string, labels ...string) *dto.Metric {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var got []string
			for _, l := range m.GetLabel() {
				got = append(got, l.GetName(), l.GetValue())
			}
			if slices.Equal(got, labels) {
				return m
			}
		}
	}
	return nil
}

// wantBreaker checks that the state metric is one-hot and names the state.
func (r *rig) wantBreaker(want string) {
	r.t.Helper()
	for _, state := range []string{"closed", "half_open", "open"} {
		expected := 0.0
		if state == want {
			expected = 1
		}
		if got := r.value("yativo_api_circuit_breaker_state", "state", state); got != expected {
			r.t.Errorf("breaker state %s is %v, want the breaker %s", state, got, want)
		}
	}
}

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering is a transport that answers customers pages with one body, and
// mints.
func answering(body string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		text := body
		if strings.HasSuffix(r.URL.Path, "/auth/token") {
			text = `{"access_token":"t","expires_in":3600}`
		}
		return answer(r, http.StatusOK, text), nil
	}
}

func answer(r *http.Request, code int, body string, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: code, Header: h, Body: readCloser{strings.NewReader(body)}, Request: r}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// wait lets fake time pass.
func wait(d time.Duration) { <-time.After(d) }
