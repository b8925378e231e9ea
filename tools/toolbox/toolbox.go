//go:build unix

// Package toolbox builds the real programs that the tests run (Prometheus,
// Alertmanager, the linters) from their pinned modules below tools/, once, into
// the ignored folder .tools of the checkout.
//
// Each module's programs stand in a folder that is named by the module and by
// a hash of what decides their content, so a changed pin is a new folder, and a
// present folder is always complete. The tools stay out of the product's own
// go.mod, and they are called as plain binaries because `go tool` takes no
// build tags and links anew.
package toolbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Module is one Go module below tools/ and the programs that its tool lines
// name.
type Module struct {
	Name     string   // The folder below tools/.
	Tags     string   // Build tags, separated by commas.
	Programs []string // The base names of the tool lines.
	Cold     string   // Roughly how long a first build takes, for the reader.
}

// Modules lists the modules of this repository, the slowest first.
func Modules() []Module {
	return []Module{
		// Service discovery for every cloud is most of Prometheus' build time,
		// and the tests only need static targets.
		{Name: "prometheus", Tags: "remove_all_sd", Programs: []string{"prometheus", "promtool"}, Cold: "4 minutes"},
		{Name: "lint", Programs: []string{"golangci-lint"}, Cold: "2 minutes"},
		{Name: "alertmanager", Programs: []string{"alertmanager", "amtool"}, Cold: "a minute"},
		{Name: "pint", Programs: []string{"pint"}, Cold: "a minute"},
		{Name: "victoriametrics", Programs: []string{"victoria-metrics", "vmagent", "vmalert", "vmalert-tool"}, Cold: "a minute"},
		{Name: "toxiproxy", Programs: []string{"server"}, Cold: "10 seconds"},
	}
}

// Box builds and finds the programs of one checkout.
type Box struct {
	Root    string    // The checkout, the folder that holds tools/.
	Modules []Module  // The modules that it can build.
	Log     io.Writer // Where it says what it builds; never nil.
}

// Open returns the Box of the checkout that dir is in.
func Open(dir string, log io.Writer) (*Box, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the checkout: %w", err)
	}
	for root := dir; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "tools", "toolbox")); err == nil {
			return &Box{Root: root, Modules: Modules(), Log: log}, nil
		}
		if root == filepath.Dir(root) {
			return nil, fmt.Errorf("find the checkout: no folder above %s holds tools/toolbox", dir)
		}
	}
}

// Binary returns the path of a program, building its module first if that has
// not happened yet. The test fails if the program cannot be had.
func Binary(tb testing.TB, program string) string {
	tb.Helper()
	box, err := Open(".", os.Stderr)
	if err != nil {
		tb.Fatal(err)
	}
	path, err := box.Binary(tb.Context(), program)
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// Binary returns the path of a program, building its module first if that has
// not happened yet.
func (b *Box) Binary(ctx context.Context, program string) (string, error) {
	for _, m := range b.Modules {
		if slices.Contains(m.Programs, program) {
			dir, err := b.Build(ctx, m)
			return filepath.Join(dir, program), err
		}
	}
	return "", fmt.Errorf("find %s: no module below tools/ builds it; add it to toolbox.Modules", program)
}

// Build returns the folder that holds the module's programs. If they are not
// there yet it builds them, one process at a time, and removes what older pins
// of the module left behind.
func (b *Box) Build(ctx context.Context, m Module) (string, error) {
	key, err := b.key(m)
	if err != nil {
		return "", fmt.Errorf("identify tools/%s: %w", m.Name, err)
	}
	cache := filepath.Join(b.Root, ".tools")
	dir := filepath.Join(cache, m.Name+"-"+key)
	if exists(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o750); err != nil {
		return "", fmt.Errorf("build tools/%s: %w", m.Name, err)
	}
	unlock, err := b.lock(ctx, m, filepath.Join(cache, m.Name+".lock"))
	if err != nil {
		return "", fmt.Errorf("build tools/%s: %w", m.Name, err)
	}
	defer unlock()
	if exists(dir) {
		return dir, nil
	}
	if err := removeAll(filepath.Join(cache, m.Name+"-*")); err != nil {
		return "", fmt.Errorf("remove earlier builds of tools/%s: %w", m.Name, err)
	}
	if err := b.compile(ctx, m, dir); err != nil {
		return "", fmt.Errorf("build tools/%s: %w", m.Name, err)
	}
	return dir, nil
}

// key is a hash of everything that decides what the module's programs contain.
func (b *Box) key(m Module) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH, m.Tags, m.Programs)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(b.Root, "tools", m.Name, name))
		if name == "go.sum" && errors.Is(err, os.ErrNotExist) {
			continue // A module without dependencies has none.
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, name, len(content))
		h.Write(content)
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

// lock waits until no other process builds the module. The kernel drops the
// lock with the process that holds it, so a build that was killed blocks
// nobody.
func (b *Box) lock(ctx context.Context, m Module, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for said := false; ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		if !said {
			fmt.Fprintf(b.Log, "toolbox: waiting for another process that builds %s\n", strings.Join(m.Programs, ", "))
			said = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		}
	}
}

// compile builds the module's tool lines into a folder beside dir and renames
// it, so that dir is never seen half filled.
func (b *Box) compile(ctx context.Context, m Module, dir string) error {
	programs := strings.Join(m.Programs, ", ")
	fmt.Fprintf(b.Log, "toolbox: building %s, once for this checkout; on a new machine this takes about %s\n", programs, m.Cold)
	start := time.Now()

	partial := dir + ".partial"
	if err := os.MkdirAll(partial, 0o750); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(b.Root, "tools", m.Name),
		"-trimpath", "-tags", m.Tags, "-ldflags", "-s -w", "-o", partial+string(filepath.Separator), "tool")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	for _, p := range m.Programs {
		if !exists(filepath.Join(partial, p)) {
			return fmt.Errorf("no tool line of its go.mod builds %s", p)
		}
	}
	if err := os.Rename(partial, dir); err != nil {
		return err
	}
	fmt.Fprintf(b.Log, "toolbox: built %s in %s\n", programs, time.Since(start).Round(time.Second))
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func removeAll(pattern string) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, path := range paths {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}
