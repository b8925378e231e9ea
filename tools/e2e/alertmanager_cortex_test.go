//go:build e2e

package e2e_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"
)

// The commands of docs/scaling.md make of the shipped example what an Alertmanager
// of many tenants takes: no files, no patterns, addresses in their place.
func TestAlertmanagerConfigurationForCortex(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	script := exec.CommandContext(t.Context(), "sh", "-eu", "-c", cortexCommands(t))
	script.Dir = folder
	script.Env = append(os.Environ(), "PAGE_URL=https://chat.example/hooks/page", "TICKET_URL=https://chat.example/hooks/ticket",
		"WATCHDOG_URL=https://snitch.example/0123")
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("the commands of docs/scaling.md: %v\n%s", err, out)
	}
	content, err := os.ReadFile(filepath.Join(folder, "cortex.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Templates map[string]string `yaml:"template_files"`
		Config    string            `yaml:"alertmanager_config"`
	}
	if err := yaml.UnmarshalStrict(content, &document); err != nil {
		t.Fatal(err)
	}
	if file := regexp.MustCompile(`(?m)^.*_file:.*$`).FindString(document.Config); file != "" {
		t.Errorf("the configuration still reads a file: %s", file)
	}
	var config struct{ Templates []string }
	if err := yaml.Unmarshal([]byte(document.Config), &config); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(config.Templates, slices.Collect(maps.Keys(document.Templates))) {
		t.Errorf("the configuration names the templates %v, and there are %v", config.Templates, slices.Collect(maps.Keys(document.Templates)))
	}
	for _, address := range []string{"https://chat.example/hooks/page", "https://chat.example/hooks/ticket", "https://snitch.example/0123"} {
		if strings.Count(document.Config, "url: "+address+"\n") != 1 {
			t.Errorf("%s is not the address of one receiver:\n%s", address, document.Config)
		}
	}
	checked := t.TempDir()
	for name, text := range document.Templates {
		writeFile(t, checked, name, text)
	}
	runTool(t, "amtool", "check-config", writeFile(t, checked, "alertmanager.yml", document.Config))
}

// cortexCommands are those of the document, without the call that needs Cortex.
func cortexCommands(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "scaling.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "### Alertmanager of Cortex\n")
	_, commands, _ := strings.Cut(section, "```sh\n")
	commands, _, found := strings.Cut(commands, "curl ")
	if !found {
		t.Fatal("docs/scaling.md shows no commands for Cortex")
	}
	return strings.Replace(commands, "yativo-card-exporter ", exporterBinary+" ", 1)
}
