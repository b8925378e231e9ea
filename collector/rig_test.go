package collector_test

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/goleak"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/collector"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

func TestMain(m *testing.M) {
	// Random cases repeat; -rapid.seed asks for others.
	if err := flag.Set("rapid.seed", "1"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// rig is the whole exporter but its server, in front of a sandbox.
type rig struct {
	*collector.Refresher
	t   testing.TB
	api *sandbox.Sandbox
	reg *prometheus.Registry
	log *logBuffer

	tracker *onboarding.Tracker
}

// settings are what a test may change before the rig is made.
type settings struct {
	client    apiclient.Options
	refresher collector.Options
	stateFile string
}

// newRig makes an exporter with the defaults of the configuration, but for the
// own limit, and what change sets.
func newRig(tb testing.TB, api *sandbox.Sandbox, change func(*settings)) *rig {
	tb.Helper()
	r := &rig{t: tb, api: api, reg: prometheus.NewRegistry(), log: &logBuffer{}}
	base, err := url.Parse("https://api.test" + sandbox.BasePath)
	if err != nil {
		tb.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(r.log, nil))
	s := settings{
		client: apiclient.Options{
			BaseURL: base, TokenPath: "/auth/token", UserAgent: "test",
			APIKey: apiclient.SecretValue(sandbox.DefaultAPIKey), APISecret: apiclient.SecretValue(sandbox.DefaultAPISecret),
			PageSize: 100, Timeout: 15 * time.Second, MaxConcurrency: 4, RateLimit: 100_000, RateReserve: 0.5,
			BreakerFailures: 5, BreakerCooldown: 30 * time.Second, Random: func() float64 { return 0.5 },
			Logger: logger, Registerer: r.reg,
		},
		refresher: collector.Options{
			RefreshInterval: time.Minute, BalanceInterval: 5 * time.Minute, MaxStaleness: 15 * time.Minute, Logger: logger,
		},
	}
	if api != nil {
		s.client.Transport = api.Transport()
	}
	if change != nil {
		change(&s)
	}
	s.client.RefreshInterval = s.refresher.RefreshInterval
	client := apiclient.New(s.client)
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds: onboarding.DefaultThresholds(), RefreshInterval: s.refresher.RefreshInterval, Path: s.stateFile, Logger: logger, Registerer: r.reg,
	})
	if err != nil {
		tb.Fatal(err)
	}
	if s.refresher.Client == nil {
		s.refresher.Client = client
	}
	r.tracker, s.refresher.Tracker = tracker, tracker
	r.Refresher = collector.NewRefresher(s.refresher)
	r.reg.MustRegister(r.Refresher)
	return r
}

// everyRefresh makes each refresh read balances.
func everyRefresh(s *settings) { s.refresher.BalanceInterval = s.refresher.RefreshInterval }

// logBuffer keeps what is logged.
type logBuffer struct{ testutil.Buffer }

// lines are what was logged since the last call.
// lines are those since the last call, without that of a first refresh, which
// is there in every test.
func (l *logBuffer) lines() []string {
	all := slices.Collect(strings.Lines(l.Drain()))
	return slices.DeleteFunc(all, func(line string) bool { return strings.Contains(line, `msg="first refresh ok"`) })
}

func (r *rig) refresh() { r.Refresh(context.Background()) }

// run refreshes in the background until the test's bubble is done with it.
func (r *rig) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// series are all values of a metric by their labels, as a=b,c=d.
func (r *rig) series(name string) map[string]float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			all[strings.Join(labels, ",")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

// want checks a series' value; labels is as in series.
func (r *rig) want(name, labels string, want float64) {
	r.t.Helper()
	got, ok := r.series(name)[labels]
	if !ok || got != want {
		r.t.Errorf("%s{%s} is %v, there %t, want %v", name, labels, got, ok, want)
	}
}

// absent checks that a metric has no series.
func (r *rig) absent(name string) {
	r.t.Helper()
	if all := r.series(name); len(all) > 0 {
		r.t.Errorf("%s is there: %v", name, all)
	}
}

// failures are the counted failures above 0, by reason.
func (r *rig) failures() map[string]float64 {
	r.t.Helper()
	counted := map[string]float64{}
	for labels, n := range r.series("yativo_exporter_refresh_failures_total") {
		if n > 0 {
			counted[strings.TrimPrefix(labels, "reason=")] = n
		}
	}
	return counted
}

// text is the exposition, in a format, of the metrics whose name passes.
func (r *rig) text(format expfmt.Format, pass func(name string) bool) string {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	var b bytes.Buffer
	e := expfmt.NewEncoder(&b, format)
	for _, f := range families {
		if pass(f.GetName()) {
			if err := e.Encode(f); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	if c, ok := e.(expfmt.Closer); ok {
		if err := c.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	return b.String()
}

// wait lets fake time pass.
func wait(d time.Duration) { <-time.After(d) }
