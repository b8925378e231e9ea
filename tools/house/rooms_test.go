package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "yativo-card-exporter"

// room is a package of the product, or main.go.
type room struct {
	name    string
	imports []string // rooms, sorted
}

// The table of docs/architecture.md is the rule: a room imports what its row
// names, which are rooms of rows below.
func TestRoomsImportWhatTheArchitectureShows(t *testing.T) {
	shown, built := shownRooms(t), builtRooms(t)
	byName := func(a, b room) int { return strings.Compare(a.name, b.name) }
	if diff := cmp.Diff(slices.SortedFunc(slices.Values(shown), byName), built, cmp.AllowUnexported(room{})); diff != "" {
		t.Errorf("the rooms of docs/architecture.md are not those of the source (-document +source):\n%s", diff)
	}
}

func TestRoomsImportNoHigherRoom(t *testing.T) {
	rooms := shownRooms(t)
	for i, r := range rooms {
		for _, name := range r.imports {
			if !slices.ContainsFunc(rooms[i+1:], func(lower room) bool { return lower.name == name }) {
				t.Errorf("%s imports %s, which is not below it in docs/architecture.md", r.name, name)
			}
		}
	}
}

// shownRooms reads the table of docs/architecture.md.
func shownRooms(t *testing.T) []room {
	t.Helper()
	table := tableOf(t, "docs/architecture.md", "| Room | What it knows | Imports |\n|---|---|---|\n")
	quoted := regexp.MustCompile("`([^`]+)`")
	var rooms []room
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		r := room{name: quoted.FindStringSubmatch(cells[1])[1]}
		for _, match := range quoted.FindAllStringSubmatch(cells[3], -1) {
			r.imports = append(r.imports, match[1])
		}
		rooms = append(rooms, r)
	}
	return rooms
}

// tableOf is what follows the head of a table in a document.
func tableOf(t *testing.T, document, head string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n"+head)
	if !found {
		t.Fatalf("%s has no table %q", document, head)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	return table
}

// builtRooms reads the imports of the source, tests and tools left out.
func builtRooms(t *testing.T) []room {
	t.Helper()
	imports := map[string]map[string]bool{}
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (isTooling(name) || strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), "../../"+name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := roomOf(path.Dir(name))
		if imports[from] == nil {
			imports[from] = map[string]bool{}
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if folder, ok := strings.CutPrefix(imported, module+"/"); ok {
				imports[from][roomOf(folder)] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var rooms []room
	for name, imported := range imports {
		rooms = append(rooms, room{name, sortedKeys(imported)})
	}
	slices.SortFunc(rooms, func(a, b room) int { return strings.Compare(a.name, b.name) })
	return rooms
}

// isTooling reports whether a folder holds no part of the product.
func isTooling(folder string) bool {
	return slices.Contains([]string{"tools", "deploy", "docs", "dist", "internal/testutil"}, folder)
}

// roomOf is the name of the room that a folder is.
func roomOf(folder string) string {
	if folder == "." {
		return "main.go"
	}
	return folder
}

func sortedKeys(set map[string]bool) (keys []string) {
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
