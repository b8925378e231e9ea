package filepack_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"yativo-card-exporter/internal/filepack"
	"yativo-card-exporter/internal/testutil"
)

// pack is a pack of two versions: rules, which are replaced, and two files
// that people change.
func pack(version string) []filepack.File {
	return []filepack.File{
		{Name: "rules.yml", Content: []byte("rules " + version)},
		{Name: "alertmanager.yml", Content: []byte("routes " + version), Editable: true},
		{Name: "templates/messages.tmpl", Content: []byte("messages " + version), Editable: true},
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWriteReplacesAndKeeps(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "new", "folder")
	if kept, err := filepack.Write(folder, pack("1")); err != nil || len(kept) > 0 {
		t.Fatalf("kept %q: %v", kept, err)
	}
	want := map[string]string{"rules.yml": "rules 1", "alertmanager.yml": "routes 1", "templates/messages.tmpl": "messages 1"}
	if diff := cmp.Diff(want, testutil.ReadFolder(t, folder)); diff != "" {
		t.Errorf("a new folder (-want +got):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(folder, "rules.yml"))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the rules have the mode %v, %v", info.Mode(), err)
	}

	// Nobody changed a thing, so there is nothing to keep.
	if kept, err := filepack.Write(folder, pack("1")); err != nil || len(kept) > 0 {
		t.Errorf("kept %q: %v", kept, err)
	}
	write(t, filepath.Join(folder, "rules.yml"), "rules of mine")
	write(t, filepath.Join(folder, "alertmanager.yml"), "routes of mine")
	for _, version := range []string{"1", "2"} {
		kept, err := filepack.Write(folder, pack(version))
		wantKept := []string{"alertmanager.yml", "templates/messages.tmpl"}[:map[string]int{"1": 1, "2": 2}[version]]
		if err != nil || !slices.Equal(kept, wantKept) {
			t.Errorf("version %s: kept %q, want %q: %v", version, kept, wantKept, err)
		}
	}
	want = map[string]string{
		"rules.yml": "rules 2", "alertmanager.yml": "routes of mine", "alertmanager.yml.new": "routes 2",
		"templates/messages.tmpl": "messages 1", "templates/messages.tmpl.new": "messages 2",
	}
	if diff := cmp.Diff(want, testutil.ReadFolder(t, folder)); diff != "" {
		t.Errorf("a changed folder (-want +got):\n%s", diff)
	}
}

// What fails at the last file leaves the first as it was, and no litter.
func TestWriteChangesAllOrNothing(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(folder string) error{
		"a folder in place of the last file": func(folder string) error { return os.MkdirAll(filepath.Join(folder, "templates/messages.tmpl"), 0o700) },
		"a file in place of the last folder": func(folder string) error { return os.WriteFile(filepath.Join(folder, "templates"), nil, 0o600) },
		"a link to a device": func(folder string) error {
			return os.Symlink(os.DevNull, filepath.Join(folder, "alertmanager.yml"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			write(t, filepath.Join(folder, "rules.yml"), "rules 1")
			if err := spoil(folder); err != nil {
				t.Fatal(err)
			}
			before := testutil.ReadFolder(t, folder)
			if _, err := filepack.Write(folder, pack("2")); err == nil {
				t.Error("no error")
			}
			if after := testutil.ReadFolder(t, folder); !maps.Equal(before, after) {
				t.Errorf("the folder held %v and holds %v", before, after)
			}
		})
	}
}

func TestWriteFollowsLinks(t *testing.T) {
	t.Parallel()
	folder, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere.yml")
	write(t, elsewhere, "rules 1")
	if err := os.Symlink(elsewhere, filepath.Join(folder, "rules.yml")); err != nil {
		t.Fatal(err)
	}
	if _, err := filepack.Write(folder, pack("2")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(elsewhere); string(text) != "rules 2" || err != nil {
		t.Errorf("the file that is linked to holds %q, %v", text, err)
	}
	if info, err := os.Lstat(filepath.Join(folder, "rules.yml")); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
}
