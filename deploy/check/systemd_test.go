package check_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
)

const unitName = "yativo-card-exporter.service"

func unitFile(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../systemd", unitName))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The unit and its environment file name what the product knows.
func TestUnitConfiguresTheExporter(t *testing.T) {
	t.Parallel()
	options, err := unit.DeserializeOptions(strings.NewReader(unitFile(t)))
	if err != nil {
		t.Fatal(err)
	}
	has := map[string][]string{}
	for _, o := range options {
		has[o.Name] = append(has[o.Name], o.Value)
	}
	var names []string
	for _, assignment := range has["Environment"] {
		name, value, _ := strings.Cut(assignment, "=")
		names = append(names, name)
		if credential, ok := strings.CutPrefix(value, "%d/"); ok && !strings.Contains(strings.Join(has["LoadCredential"], " "), credential+":") {
			t.Errorf("%s reads the credential %s, which is not loaded", name, credential)
		}
	}
	if len(has["StateDirectory"]) != 1 || !strings.Contains(strings.Join(has["Environment"], " "), "EXPORTER_STATE_FILE=%S/"+has["StateDirectory"][0]+"/") {
		t.Errorf("the state file is not in the state directory %v", has["StateDirectory"])
	}
	if got := strings.Join(has["RestartPreventExitStatus"], " "); got != "64 78" {
		t.Errorf("restart is prevented for the exit codes %s, want those of a wrong command line and a wrong configuration, 64 78", got)
	}
	environment, err := os.ReadFile("../systemd/exporter.env")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(environment)) {
		// An example that is commented out must be right as well.
		if name, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "#"), "="); ok && !strings.Contains(name, " ") {
			names = append(names, name)
		}
	}
	checkVariables(t, names)
}

// systemd itself has nothing to object to, where it is installed.
func TestSystemdAcceptsTheUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed: the unit is parsed alone")
		return
	}
	// The program need not be installed here.
	file := filepath.Join(t.TempDir(), unitName)
	content := strings.Replace(unitFile(t), "ExecStart=/usr/local/bin/yativo-card-exporter", "ExecStart=/bin/true", 1)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), analyze, "verify", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--threshold=20", "--no-pager", file).CombinedOutput(); err != nil {
		t.Errorf("the unit is exposed: %v\n%s", err, out)
	}
}
