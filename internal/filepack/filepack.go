// Package filepack writes files that belong together into a folder: all of them
// or, as far as the disk lets it, none.
package filepack

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file of a pack. None of them is secret: other programs read them
// under their own users.
type File struct {
	Name    string // slash-separated, below the folder
	Content []byte

	// Editable files are made to be changed. One that differs is kept, and the
	// new content is written beside it.
	Editable bool
}

// NewSuffix is added to the name of the new version of a file that is kept.
const NewSuffix = ".new"

// Write writes the files below folder, which is made if need be. Each is
// written beside its target, and all are renamed once the last is on the disk,
// so that a full disk changes nothing. It returns the names of the editable
// files that it kept; their new versions have the names with NewSuffix.
func Write(folder string, files []File) (kept []string, err error) {
	var staged []stagedFile
	defer func() {
		for _, s := range staged {
			if errRemove := os.Remove(s.temporary); !errors.Is(errRemove, fs.ErrNotExist) {
				err = errors.Join(err, errRemove)
			}
		}
	}()
	for _, f := range files {
		target := filepath.Join(folder, filepath.FromSlash(f.Name))
		changed, err := isChanged(target, f.Content)
		if err != nil {
			return nil, err
		}
		if f.Editable && changed {
			kept = append(kept, f.Name)
			target += NewSuffix
		}
		s, err := stage(target, f.Content)
		if s.temporary != "" {
			staged = append(staged, s)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, s := range staged {
		if err := os.Rename(s.temporary, s.target); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// isChanged reports whether target is there with another content. It is an
// error if it is no regular file, which a rename would replace.
func isChanged(target string, content []byte) (bool, error) {
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%s is no regular file", target)
	}
	present, err := os.ReadFile(target)
	return !bytes.Equal(present, content), err
}

// stagedFile is a file that is written but not yet in its place.
type stagedFile struct{ temporary, target string }

// stage writes content to a temporary file beside the file that target leads
// to. The temporary file is there, even after an error, if it has a name.
func stage(target string, content []byte) (s stagedFile, err error) {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil { //nolint:gosec // see File
		return s, err
	}
	s.target = target
	if linked, err := filepath.EvalSymlinks(target); err == nil {
		s.target = linked
	}
	file, err := os.CreateTemp(filepath.Dir(s.target), ".yativo-card-*")
	if err != nil {
		return s, err
	}
	s.temporary = file.Name()
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(content); err != nil {
		return s, err
	}
	if err := file.Chmod(0o644); err != nil {
		return s, err
	}
	return s, file.Sync()
}
