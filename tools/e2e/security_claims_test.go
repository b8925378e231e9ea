//go:build e2e

package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every claim of docs/security.md names tests, and they exist.
func TestSecurityClaimsHaveTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	exist := testNames(t)
	claims, isClaim := 0, false
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	for line := range strings.Lines(string(page)) {
		switch {
		case !strings.HasPrefix(line, "|"):
			isClaim = false
			continue
		case strings.HasPrefix(line, "| claim |"):
			isClaim = true
			continue
		case !isClaim || strings.HasPrefix(line, "|---"):
			continue
		}
		claims++
		cells := strings.Split(line, "|")
		named := name.FindAllStringSubmatch(cells[len(cells)-2], -1)
		if len(named) == 0 {
			t.Errorf("no test is named for: %s", line)
		}
		for _, test := range named {
			if !exist[test[1]] {
				t.Errorf("there is no %s, which is named for: %s", test[1], line)
			}
		}
	}
	if claims < 20 {
		t.Errorf("only %d claims were found", claims)
	}
}

// testNames are the names of all tests in the repository.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
	tree := os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := fs.ReadFile(tree, path)
		for _, match := range declared.FindAllSubmatch(content, -1) {
			all[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
