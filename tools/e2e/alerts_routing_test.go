//go:build e2e

package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v2"
)

// shippedAlerts are the labels that the shipped rules give to each alert.
func shippedAlerts(t *testing.T) []map[string]string {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert  string
				Labels map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(renderRules(t)), &file); err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Alert != "" {
				rule.Labels["alertname"] = rule.Alert
				all = append(all, rule.Labels)
			}
		}
	}
	if len(all) < 18 {
		t.Fatalf("found %d alerts", len(all))
	}
	return all
}

func TestAlertmanagerConfigurationIsAccepted(t *testing.T) {
	t.Parallel()
	runTool(t, "amtool", "check-config", alertsFolder+"/alertmanager.yml")
}

// Each alert reaches the receiver of its severity, and no other.
func TestEveryAlertIsRouted(t *testing.T) {
	t.Parallel()
	receivers := map[string]string{"critical": "page", "warning": "ticket", "info": "watchdog"}
	for _, labels := range shippedAlerts(t) {
		runTool(t, "amtool", "config", "routes", "test", "--config.file="+alertsFolder+"/alertmanager.yml",
			"--verify.receivers="+receivers[labels["severity"]],
			"alertname="+labels["alertname"], "severity="+labels["severity"], "job=yativo-card-exporter")
	}
}

// The test page of the README comes as a page does.
func TestTestPageArrives(t *testing.T) {
	t.Parallel()
	a := startAlertmanager(t, "group_wait: 30s", "group_wait: 1s")
	runTool(t, "amtool", "alert", "add", "YativoCardTest", "severity=critical", "--annotation=summary=Test", "--alertmanager.url="+a.url)
	eventually(t, 30*time.Second, "the page arrives", func() error {
		if titles, _ := a.messages.of("page"); !slices.Equal(titles, []string{"CRITICAL: Test"}) {
			return fmt.Errorf("the pages are %q", titles)
		}
		return nil
	})
}

// What follows from another alert is muted within its job, and nothing else is. A
// running Alertmanager is shown every pair of alerts, each in a job of its own.
func TestInhibitions(t *testing.T) {
	t.Parallel()
	const (
		onboarding = "KYCStalled critical,StepStalled warning,StepLosing warning,SignUpsStopped warning,ListFrozen warning,WalletsAbandoned warning," +
			"SafeDeploymentStalled critical,SafeDeploymentStalled warning,ActiveWithoutSafe warning,CustomersMissing warning"
		balances = "PendingBalanceHigh warning,BalanceMismatch warning,BalancesMissing warning"
	)
	mutes := map[string]string{
		"ExporterDown critical":          onboarding + "," + balances + ",RefreshFailing warning,DataStale customers critical,DataStale balances critical",
		"DataStale customers critical":   onboarding + ",RefreshFailing warning,DataStale balances critical",
		"DataStale balances critical":    balances + ",RefreshFailing warning",
		"AuthFailing critical":           "RefreshFailing warning,DataStale customers critical,DataStale balances critical",
		"KYCStalled critical":            "StepLosing warning",
		"StepStalled warning":            "StepLosing warning",
		"SafeDeploymentStalled critical": "SafeDeploymentStalled warning",
	}
	manager := startAlertmanager(t)
	var firing []map[string]string
	want := make(map[string]bool)
	all := shippedAlerts(t)
	for _, a := range all {
		for _, b := range all {
			job := alertKey(a) + " and " + alertKey(b)
			firing = append(firing, withJob(a, job), withJob(b, job))
			want[alertKey(withJob(a, job))] = slices.Contains(strings.Split(mutes[alertKey(b)], ","), alertKey(a))
			want[alertKey(withJob(b, job))] = slices.Contains(strings.Split(mutes[alertKey(a)], ","), alertKey(b))
		}
	}
	if muted := slices.Collect(maps.Values(want)); !slices.Contains(muted, true) {
		t.Fatal("no alert mutes another")
	}
	eventually(t, 30*time.Second, "Alertmanager mutes what others explain", func() error {
		if err := manager.post(firing...); err != nil {
			return err
		}
		got, err := manager.inhibited()
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("muted (-want +got):\n%s", diff)
		}
		return nil
	})
}

func withJob(labels map[string]string, job string) map[string]string {
	labels = maps.Clone(labels)
	labels["job"] = job
	return labels
}
