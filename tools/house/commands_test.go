package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// runBy names for each command that the documents show, without its comment, the
// test that runs it, with other names of folders and jobs.
func runBy() map[string]string {
	return map[string]string{
		"go run . demo": "TestNewcomerRunsTheDemo",
		"export YATIVO_API_KEY=... YATIVO_API_SECRET=...":               "TestCheckSaysWhatItFinds",
		"go run . demo -scenario kyc-stall":                             "TestDemoShowsAStall",
		"go run . --help > internal/cli/testdata/help.txt":              "TestHelp",
		"yativo-card-exporter --version":                                "TestVersion",
		"yativo-card-exporter demo":                                     "TestDemoEndsCleanly",
		"yativo-card-exporter alerts -help":                             "TestHelpExitsWithZeroAndUnwritableFolderWithOne",
		"yativo-card-exporter alerts -o rules/ -prometheus-url ADDRESS": "TestWrittenRunbookRunsEachQuery",
		"yativo-card-exporter check":                                    "TestCheckSaysWhatItFinds",
		"yativo-card-exporter":                                          "TestSignalsEndItCleanly",
		"yativo-card-exporter alerts -o rules/":                         "TestFolderHoldsTheWholePack",
		"yativo-card-exporter dashboards -o dashboards/":                "TestFolderGetsAFileEach",
		"amtool alert add YativoCardTest severity=critical --annotation=summary=Test --alertmanager.url=http://localhost:9093": "TestTestPageArrives",
		"yativo-card-exporter alerts -o pack": "TestAlertmanagerConfigurationForCortex",
		"{ … } > cortex.yml":                  "TestAlertmanagerConfigurationForCortex",
		"yativo-card-exporter alerts -job yativo-card-retail,yativo-card-business > yativo-card.rules.yml": "TestReplicasCountOnce",
	}
}

// Every command of a document is run by a test, or CONTRIBUTING.md says why not.
func TestEveryCommandIsRunOrListed(t *testing.T) {
	known, excused := runBy(), notRun(t)
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, document := range documents(t) {
		for _, command := range commands(t, document) {
			shown[command] = true
			listed := slices.ContainsFunc(excused, func(start string) bool { return strings.HasPrefix(command, start+" ") })
			if known[command] == "" && !listed {
				t.Errorf("%s shows %q: name the test that runs it in runBy, or why none does in CONTRIBUTING.md", document, command)
			}
			if words := strings.Fields(command); words[0] == "make" && !strings.Contains(string(makefile), "\n"+words[1]+":") {
				t.Errorf("%s shows %q, and the Makefile has no such target", document, command)
			}
		}
	}
	tests := allTests(t)
	for command, test := range known {
		if !shown[command] {
			t.Errorf("no document shows %q, which runBy names", command)
		}
		if !strings.Contains(tests, "\nfunc "+test+"(") {
			t.Errorf("there is no test %s, which is to run %q", test, command)
		}
	}
}

// documents are those that people read.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"../../README.md", "../../CONTRIBUTING.md", "../../.github/SECURITY.md", "../../alerts/runbook.md"}
	for _, pattern := range []string{"../../docs/*.md", "../../deploy/*.md", "../../deploy/*/*.md"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	return files
}

// commands are those of the shell blocks of a document, where a group in braces is
// one, and those within its sentences.
func commands(t *testing.T, document string) []string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	comment := regexp.MustCompile(`(^|\s+)# .*$`)
	group := regexp.MustCompile(`(?ms)^\{\n.*?^\}`)
	for _, block := range regexp.MustCompile("(?ms)^```(?:sh|bash|shell|console)\n(.*?)^```").FindAllSubmatch(text, -1) {
		lines := strings.ReplaceAll(group.ReplaceAllString(string(block[1]), "{ … }"), "\\\n", " ")
		for line := range strings.Lines(lines) {
			line = comment.ReplaceAllString(strings.TrimSpace(line), "")
			if line != "" {
				found = append(found, strings.Split(line, " && ")...)
			}
		}
	}
	inline := regexp.MustCompile("`((?:yativo-card-exporter|make|go|kubectl|docker|systemctl|curl)\\s[^`…]+)`")
	for _, match := range inline.FindAllSubmatch(text, -1) {
		found = append(found, strings.Join(strings.Fields(string(match[1])), " "))
	}
	return found
}

// notRun are the programs and commands in the table of CONTRIBUTING.md, by how they begin.
func notRun(t *testing.T) []string {
	t.Helper()
	table := tableOf(t, "CONTRIBUTING.md", "| command | why not | what is tested |\n")
	var programs []string
	for _, match := range regexp.MustCompile("`([^`]+) …`").FindAllStringSubmatch(table, -1) {
		programs = append(programs, match[1])
	}
	return programs
}

// allTests is the source of every test.
func allTests(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	repository := os.DirFS("../..")
	err := fs.WalkDir(repository, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := fs.ReadFile(repository, path)
		all.Write(source)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
