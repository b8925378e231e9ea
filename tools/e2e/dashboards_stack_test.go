//go:build e2e

package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The stack that shows newcomers a page comes up with one command, down to the
// receiver that prints, and ends cleanly.
func TestStackReachesItsReceiver(t *testing.T) {
	t.Parallel()
	temporary := t.TempDir()
	program := filepath.Join(t.TempDir(), "stack")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./tools/stack")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the stack: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(context.Background(), program, "-scenario", "kyc-stall")
	cmd.Dir = root
	cmd.Env = append(inherited(), "TMPDIR="+temporary)
	stack := start(t, cmd)
	eventually(t, 5*time.Minute, "an alert has gone from Prometheus through Alertmanager to the receiver", func() error {
		if !strings.Contains(stack.Stdout.String(), "The watchdog's alert arrives") {
			return errors.New("the receiver has printed nothing")
		}
		return nil
	})
	stack.endCleanly(syscall.SIGINT, 30*time.Second)
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) > 0 {
		t.Errorf("it leaves %v in the temporary folder, %v", left, err)
	}
}

func TestStackRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./tools/stack", "-scenario", "kyc-stal")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), `scenario "kyc-stal" does not exist`) {
		t.Errorf("an unknown scenario: %v\n%s", err, out)
	}
}

// A release is binaries that know their version, with checksums that hold and
// lists of the modules they are made of.
func TestReleaseKnowsItsVersion(t *testing.T) {
	t.Parallel()
	dist := t.TempDir()
	release := exec.CommandContext(t.Context(), filepath.Join(root, "deploy", "release.sh"))
	release.Env = append(inherited(), "DIST="+dist, "VERSION=v9.8.7", "PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH)
	if out, err := release.CombinedOutput(); err != nil {
		t.Fatalf("release: %v\n%s", err, out)
	}
	name := fmt.Sprintf("yativo-card-exporter-v9.8.7-%s-%s", runtime.GOOS, runtime.GOARCH)
	version, err := exec.CommandContext(t.Context(), filepath.Join(dist, name), "--version").Output()
	if err != nil || !strings.Contains(string(version), "v9.8.7") {
		t.Errorf("%s says of itself %q, %v", name, version, err)
	}
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	sums := ""
	for _, file := range []string{name, name + ".cdx.json"} {
		sum := sha256.Sum256(read(file))
		sums += hex.EncodeToString(sum[:]) + "  " + file + "\n"
	}
	if got := string(read("SHA256SUMS")); got != sums {
		t.Errorf("the checksums are %q, want %q", got, sums)
	}
	parts := string(read(name + ".cdx.json"))
	for _, module := range []string{"github.com/prometheus/client_golang", "github.com/sethvargo/go-envconfig", "github.com/lmittmann/tint", "github.com/sony/gobreaker/v2"} {
		if !strings.Contains(parts, `"purl": "pkg:golang/`+module+"@v") {
			t.Errorf("the list of parts lacks %s", module)
		}
	}
}
