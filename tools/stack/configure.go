//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"yativo-card-exporter/alerts"
	"yativo-card-exporter/tools/rehearsal"
)

// timeScale is how much faster than in production rules and waits run. The
// silence after which KYC pages, quietLimit, becomes a minute with it, which is
// well within the three minutes for which the sandbox stalls.
const (
	timeScale  = 360
	quietLimit = "6h"
)

// configure writes the alert pack and the configurations of Prometheus and
// Alertmanager into the folder.
func configure(folder string, a addresses) error {
	var complaint bytes.Buffer
	if code := alerts.Command([]string{
		"-o", folder, "-silence-without-rhythm", quietLimit,
		"-runbook-url", "http://" + a.exporter + "/runbook",
	}, &complaint, &complaint); code != 0 {
		return fmt.Errorf("write the alert pack: %s", complaint.String())
	}
	rules, err := os.ReadFile(filepath.Join(folder, alerts.RulesFile))
	if err != nil {
		return err
	}
	rules, err = rehearsal.Hasten(rules, timeScale)
	if err != nil {
		return err
	}
	alertmanager, err := os.ReadFile(filepath.Join(folder, "alertmanager.yml"))
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(folder, "secrets"), 0o700); err != nil {
		return err
	}
	for name, content := range map[string]string{
		alerts.RulesFile:       string(rules),
		"alertmanager.yml":     hasten(strings.ReplaceAll(string(alertmanager), "/etc/alertmanager/", folder+"/")),
		"secrets/page_url":     "http://" + a.receiver + "/page",
		"secrets/ticket_url":   "http://" + a.receiver + "/ticket",
		"secrets/watchdog_url": "http://" + a.receiver + "/watchdog",
		"prometheus.yml": fmt.Sprintf(`global: {scrape_interval: 2s, evaluation_interval: 1s}
rule_files: [%s]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
  - {job_name: yativo-card-exporter, static_configs: [{targets: [%q]}]}
`, alerts.RulesFile, a.alertmanager, a.exporter),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// hasten shortens the waits of a configuration of Alertmanager, to a second at
// the least.
func hasten(config string) string {
	return regexp.MustCompile(`(group_wait|group_interval): \S+`).ReplaceAllStringFunc(config, func(line string) string {
		name, value, _ := strings.Cut(line, ": ")
		wait, err := model.ParseDuration(value)
		if err != nil || wait == 0 {
			return line
		}
		return name + ": " + model.Duration(max(time.Duration(wait)/timeScale, time.Second)).String()
	})
}
