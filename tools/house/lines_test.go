package main

import (
	"bytes"
	"os"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestLinesOfCode(t *testing.T) {
	repository := fstest.MapFS{
		"main.go":                     {Data: []byte("// A comment.\npackage main\n\nfunc main() { print(1) } // one more\n")},
		"apiclient/call.go":           {Data: []byte("package apiclient\n\n/* two\n\nlines */\nconst text = `first\n\nthird\n`\n\nvar (\n\ta = 1\n)\n")},
		"apiclient/call_test.go":      {Data: []byte("package apiclient\n")},
		"apiclient/page/page.go":      {Data: []byte("package page\n")},
		"apiclient/testdata/input.go": {Data: []byte("not Go")},
		"alerts/render.go":            {Data: []byte("package alerts\n")},
		"internal/sandbox/api.go":     {Data: []byte("package sandbox\n")},
		"internal/cli/cli.go":         {Data: []byte("package cli\n\nimport \"fmt\"\n")},
	}
	sources, err := readSources(repository)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{".": 2, "apiclient": 7, "apiclient/page": 1, "internal/cli": 2}
	if diff := cmp.Diff(want, linesPerFolder(sources)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is longer holds more than one idea.
const (
	maxFileLines     = 300
	maxFunctionLines = 70
)

func TestNoFileAndNoFunctionIsTooLong(t *testing.T) {
	sources, err := readSources(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 40 {
		t.Fatalf("only %d files were found", len(sources))
	}
	for _, s := range sources {
		if lines := bytes.Count(s.text, []byte("\n")); lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", s.path, lines, maxFileLines)
		}
		list, err := functions(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			if f.lines > maxFunctionLines {
				t.Errorf("%s has %d lines, more than %d", f.name, f.lines, maxFunctionLines)
			}
		}
	}
}

func TestNoRoomGrowsUnnoticed(t *testing.T) {
	sources, err := readSources(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	lines := linesPerFolder(sources)
	for folder, n := range lines {
		if limit, ok := limits()[folder]; !ok || n > limit {
			t.Errorf("%s has %d lines of code, more than its limit of %d in lines.go", folder, n, limit)
		}
	}
	for folder := range limits() {
		if lines[folder] == 0 {
			t.Errorf("%s has a limit and no code", folder)
		}
	}
}

func TestLinesOfAFunction(t *testing.T) {
	got, err := functions(source{"a/b.go", []byte("package b\n\n// Doc.\nfunc one() {}\n\nfunc (t T) three(\n) {\n}\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := []function{{"a/b.go: one", 1}, {"a/b.go: three", 3}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(function{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
