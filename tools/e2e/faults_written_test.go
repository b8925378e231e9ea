//go:build e2e

package e2e_test

import (
	"errors"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"yativo-card-exporter/internal/testutil"
)

// writtenFaults are what people write, into the environment and onto a disk.
func writtenFaults() []ownFault {
	return []ownFault{
		{
			"a misspelled variable, or one that only other programs read (`ALL_PROXY`)",
			"warns at the start and in `check`, with the nearest known name, and goes on without it",
			misspeltVariable,
		},
		{
			"what a shell would have removed or replaced: quotes, `~/`, a carriage return; also `Bearer` before a token, and `None`",
			"exits 78 and names the variable, never its value",
			unshelledValues,
		},
		{"a proxy that cannot be parsed, which Go ignores", "exits 78 and names the variable; no request avoids the proxy", unusableProxy},
		{
			"the disk fills up under `alerts -o` or `dashboards -o`",
			"exits 1, and leaves the previous files, since half a rule file may be a valid one",
			fullDiskUnderThePack,
		},
		{
			"`alerts -o` over a changed `alertmanager.yml` or template",
			"keeps it, writes the shipped one beside it with `.new`, and says so",
			changedPack,
		},
	}
}

func misspeltVariable(t *testing.T) {
	t.Helper()
	env := settingsFor(t, serveSandbox(t, stillPopulation())).with(settings{
		"EXPORTER_STALED_AFTER": "kyc_initiated:1h", "ALL_PROXY": "socks5://127.0.0.1:9",
	})
	exporter := startExporter(t, env)
	exporter.awaitReady()
	check := runExporter(t, env, "check")
	for _, want := range []string{
		"EXPORTER_STALED_AFTER: is not known and has no effect; the nearest known name is EXPORTER_STALLED_AFTER",
		"ALL_PROXY: has no effect; set HTTPS_PROXY",
	} {
		if !strings.Contains(exporter.Stderr.String(), want) || check.code != 0 || !strings.Contains(check.stdout, want) {
			t.Errorf("no %q at the start, or in check, which exits %d: %s", want, check.code, check.stdout)
		}
	}
}

func unshelledValues(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"YATIVO_API_SECRET":       `"planted"`,
		"YATIVO_ACCESS_TOKEN":     "Bearer planted",
		"EXPORTER_STATE_FILE":     "~/planted.db",
		"EXPORTER_LISTEN_ADDRESS": "planted:10101\r",
		"YATIVO_API_KEY_FILE":     "'planted'",
	} {
		expectRefusal(t, settings{name: value}, name)
	}
	expectRefusal(t, settings{"EXPORTER_STATE_FILE": "None"}, "EXPORTER_STATE_FILE")
}

func unusableProxy(t *testing.T) {
	t.Helper()
	for _, proxy := range []string{"http://planted:port", "ftp://planted", "http://", "http://[::1"} {
		expectRefusal(t, settings{"HTTPS_PROXY": proxy}, "HTTPS_PROXY")
	}
}

// expectRefusal starts the exporter with what is wrong, which must end it with
// a word on the variable and none on its value.
func expectRefusal(t *testing.T, wrong settings, name string) {
	t.Helper()
	got := runExporter(t, settings{"YATIVO_API_KEY": "k", "YATIVO_API_SECRET": "s"}.with(wrong))
	if got.code != 78 || !strings.Contains(got.stderr, name+": ") || strings.Contains(got.stderr, "planted") {
		t.Errorf("with %v it exits %d and says %q; want 78, the variable and not its value", wrong, got.code, got.stderr)
	}
}

func fullDiskUnderThePack(t *testing.T) {
	t.Helper()
	for command, parameter := range map[string]string{"alerts": "-dashboard-url", "dashboards": "-runbook-url"} {
		folder := t.TempDir()
		if got := runExporter(t, nil, command, "-o", folder); got.code != 0 {
			t.Fatalf("exit code %d: %s", got.code, got.stderr)
		}
		before := testutil.ReadFolder(t, folder)
		// The limit is well within the largest file.
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -f 16 && exec "$@"`, "sh",
			exporterBinary, command, "-o", folder, parameter, "https://new.example")
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "file too large") {
			t.Errorf("%s: %v, it says %q; want exit code 1 and that the file is too large", command, err, out)
		}
		if !maps.Equal(before, testutil.ReadFolder(t, folder)) {
			t.Errorf("%s: the files are not those of before", command)
		}
	}
}

func changedPack(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	for _, want := range []string{"", "alertmanager.yml differs from the shipped version and is kept"} {
		got := runExporter(t, nil, "alerts", "-o", folder)
		if got.code != 0 || !strings.Contains(got.stderr, want) {
			t.Errorf("exit code %d, and it says %q, want %q", got.code, got.stderr, want)
		}
		overwrite(t, filepath.Join(folder, "alertmanager.yml"), []byte("changed"))
	}
	files := testutil.ReadFolder(t, folder)
	shipped := testutil.ReadFolder(t, alertsFolder)["alertmanager.yml"]
	if files["alertmanager.yml"] != "changed" || files["alertmanager.yml.new"] != shipped {
		t.Error("what was changed is not kept, or the shipped version is not beside it")
	}
}
