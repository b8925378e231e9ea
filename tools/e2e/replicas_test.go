//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

const (
	twinned = "yativo-card-retail"   // the program with two replicas
	single  = "yativo-card-business" // the program with one exporter
)

// The configuration that docs/scaling.md shows, for real: two Prometheus
// servers scrape two replicas of one program and the exporter of another, and
// write to a central one without deduplication, which alone has the rules.
// Whatever there is several times counts once.
func TestReplicasCountOnce(t *testing.T) {
	t.Parallel()
	stalling := sandbox.New(sandbox.Options{Seed: 11, Customers: 250, Speed: 1, Quota: -1, Scenario: sandbox.KYCStall})
	still := sandbox.New(sandbox.Options{Seed: 7, Customers: 87, Quota: -1})
	api := serveSandbox(t, stalling)
	const half = 30 // requests a minute, where one exporter would have 60
	replica := func() *exporter {
		return startExporter(t, settingsFor(t, api).with(settings{
			"YATIVO_RATE_LIMIT":        fmt.Sprint(half),
			"EXPORTER_STALLED_AFTER":   "kyc_initiated:10s",
			"EXPORTER_ABANDONED_AFTER": "kyc_initiated:8760h",
		}))
	}
	first, second := replica(), replica()
	other := startExporter(t, settingsFor(t, serveSandbox(t, still)))

	rules := writeFile(t, t.TempDir(), "rules.yml", renderRehearsal(t, haste, "-job", twinned+","+single))
	central := startPrometheusWith(t, fmt.Sprintf("rule_files: [%q]\n", rules), "--web.enable-remote-write-receiver")
	for n := range 2 {
		startPrometheusWith(t, strings.NewReplacer(
			"scrape_interval: 15s", "scrape_interval: 1s",
			"prometheus-1", fmt.Sprintf("prometheus-%d", n+1),
			"retail-1:10101", first.address, "retail-2:10101", second.address, "business:10101", other.address,
			"http://central:9090", central.url,
		).Replace(scalingExample(t)))
	}

	central.awaitCount(`up{job="`+twinned+`"} == 1`, 4)
	central.awaitCount(`up{job="`+single+`"} == 1`, 2)
	for _, job := range []string{twinned, single} {
		central.awaitCount(`job_flow_status:yativo_card_stalled_customers:max{job="`+job+`"}`, 5)
	}

	central.awaitAlerts(2*time.Minute, "YativoCardKYCStalled", twinned)
	first.signal(syscall.SIGKILL)
	central.awaitCount(`up{job="`+twinned+`"} == 0`, 2)
	// A page that one replica less begins would be there a few evaluations later.
	central.awaitCount(`group(up{job="`+twinned+`"} == 0) and sum_over_time((group(up{job="`+twinned+`"} == 0))[1m:1s]) >= 20`, 1)
	if down, err := central.query(`ALERTS{alertname="YativoCardExporterDown"}`); err != nil || len(down) > 0 {
		t.Errorf("one of two replicas is down, and somebody is told: %v, %v", down, err)
	}
	second.signal(syscall.SIGKILL)
	central.awaitAlerts(time.Minute, "YativoCardExporterDown", twinned)
	if most := sandbox.BusiestMinute(stalling.Requests()); most > 2*half {
		t.Errorf("the API saw %d requests in a minute, more than %d", most, 2*half)
	}
}

// awaitCount waits until a query yields so many elements.
func (p *prometheus) awaitCount(expr string, want int) {
	p.t.Helper()
	eventually(p.t, time.Minute, fmt.Sprintf("%s has %d elements", expr, want), func() error {
		got, err := p.query(expr)
		if err == nil && len(got) != want {
			err = fmt.Errorf("it has %d", len(got))
		}
		return err
	})
}

// awaitAlerts waits until an alert fires, and it must be once and for one job.
func (p *prometheus) awaitAlerts(within time.Duration, alert, job string) {
	p.t.Helper()
	eventually(p.t, within, alert+" fires for "+job, func() error {
		firing, err := p.query(fmt.Sprintf(`ALERTS{alertstate="firing", alertname=%q}`, alert))
		if err != nil {
			return err
		}
		if len(firing) == 0 {
			return errors.New("it does not")
		}
		if len(firing) > 1 || firing[0].Metric["job"] != job {
			p.t.Fatalf("%s fires %d times: %v", alert, len(firing), firing)
		}
		return nil
	})
}

// startPrometheusWith runs Prometheus with a configuration and more arguments.
func startPrometheusWith(t *testing.T, config string, args ...string) *prometheus {
	t.Helper()
	folder := t.TempDir()
	path := writeFile(t, folder, "prometheus.yml", config)
	p := &prometheus{process: start(t, exec.CommandContext(t.Context(), tool(t, "prometheus"), append(args,
		"--config.file="+path, "--storage.tsdb.path="+filepath.Join(folder, "data"),
		"--web.listen-address=127.0.0.1:0", "--log.format=json")...))}
	p.url = "http://" + listenAddress(t, p.process)
	return p
}

// scalingExample is the configuration that docs/scaling.md shows.
func scalingExample(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "scaling.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "```yaml\n")
	example, _, found := strings.Cut(example, "```")
	if !found {
		t.Fatal("docs/scaling.md shows no YAML")
	}
	return example
}
