package check_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose loads compose.yaml as docker compose does, with an environment alone.
func compose(t *testing.T, environment ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../compose.yaml"}, cli.WithEnv(environment), cli.WithInterpolation(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// The demo needs nothing; a real program needs what real.env names.
func TestComposePlaysTheDemoOrTheRealThing(t *testing.T) {
	t.Parallel()
	demo := compose(t)
	if got := strings.Join(demo.Services["exporter"].Command, " "); got != "demo -scenario kyc-stall" {
		t.Errorf("without an environment the exporter runs %q", got)
	}
	if private := demo.Services["exporter"].Environment["EXPORTER_PRIVATE_ADDRESS"]; private == nil || *private != "127.0.0.1:10102" {
		t.Errorf("who is stalled is listed at %v", private)
	}
	if got := mounted(demo, "/etc/prometheus/yativo-card.rules.yml"); got != "deploy/prometheus/rehearsal.rules.yml" {
		t.Errorf("without an environment the rules are %q", got)
	}
	content, err := os.ReadFile("../real.env")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(demo.Services["dashboards"].Command, " "); got != "dashboards -o /dashboards -time-range 30m" {
		t.Errorf("without an environment the dashboards are those of %q", got)
	}
	var environment []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			environment = append(environment, line)
		}
	}
	filled := compose(t, append(environment, "YATIVO_API_KEY=k", "YATIVO_API_SECRET=s")...)
	exporter := filled.Services["exporter"]
	if got := strings.Join(exporter.Command, " "); got != "serve" {
		t.Errorf("with real.env the exporter runs %q", got)
	}
	if key := exporter.Environment["YATIVO_API_KEY"]; key == nil || *key != "k" {
		t.Errorf("the key does not reach the exporter: %v", key)
	}
	if got := mounted(filled, "/etc/prometheus/yativo-card.rules.yml"); got != "alerts/yativo-card.rules.yml" {
		t.Errorf("with real.env the rules are %q", got)
	}
	if got := strings.Join(filled.Services["dashboards"].Command, " "); got != "dashboards -o /dashboards" {
		t.Errorf("with real.env the dashboards are those of %q", got)
	}
	var names []string
	for name := range exporter.Environment {
		names = append(names, name)
	}
	checkVariables(t, names)
}

// mounted is the file, counted from the repository's root, that Prometheus
// finds there.
func mounted(project *types.Project, target string) string {
	for _, v := range project.Services["prometheus"].Volumes {
		if v.Target == target {
			file, err := filepath.Rel(filepath.Dir(project.WorkingDir), v.Source)
			if err == nil {
				return filepath.ToSlash(file)
			}
		}
	}
	return ""
}

// Everything is pinned, on loopback, locked down, and says whether it is well.
func TestComposeServicesAreKept(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`:v?\d+\.\d+\.\d+$`)
	project := compose(t)
	for name, s := range project.Services {
		if s.Build == nil && !pinned.MatchString(s.Image) && project.Services["exporter"].Image != s.Image {
			t.Errorf("%s: the image %s is not pinned", name, s.Image)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %d listens on %q", name, p.Target, p.HostIP)
			}
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not locked down", name)
		}
		if own := name == "exporter" || name == "receiver"; !own && name != "dashboards" && (s.HealthCheck == nil || len(s.HealthCheck.Test) == 0) {
			t.Errorf("%s does not say whether it is well", name)
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
				t.Errorf("%s: mounts %s, read-only: %t, %v", name, v.Source, v.ReadOnly, err)
			}
		}
	}
	dockerfileHas(t, `    CMD ["/yativo-card-exporter", "healthcheck"]`)
}

// The addresses that the configuration files name are services.
func TestComposeConfigurationNamesServices(t *testing.T) {
	t.Parallel()
	project := compose(t)
	for file, pattern := range map[string]string{
		"../prometheus/prometheus.yml":                       `([a-z]+):\d+\]`,
		"../grafana/provisioning/datasources/prometheus.yml": `http://([a-z]+):`,
		"../alertmanager/secrets/page_url":                   `http://([a-z]+):`,
		"../alertmanager/secrets/ticket_url":                 `http://([a-z]+):`,
		"../alertmanager/secrets/watchdog_url":               `http://([a-z]+):`,
	} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(content), -1)
		if len(found) == 0 {
			t.Errorf("%s names no service", file)
		}
		for _, f := range found {
			if _, ok := project.Services[f[1]]; !ok {
				t.Errorf("%s names %s, which is no service", file, f[1])
			}
		}
	}
}
