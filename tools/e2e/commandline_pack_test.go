//go:build e2e

package e2e_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A disk that fills up half way leaves the files of before, which Prometheus,
// Alertmanager and Grafana go on reading: half a rule file may be a valid one.
func TestFullDiskLeavesThePackOfBefore(t *testing.T) {
	t.Parallel()
	for command, parameter := range map[string]string{"alerts": "-dashboard-url", "dashboards": "-runbook-url"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if got := runExporter(t, nil, command, "-o", folder); got.code != 0 {
				t.Fatalf("exit code %d: %s", got.code, got.stderr)
			}
			before := readFolder(t, folder)
			// The limit is well within the largest file.
			cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -f 16 && exec "$@"`, "sh",
				exporterBinary, command, "-o", folder, parameter, "https://new.example")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "file too large") {
				t.Errorf("%v, it says %q; want exit code 1 and that the file is too large", err, out)
			}
			if !maps.Equal(before, readFolder(t, folder)) {
				t.Error("the files are not those of before")
			}
		})
	}
}

// readFolder maps the names of the files below a folder to what they hold.
func readFolder(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(os.DirFS(folder), name)
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
