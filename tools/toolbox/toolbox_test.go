//go:build unix

package toolbox_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"yativo-card-exporter/tools/toolbox"
)

// checkout is a repository with one small module below tools/.
type checkout struct {
	t   *testing.T
	box toolbox.Box
	log *bytes.Buffer
}

func newCheckout(t *testing.T) *checkout {
	c := &checkout{t: t, log: &bytes.Buffer{}}
	c.box = toolbox.Box{
		Root:    t.TempDir(),
		Modules: []toolbox.Module{{Name: "greeter", Programs: []string{"hello"}, Cold: "a second"}},
		Log:     c.log,
	}
	c.write("go.mod", "module example.test/greeter\n\ngo 1.26.0\n\ntool example.test/greeter/hello\n")
	c.write("hello/main.go", "package main\n\nfunc main() { print(`hello`) }\n")
	return c
}

func (c *checkout) write(name, content string) {
	c.t.Helper()
	name = filepath.Join(c.box.Root, "tools", "greeter", name)
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *checkout) binary() string {
	c.t.Helper()
	bin, err := c.box.Binary(c.t.Context(), "hello")
	if err != nil {
		c.t.Fatal(err)
	}
	out, err := exec.CommandContext(c.t.Context(), bin).CombinedOutput()
	if err != nil || string(out) != "hello" {
		c.t.Fatalf("%s printed %q, %v; want hello", bin, out, err)
	}
	return bin
}

func (c *checkout) builds() int { return strings.Count(c.log.String(), "toolbox: building hello") }

func TestBuildsOnceForEachPin(t *testing.T) {
	c := newCheckout(t)
	first := c.binary()
	if again := c.binary(); again != first || c.builds() != 1 {
		t.Errorf("the second call built anew: %s and %s, %d builds", first, again, c.builds())
	}

	c.write("go.sum", "")
	second := c.binary()
	if second == first || c.builds() != 2 {
		t.Errorf("a changed go.sum did not lead to a new build: %s and %s, %d builds", first, second, c.builds())
	}
	if _, err := os.Stat(first); !os.IsNotExist(err) {
		t.Errorf("the build of the older pin is still there: %v", err)
	}
}

func TestConcurrentCallersShareOneBuild(t *testing.T) {
	c := newCheckout(t)
	c.box.Log = &lockedWriter{w: c.log}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := c.box.Binary(t.Context(), "hello"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if c.builds() != 1 {
		t.Errorf("%d builds for four callers, want 1:\n%s", c.builds(), c.log)
	}
}

func TestFailedBuildLeavesNothingThatLooksBuilt(t *testing.T) {
	c := newCheckout(t)
	c.write("hello/main.go", "package main\n\nfunc main() { undefined() }\n")
	_, err := c.box.Binary(t.Context(), "hello")
	if err == nil || !strings.Contains(err.Error(), "build tools/greeter") || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Fatalf("error %v; want it to name the module and the compiler's complaint", err)
	}

	c.write("hello/main.go", "package main\n\nfunc main() { print(`hello`) }\n")
	c.binary()
}

func TestProgramThatNoModuleBuilds(t *testing.T) {
	c := newCheckout(t)
	if _, err := c.box.Binary(t.Context(), "goodbye"); err == nil || !strings.Contains(err.Error(), "goodbye") {
		t.Errorf("error %v; want one that names the program", err)
	}
	c.box.Modules[0].Programs = []string{"hello", "goodbye"}
	if _, err := c.box.Binary(t.Context(), "goodbye"); err == nil || !strings.Contains(err.Error(), "tool line") {
		t.Errorf("error %v; want one that says that a tool line is missing", err)
	}
}

func TestModulesAgreeWithTheirToolLines(t *testing.T) {
	box, err := toolbox.Open(".", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(box.Root, "tools", "*", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range box.Modules {
		file := filepath.Join(box.Root, "tools", m.Name, "go.mod")
		if !slices.Contains(files, file) {
			t.Errorf("module %s has no tools/%s/go.mod", m.Name, m.Name)
			continue
		}
		found++
		if lines := toolLines(t, file); !slices.Equal(lines, m.Programs) {
			t.Errorf("tools/%s/go.mod builds %q, toolbox.Modules says %q", m.Name, lines, m.Programs)
		}
	}
	if found == 0 {
		t.Error("no module was compared")
	}
}

// toolLines returns the base names of the tool lines of a go.mod file.
func toolLines(t *testing.T, file string) []string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var programs []string
	block := regexp.MustCompile(`(?s)\ntool(?: \((.*?)\n\)| ([^\n]+))`).FindSubmatch(content)
	if block == nil {
		t.Fatalf("%s has no tool line", file)
	}
	for line := range strings.FieldsSeq(string(block[1]) + string(block[2])) {
		programs = append(programs, path.Base(line))
	}
	return programs
}

// lockedWriter lets several callers write to one buffer.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
