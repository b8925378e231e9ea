package check_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// root is the folder of the repository, as seen from here.
const root = "../.."

// product runs a command of the product and returns what it prints.
func product(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "."}, args...)...)
	cmd.Dir = root
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, complaint.String())
	}
	return out
}

// checkVariables checks that the product reads every variable of its own kind.
func checkVariables(t *testing.T, names []string) {
	t.Helper()
	ours := regexp.MustCompile(`^(YATIVO|EXPORTER)_`)
	help := product(t, "--help")
	known := 0
	for _, name := range names {
		if !ours.MatchString(name) {
			continue
		}
		known++
		if !regexp.MustCompile(`(?m)^\s+` + name + `$`).Match(help) {
			t.Errorf("%s is no variable that --help lists", name)
		}
	}
	if known == 0 {
		t.Errorf("none of %v is a variable of the exporter", names)
	}
}

// dockerfileHas checks that the Dockerfile agrees with what is mounted and run.
func dockerfileHas(t *testing.T, lines ...string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if !slices.Contains(regexp.MustCompile(`\r?\n`).Split(string(content), -1), line) {
			t.Errorf("the Dockerfile has no line %q", line)
		}
	}
}
