package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readme returns the README's text.
func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section returns the text below a heading of the second level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, below, found := strings.Cut(text, "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the README has no section %q", heading)
	}
	below, _, _ = strings.Cut(below, "\n## ")
	return below
}

func TestReadmeBeginsWithTheTwoCommands(t *testing.T) {
	_, block, _ := strings.Cut(readme(t), "```sh\n")
	block, _, _ = strings.Cut(block, "```")
	var commands []string
	for line := range strings.Lines(block) {
		command, _, _ := strings.Cut(line, "#")
		commands = append(commands, strings.TrimSpace(command))
	}
	if diff := cmp.Diff([]string{"go run . demo", "make test"}, commands); diff != "" {
		t.Error(diff)
	}
}

func TestReadmeListsTheConfiguration(t *testing.T) {
	var rows []string
	for _, v := range variables() {
		defaultValue := ""
		if v.defaultValue != "" {
			defaultValue = "`" + v.defaultValue + "`"
		}
		rows = append(rows, "| `"+v.name+"` | "+defaultValue+" | "+v.help+" |")
	}
	compareRows(t, section(t, readme(t), "Configuration"), rows)
}

func TestReadmeListsTheMetrics(t *testing.T) {
	var rows []string
	for _, m := range exportedFamilies(t) {
		labels := ""
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		// What all cached metrics say is said once above the table.
		help, _, _ := strings.Cut(m.help, " Cached from ")
		rows = append(rows, "| `"+m.name+"` | "+m.kind+" | "+labels+" | "+help+" |")
	}
	compareRows(t, section(t, readme(t), "Metrics"), rows)
}

// compareRows holds the rows of the one table in text against what the code
// says. Set README=write in the environment to write them.
func compareRows(t *testing.T, text string, want []string) {
	t.Helper()
	header := regexp.MustCompile(`(?m)^\|(---\|)+\n`).FindStringIndex(text)
	if header == nil {
		t.Fatal("the section has no table")
	}
	table, _, _ := strings.Cut(text[header[1]:], "\n\n")
	got := strings.Split(strings.TrimRight(table, "\n"), "\n")
	diff := cmp.Diff(want, got)
	if diff == "" {
		return
	}
	if os.Getenv("README") == "write" {
		all := readme(t)
		all = strings.Replace(all, text, strings.Replace(text, table, strings.Join(want, "\n"), 1), 1)
		if err := os.WriteFile("README.md", []byte(all), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the README and the code differ (-code +README); README=write go test . writes it:\n%s", diff)
}
