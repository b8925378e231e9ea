//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"yativo-card-exporter/internal/testutil"
)

// prometheus is a running Prometheus.
type prometheus struct {
	*process
	url string
}

// startPrometheus runs Prometheus with the scrape_configs given as YAML.
func startPrometheus(t *testing.T, scrapeConfigs string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	content := "global: {scrape_interval: 1s}\nscrape_configs:\n" + scrapeConfigs
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &prometheus{process: start(t, exec.CommandContext(t.Context(), tool(t, "prometheus"),
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--log.format=json"))}
	p.url = "http://" + listenAddress(t, p.process)
	return p
}

// sample is an element of an instant vector.
type sample struct {
	Metric    map[string]string `json:"metric"`
	Value     [2]any            `json:"value"`     // of a float
	Histogram []json.RawMessage `json:"histogram"` // of a native histogram
}

// name is the sample's series without what the scrape added.
func (s sample) name() string {
	var labels []string
	for name, value := range s.Metric {
		if name != "__name__" && name != "job" && name != "instance" {
			labels = append(labels, name+"="+strconv.Quote(value))
		}
	}
	if len(labels) == 0 {
		return s.Metric["__name__"]
	}
	slices.Sort(labels)
	return s.Metric["__name__"] + "{" + strings.Join(labels, ",") + "}"
}

// query runs an instant query. It returns an error while Prometheus has none
// to give, as it does while it starts.
func (p *prometheus) query(expr string) ([]sample, error) {
	p.t.Helper()
	code, body, _ := testutil.Get(p.t, p.url+"/api/v1/query?query="+url.QueryEscape(expr))
	if code != http.StatusOK {
		return nil, fmt.Errorf("query %s: %d: %s", expr, code, body)
	}
	var answer struct {
		Data struct{ Result []sample }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return nil, fmt.Errorf("query %s: %w", expr, err)
	}
	return answer.Data.Result, nil
}

// values runs an instant query and returns the floats by series.
func (p *prometheus) values(expr string) (series, error) {
	p.t.Helper()
	result, err := p.query(expr)
	if err != nil {
		return nil, err
	}
	all := series{}
	for _, s := range result {
		text, ok := s.Value[1].(string)
		if !ok {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", expr, err)
		}
		all[s.name()] = value
	}
	return all, nil
}
