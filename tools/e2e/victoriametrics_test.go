//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
	"yativo-card-exporter/internal/testutil"
)

const (
	// victoriaHaste is slower than the chain's, since vmalert is as late as its
	// evaluation delay and its writes take to arrive: half a day in 21 seconds.
	victoriaHaste = 2000

	// victoriaLag is by how much the two engines may differ in time: the two agents
	// scrape and deliver at moments of their own, and the rules take the larger value.
	victoriaLag = 10 * time.Second
)

// startVictoriaMetrics runs a program of VictoriaMetrics and returns its address
// with the process.
func startVictoriaMetrics(t *testing.T, program string, args ...string) *prometheus {
	t.Helper()
	p := start(t, exec.CommandContext(t.Context(), tool(t, program), append(args, "-httpListenAddr=127.0.0.1:0")...))
	return &prometheus{process: p, url: "http://" + awaitLogged(t, p, regexp.MustCompile(`started server at http://(127\.0\.0\.1:[1-9]\d*)/`))}
}

// startOnVictoriaMetrics puts VictoriaMetrics between exporter and Alertmanager.
// Two agents scrape the exporter and write to it: vmagent, and a Prometheus that
// evaluates the same rules for comparison, and keeps what it makes of them to
// itself. vmalert has an external label, as rulers do.
func (c *chain) startOnVictoriaMetrics() (storage *prometheus) {
	t := c.t
	t.Helper()
	folder := t.TempDir()
	rules := writeFile(t, folder, "rules.yml", renderRehearsal(t, victoriaHaste, "-silence-without-rhythm", "12h"))
	scrape := fmt.Sprintf("scrape_configs:\n  - {job_name: yativo-card-exporter, static_configs: [{targets: [%q]}]}\n", c.exporter.address)

	// What is younger than the offset is hidden, for half a minute by default.
	storage = startVictoriaMetrics(t, "victoria-metrics", "-storageDataPath="+filepath.Join(folder, "storage"),
		"-search.latencyOffset=1s", "-search.disableCache")
	startVictoriaMetrics(t, "vmagent", "-remoteWrite.tmpDataPath="+filepath.Join(folder, "vmagent"), "-remoteWrite.url="+storage.url+"/api/v1/write",
		"-promscrape.config="+writeFile(t, folder, "vmagent.yml", "global: {scrape_interval: 1s, external_labels: {agent: vmagent}}\n"+scrape))
	c.prometheus = startPrometheusWith(t, "global: {scrape_interval: 1s, external_labels: {agent: prometheus}}\n"+scrape+fmt.Sprintf(`
rule_files: [%q]
remote_write:
  - url: %s/api/v1/write
    queue_config: {batch_send_deadline: 1s}
    write_relabel_configs: [{source_labels: [__name__], regex: ".*:.*|ALERTS.*", action: drop}]
`, rules, storage.url))
	startVictoriaMetrics(t, "vmalert", "-rule="+rules, "-external.label=cluster=eu-1", "-notifier.url="+c.manager.url,
		"-datasource.url="+storage.url, "-remoteRead.url="+storage.url, "-remoteWrite.url="+storage.url,
		"-rule.evalDelay=2s", "-remoteWrite.flushInterval=1s")
	for _, agent := range []string{"vmagent", "prometheus"} {
		storage.awaitCount(`yativo_up{agent="`+agent+`"}`, 1)
	}
	return storage
}

// The shipped rules, unchanged, say on VictoriaMetrics what they say on
// Prometheus: they page and clear once, record the same, and answer the
// dashboards.
func TestVictoriaMetricsPagesAndAnswersAsPrometheusDoes(t *testing.T) {
	t.Parallel()
	c := startChainEnds(t, sandbox.KYCStall)
	// What silences the balances beside the customers is an order of minutes, and
	// that is less than a second here: whether their page slips out is chance.
	c.ignored = "balances"
	storage := c.startOnVictoriaMetrics()
	began := time.Now()

	c.skipTo(sandbox.StallDelay)
	c.enterKYC(10)
	const stalled, stale = "KYC stalled: ", "The customers data are "
	messages := []string{"CRITICAL: " + stalled}
	c.awaitPages(4*time.Minute, messages...)
	settled := time.Now() // Both have seen enough to fill the windows.
	c.skipTo(sandbox.StallDelay + sandbox.StallFor)
	messages = append(messages, "Resolved: YativoCardKYCStalled")
	c.awaitPages(4*time.Minute, messages...)

	mend := c.api.InjectFault(sandbox.Status(http.StatusServiceUnavailable))
	messages = append(messages, "CRITICAL: "+stale)
	c.awaitPages(4*time.Minute, messages...)
	mend()
	messages = append(messages, "Resolved: YativoCardDataStale, customers")
	c.awaitPages(4*time.Minute, messages...)
	ended := time.Now()
	t.Run("recorded", func(t *testing.T) { compareRecorded(t, c.prometheus, storage, settled, ended) })
	t.Run("dashboards", func(t *testing.T) { compareDashboards(t, c.prometheus, storage, began, ended) })
}

// point is a raw sample.
type point struct {
	seconds float64
	value   float64
}

// recordedBy are the raw samples of all recorded series, without the labels that
// the rulers added.
func recordedBy(t *testing.T, p *prometheus, began, ended time.Time) map[string][]point {
	t.Helper()
	query := url.Values{"time": {unix(ended)}, "query": {fmt.Sprintf(`{__name__=~"job.*:.+"}[%ds]`, int(ended.Sub(began).Seconds()))}}
	all := make(map[string][]point)
	var found []struct {
		Metric map[string]string
		Values [][2]any
	}
	p.mustAsk(t, "/api/v1/query?"+query.Encode(), &found)
	for _, series := range found {
		delete(series.Metric, "cluster")
		name := fmt.Sprint(series.Metric)
		for _, v := range series.Values {
			seconds, _ := v[0].(float64)
			text, _ := v[1].(string)
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			if !math.IsNaN(value) { // The end of a series, to VictoriaMetrics.
				all[name] = append(all[name], point{seconds, value})
			}
		}
	}
	return all
}

// compareRecorded compares each value that vmalert recorded with those that
// Prometheus recorded about then.
func compareRecorded(t *testing.T, prometheus, storage *prometheus, began, ended time.Time) {
	t.Helper()
	want, got := recordedBy(t, prometheus, began.Add(-victoriaLag), ended), recordedBy(t, storage, began, ended)
	if len(want) < 20 {
		t.Fatalf("Prometheus recorded %d series alone", len(want))
	}
	compared := 0
	for name, points := range got {
		if len(want[name]) == 0 {
			t.Errorf("VictoriaMetrics has %s, Prometheus has not", name)
			continue
		}
		for _, p := range points {
			if !near(want[name], p, tolerance(name)) {
				t.Errorf("%s is %v at %.0f, and nothing that Prometheus has within %v: %v", name, p.value, p.seconds, victoriaLag, about(want[name], p.seconds))
				break
			}
			compared++
		}
	}
	for name := range want {
		if len(got[name]) == 0 {
			t.Errorf("Prometheus has %s, VictoriaMetrics has not", name)
		}
	}
	t.Logf("%d series, %d recorded values are those of Prometheus within %v", len(got), compared, victoriaLag)
}

// tolerance is how much a series may change within the lag: ages grow.
func tolerance(name string) float64 {
	if strings.Contains(name, "_age_seconds") || strings.Contains(name, "_quiet_seconds") {
		return victoriaLag.Seconds()
	}
	return 1e-9
}

// near tells whether one of the points about then has the same value, within a
// tolerance. Infinite values have no difference to compare.
func near(points []point, p point, tolerance float64) bool {
	for _, q := range about(points, p.seconds) {
		if q.value == p.value || math.Abs(q.value-p.value) <= tolerance*max(1, math.Abs(p.value)) {
			return true
		}
	}
	return false
}

// about are the samples within the lag.
func about(points []point, seconds float64) (found []point) {
	for _, q := range points {
		if math.Abs(q.seconds-seconds) <= victoriaLag.Seconds() {
			found = append(found, q)
		}
	}
	return found
}

// mustAsk decodes the result of a query.
func (p *prometheus) mustAsk(t *testing.T, path string, result any) {
	t.Helper()
	code, body, _ := testutil.Get(t, p.url+path)
	if code != http.StatusOK {
		t.Fatalf("%s: %d: %s", path, code, body)
	}
	answer := struct{ Data struct{ Result any } }{}
	answer.Data.Result = result
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
