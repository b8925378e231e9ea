//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instruction is a line of a Dockerfile, continuations joined.
type instruction struct{ name, rest string }

// dockerfile returns the instructions of each stage.
func dockerfile(t *testing.T) (stages [][]instruction) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(string(content), "")
	text = regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, "")
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "FROM":
			stages = append(stages, []instruction{{name, rest}})
		case name != "" && len(stages) > 0:
			stages[len(stages)-1] = append(stages[len(stages)-1], instruction{name, rest})
		}
	}
	return stages
}

// What the image promises to whoever runs it stands in its last stage.
func TestImageKeepsItsPromises(t *testing.T) {
	t.Parallel()
	stages := dockerfile(t)
	final := stages[len(stages)-1]
	for what, want := range map[string]instruction{
		"nothing but what is copied": {"FROM", `^scratch$`},
		"certificate authorities":    {"COPY", `^--from=build \S*/ca-certificates\.crt /etc/ssl/certs/ca-certificates\.crt$`},
		"a state folder of its own":  {"COPY", `^--from=build --chown=65532:65532 \S+ /var/lib/$`},
		"the binary, owned by root":  {"COPY", `^--from=build \S+/yativo-card-exporter /yativo-card-exporter$`},
		"a numeric user, not root":   {"USER", `^65532:65532$`},
		"state in that folder":       {"ENV", `EXPORTER_STATE_FILE=/var/lib/yativo-card-exporter/state\.db`},
		"temporary files as well":    {"ENV", `TMPDIR=/var/lib/yativo-card-exporter$`},
		"a volume for it":            {"VOLUME", `^\["/var/lib/yativo-card-exporter"\]$`},
		"the port":                   {"EXPOSE", `^10101$`},
		"a check without a shell":    {"HEALTHCHECK", `CMD \["/yativo-card-exporter", "healthcheck"\]$`},
		"the exporter itself":        {"ENTRYPOINT", `^\["/yativo-card-exporter"\]$`},
		"a version":                  {"LABEL", `org\.opencontainers\.image\.version="\$\{VERSION\}"`},
	} {
		if !slices.ContainsFunc(final, func(i instruction) bool {
			return i.name == want.name && regexp.MustCompile(want.rest).MatchString(i.rest)
		}) {
			t.Errorf("%s: the last stage has no %s that matches %s", what, want.name, want.rest)
		}
	}
	for _, i := range final {
		if i.name == "RUN" || i.name == "ADD" {
			t.Errorf("the last stage has %s %s, which scratch cannot run or nobody checks", i.name, i.rest)
		}
	}
}

// The build stage compiles for the target on the machine that builds, and pins
// the compiler.
func TestImageIsBuiltForEveryArchitecture(t *testing.T) {
	t.Parallel()
	build := dockerfile(t)[0]
	all := ""
	for _, i := range build {
		all += i.name + " " + i.rest + "\n"
	}
	for _, want := range []string{
		"--platform=${BUILDPLATFORM}", "CGO_ENABLED=0", "GOOS=${TARGETOS}", "GOARCH=${TARGETARCH}",
		"-trimpath", "-X main.version=${VERSION}", "-m 0700 /out/lib/yativo-card-exporter",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the build stage has no %s", want)
		}
	}
}

// The build context leaves out what the binary is not built from, and nothing
// that it is built from.
func TestBuildContextHoldsWhatIsCompiled(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	var patterns []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			patterns = append(patterns, line)
		}
	}
	files := compiledFiles(t)
	if len(files) < 10 {
		t.Fatalf("the binary is compiled from %q only", files)
	}
	for _, file := range append(files, "go.mod", "go.sum") {
		for _, pattern := range patterns {
			if ignores(pattern, file) {
				t.Errorf(".dockerignore leaves out %s (by %s), which the binary is built from", file, pattern)
			}
		}
	}
	for _, file := range []string{".git/config", ".tools/x", "data/state.db", ".env", "collector/collector_test.go"} {
		if !slices.ContainsFunc(patterns, func(p string) bool { return ignores(p, file) }) {
			t.Errorf(".dockerignore lets %s into the build", file)
		}
	}
}

// ignores reports whether a pattern of .dockerignore matches a file or a folder
// above it. It knows the patterns that are in use: none with an exception, and
// ** only in front.
func ignores(pattern, file string) bool {
	anywhere, found := strings.CutPrefix(pattern, "**/")
	for ; file != "."; file = path.Dir(file) {
		subject := file
		if found {
			pattern, subject = anywhere, path.Base(file)
		}
		if matched, err := path.Match(pattern, subject); err == nil && matched {
			return true
		}
	}
	return false
}

// compiledFiles lists the files of this repository that the binary is compiled
// from, embedded ones included.
func compiledFiles(t *testing.T) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Module,GoFiles,EmbedFiles", ".")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list the compiled files: %v", err)
	}
	base, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var pkg struct {
			Dir                 string
			Module              *struct{ Main bool }
			GoFiles, EmbedFiles []string
		}
		if err := decoder.Decode(&pkg); err != nil {
			t.Fatal(err)
		}
		if pkg.Module == nil || !pkg.Module.Main {
			continue
		}
		for _, name := range append(pkg.GoFiles, pkg.EmbedFiles...) {
			file, err := filepath.Rel(base, filepath.Join(pkg.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, filepath.ToSlash(file))
		}
	}
	return files
}
