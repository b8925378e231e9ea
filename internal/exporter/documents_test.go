package exporter

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"yativo-card-exporter/internal/config"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

func TestReadmeBeginsWithTheTwoCommands(t *testing.T) {
	_, block, _ := strings.Cut(testutil.ReadFile(t, "../../README.md"), "```sh\n")
	block, _, _ = strings.Cut(block, "```")
	var commands []string
	for line := range strings.Lines(block) {
		command, _, _ := strings.Cut(line, "#")
		commands = append(commands, strings.TrimSpace(command))
	}
	if diff := gocmp.Diff([]string{"go run . demo", "make test"}, commands); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentsListTheConfiguration(t *testing.T) {
	var rows []string
	for _, v := range config.Variables() {
		defaultValue := ""
		if v.Default != "" {
			defaultValue = "`" + v.Default + "`"
		}
		rows = append(rows, "| `"+v.Name+"` | "+defaultValue+" | "+v.Help+" |")
	}
	compareRows(t, "../../docs/configuration.md", rows)
}

func TestDocumentsListTheMetrics(t *testing.T) {
	var rows []string
	for _, m := range exportedFamilies(t) {
		labels := ""
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		// What all cached metrics say is said once above the table.
		help, _, _ := strings.Cut(m.help, " Cached from ")
		rows = append(rows, "| `"+m.name+"` | "+m.kind+" | "+labels+" | "+help+" |")
	}
	compareRows(t, "../../docs/metrics.md", rows)
}

// knownRhythm returns the state file of a program that was watched for two
// weeks, in which a customer takes each step every hour.
func knownRhythm(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds: onboarding.DefaultThresholds(), RefreshInterval: time.Hour, Path: path,
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(-15 * 24 * time.Hour)
	for hour := range 15 * 24 {
		now = now.Add(time.Hour)
		walk := tracker.Begin(now)
		for customer := max(0, hour-10); customer <= hour; customer++ {
			walk.Observe(onboarding.Observation{ID: strconv.Itoa(customer), Status: onboarding.Status(1 + min(hour-customer, 6))})
		}
		walk.Commit(now, true)
	}
	if err := tracker.Close(); err != nil {
		t.Fatal(err)
	}
	return path
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
	e := newTestExporter(t, sandbox.New(sandbox.Options{Seed: 1, Customers: 250}), environ{"EXPORTER_STATE_FILE": knownRhythm(t)})
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

// compareRows holds the rows of the first table of a document against what the
// code says. Set DOCS=write in the environment to write them.
func compareRows(t *testing.T, path string, want []string) {
	t.Helper()
	text := testutil.ReadFile(t, path)
	header := regexp.MustCompile(`(?m)^\|(---\|)+\n`).FindStringIndex(text)
	if header == nil {
		t.Fatalf("%s has no table", path)
	}
	table, _, _ := strings.Cut(text[header[1]:], "\n\n")
	table = strings.TrimRight(table, "\n")
	diff := gocmp.Diff(want, strings.Split(table, "\n"))
	if diff == "" {
		return
	}
	if os.Getenv("DOCS") == "write" {
		text = strings.Replace(text, table, strings.Join(want, "\n"), 1)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s and the code differ (-code +document); DOCS=write go test ./internal/exporter writes it:\n%s", path, diff)
}
