package onboarding

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that was removed is not worth the one before it.
func TestRemovedFileCostsNotThePrevious(t *testing.T) {
	file, err := openStateFile(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.close() }()
	for _, content := range []string{"first", "second"} {
		if err := file.replace(strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(file.path); err != nil {
		t.Fatal(err)
	}
	if err := file.keepPrevious(); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(file.previous()); string(kept) != "first" {
		t.Errorf("the previous file holds %q, %v", kept, err)
	}
}

// A damaged file beside one of a later version is that version's to mend.
func TestNewerPrevious(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	newer := append(appendCRC(binary.LittleEndian.AppendUint32([]byte(magic), formatVersion+1)), "whatever follows"...)
	damaged := bytes.Clone(newer)
	damaged[0] ^= 1
	contents := map[string][]byte{path: damaged, path + ".previous": newer}
	for name, content := range contents {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(Options{Thresholds: DefaultThresholds(), Path: path}); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("Open says %v", err)
	}
	for name, content := range contents {
		if after, err := os.ReadFile(name); err != nil || !bytes.Equal(after, content) {
			t.Errorf("%s was changed, %v", name, err)
		}
	}
}
