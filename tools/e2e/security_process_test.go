//go:build e2e

package e2e_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"yativo-card-exporter/internal/sandbox"
)

// Secrets that come from files are nowhere where another process can look, and
// those that come from the environment are not on the command line.
func TestSecretsAreNotInTheProcess(t *testing.T) {
	t.Parallel()
	env := settingsFor(t, serveSandbox(t, stillPopulation()))
	key, secret := filepath.Join(t.TempDir(), "key"), filepath.Join(t.TempDir(), "secret")
	replaceFile(t, key, sandbox.DefaultAPIKey)
	replaceFile(t, secret, sandbox.DefaultAPISecret)
	for name, c := range map[string]struct {
		env   settings
		files []string // below /proc/PID
	}{
		"from files": {env.with(settings{
			"YATIVO_API_KEY": "", "YATIVO_API_SECRET": "", "YATIVO_API_KEY_FILE": key, "YATIVO_API_SECRET_FILE": secret,
			"EXPORTER_STATE_FILE": "none",
		}), []string{"cmdline", "environ", "comm"}},
		"from the environment": {env, []string{"cmdline", "comm"}},
	} {
		exporter := startExporter(t, c.env)
		exporter.awaitReady()
		for _, file := range c.files {
			content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(exporter.Cmd.Process.Pid), file))
			if err != nil {
				t.Fatal(err)
			}
			mustNotShow(t, name+": "+file, string(content), []string{sandbox.DefaultAPIKey, sandbox.DefaultAPISecret})
		}
	}
}

// The state file is the owner's alone and names nobody.
func TestStateFileIsPrivate(t *testing.T) {
	t.Parallel()
	api := stillPopulation()
	folder := filepath.Join(t.TempDir(), "state")
	env := settingsFor(t, serveSandbox(t, api)).with(settings{"EXPORTER_STATE_FILE": filepath.Join(folder, "state.db")})
	state, _ := savedState(t, env)
	for _, c := range api.Customers() {
		for _, personal := range []string{c.ID, c.CardID, c.ExternalID, c.Email} {
			if strings.Contains(string(state), personal) {
				t.Fatalf("the state file holds %q", personal)
			}
		}
	}
	mustNotShow(t, "the state file", string(state), []string{sandbox.DefaultAPIKey, sandbox.DefaultAPISecret})
	for path, want := range map[string]fs.FileMode{folder: fs.ModeDir | 0o700, env["EXPORTER_STATE_FILE"]: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

// As in the image: nothing but the binary, nothing writable but the state
// folder, and a user who is nobody.
func TestRunsInAnEmptyReadOnlyRoot(t *testing.T) {
	t.Parallel()
	const volume, nobody = "/var/lib/yativo-card-exporter", 65532
	inside, outside := emptyRoot(t, volume), emptyRoot(t, volume)
	owner := 0
	if os.Geteuid() == 0 {
		owner = nobody
	}
	enter := ownMounts(fmt.Sprintf(`mount --bind "$ROOT" "$ROOT" &&
		mount -t tmpfs -o mode=700,uid=%[1]d,gid=%[1]d tmpfs "$ROOT%[2]s" &&
		mount -o remount,bind,ro "$ROOT" &&
		exec chroot --userspec=%[1]d:%[1]d "$ROOT" /yativo-card-exporter`, owner, volume))
	env := settingsFor(t, serveSandbox(t, stillPopulation())).with(settings{"TMPDIR": volume})

	exporter := startExporterBy(t, enter, env.with(settings{"ROOT": inside, "EXPORTER_STATE_FILE": volume + "/state.db"}))
	exporter.awaitReady()
	if err := exporter.metrics().is(stateErrors, 0); err != nil {
		t.Error(err)
	}
	written, err := os.Stat("/proc/" + strconv.Itoa(exporter.Cmd.Process.Pid) + "/root" + volume + "/state.db")
	if err != nil || written.Size() == 0 {
		t.Errorf("the state is not in its folder: %v", err)
	}
	if ids := "Uid:\t" + strings.Repeat(strconv.Itoa(owner)+"\t", 3); owner == nobody && !strings.Contains(processStatus(t, exporter.Cmd.Process.Pid), ids) {
		t.Errorf("it runs as another user:\n%s", processStatus(t, exporter.Cmd.Process.Pid))
	}
	exporter.signal(syscall.SIGTERM)

	elsewhere := startProcess(t, enter, env.with(settings{"ROOT": outside, "EXPORTER_STATE_FILE": "/data/state.db"}))
	refusesToStart(t, elsewhere, "EXPORTER_STATE_FILE", "read-only file system")
}

// emptyRoot makes a root folder with the binary and an empty folder in it.
func emptyRoot(t *testing.T, folder string) string {
	t.Helper()
	dir := t.TempDir()
	binary, err := os.ReadFile(exporterBinary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "yativo-card-exporter"), binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil { //nolint:gosec // to be passed by another user
		t.Fatal(err)
	}
	return dir
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
