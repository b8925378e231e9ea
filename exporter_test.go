package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"yativo-card-exporter/internal/sandbox"
)

// environ is an environment for tests.
type environ map[string]string

func (e environ) lookup(name string) (string, bool) {
	value, ok := e[name]
	return value, ok
}

// newTestExporter returns an exporter of a sandbox, with the environment's
// variables over the defaults, that has not refreshed yet.
func newTestExporter(t *testing.T, api *sandbox.Sandbox, env environ) *exporter {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	all := environ{
		"YATIVO_BASE_URL":     server.URL + sandbox.BasePath,
		"YATIVO_API_KEY":      sandbox.DefaultAPIKey,
		"YATIVO_API_SECRET":   sandbox.DefaultAPISecret,
		"EXPORTER_STATE_FILE": "none",
	}
	maps.Copy(all, env)
	c, err := readConfig(all.lookup)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newExporter(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.tracker.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// get asks the exporter's handler, as a client on host.
func (e *exporter) get(t *testing.T, target, host string) (status int, body string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Host = host
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(text)
}

// exportedFamily is a metric as the exposition describes it.
type exportedFamily struct {
	name, kind, help string
	labels           []string
}

// exportedFamilies are the exporter's own metrics, as a scrape shows them after
// one refresh of a sandbox in which every one of them has a value.
func exportedFamilies(t *testing.T) []exportedFamily {
	t.Helper()
	e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 250}), nil)
	e.refresher.Refresh(context.Background())
	_, text := e.get(t, "/metrics", "localhost")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	parsed, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var families []exportedFamily
	for name, f := range parsed {
		if !strings.HasPrefix(name, "yativo_") {
			continue
		}
		families = append(families, exportedFamily{
			name: name, kind: strings.ToLower(f.GetType().String()), help: f.GetHelp(), labels: labelsOf(f),
		})
	}
	slices.SortFunc(families, func(a, b exportedFamily) int {
		return cmp.Or(cmp.Compare(group(a.name), group(b.name)), cmp.Compare(a.name, b.name))
	})
	return families
}

// group puts the customers' metrics before the exporter's own.
func group(name string) int {
	for i, prefix := range []string{"yativo_card_", "yativo_up", "yativo_exporter_"} {
		if strings.HasPrefix(name, prefix) {
			return i
		}
	}
	return 3
}

func labelsOf(f *dto.MetricFamily) []string {
	var labels []string
	for _, pair := range f.GetMetric()[0].GetLabel() {
		labels = append(labels, pair.GetName())
	}
	return labels
}
