//go:build e2e

// Package e2e_test runs the exporter as it ships: the real binary, as a process
// of its own, over real sockets, against the sandbox that plays the API and
// under the eyes of a real Prometheus.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"yativo-card-exporter/internal/testutil"
)

const (
	// root is the folder of the repository, as seen from here.
	root = "../.."
	// version is what the binary under test is told to be.
	version = "v1.2.3-e2e"
)

// exporterBinary is the path of the binary under test, built once for all.
var exporterBinary string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "yativo-e2e")
	if err != nil {
		return 0, err
	}
	defer func() { err = cleanUp(dir, err) }()

	exporterBinary = filepath.Join(dir, "yativo-card-exporter")
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath",
		"-ldflags", "-s -w -X main.version="+version, "-o", exporterBinary, ".")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the exporter: %w\n%s", err, out)
	}
	return m.Run(), nil
}

func cleanUp(dir string, err error) error {
	if removeErr := os.RemoveAll(dir); err == nil {
		return removeErr
	}
	return err
}

// tool is the path of a program that `make tools` builds.
func tool(t *testing.T, program string) string {
	t.Helper()
	path, err := testutil.Tool(root, program)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
