package onboarding

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// stateFile is the state file, open and locked. It is only ever replaced as a
// whole: the new one is written beside it and renamed, and the one before stays
// as its previous. No library was found that does this and also syncs the
// folder, keeps the lock and the file before, and follows no planted link.
type stateFile struct {
	path    string
	file    *os.File
	written fs.FileInfo // what the file is since this process last wrote it
	valid   bool        // the file is a whole one, worth keeping as the previous
}

// openStateFile opens and locks the file, or makes an empty one. It touches
// nothing that is not a regular file.
func openStateFile(path string) (*stateFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("its folder cannot be made; make it, or name a file elsewhere: %w", err)
	}
	file, err := openLocked(path)
	if err != nil {
		return nil, err
	}
	// A link is followed, since a rename would replace it. Where it led nowhere,
	// it leads to the file now.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	s := &stateFile{path: path, file: file}
	if s.written, err = file.Stat(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if draft, err := s.create(); err != nil {
		return nil, errors.Join(fmt.Errorf("its folder cannot be written; fix that, or name a file elsewhere: %w", err), file.Close())
	} else if err := errors.Join(draft.Close(), os.Remove(s.draft())); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

// openLocked opens the file and locks it. The process that holds it may put a
// new file in its place at any moment, so that what was locked has to be what
// the path still names.
func openLocked(path string) (*os.File, error) {
	for {
		// Opening can already do something to a device or wait for a pipe.
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return nil, errors.New("it is not a regular file; name one, or a path where there is none yet")
		}
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
		if err != nil {
			return nil, fmt.Errorf("it cannot be opened for writing; fix that, or name another file: %w", err)
		}
		info, err := file.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return nil, errors.Join(errors.New("it is not a regular file"), err, file.Close())
		}
		if err := lock(file, syscall.Flock); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		current, err := os.Stat(path)
		if err == nil && os.SameFile(current, info) {
			return file, nil
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
	}
}

func lock(file *os.File, flock func(fd, how int) error) error {
	for {
		err := flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrLocked
		case err != nil:
			return fmt.Errorf("its file system cannot lock it; name a file on a local disk: %w", err)
		}
		return nil
	}
}

// read returns what the file holds, or the one before if it is damaged, and what
// is wrong with it. It returns no state if there is none, or none that is whole.
// It reads the one before only then, since two of a million customers would take
// much memory.
func (s *stateFile) read() (found *state, damage, err error) {
	found, err = readState(s.path)
	if !errors.Is(err, errCorrupt) {
		s.valid = err == nil
		return found, nil, err
	}
	previous, previousErr := readState(s.previous())
	switch {
	case previousErr == nil:
		return previous, err, nil
	case errors.Is(previousErr, errCorrupt):
		return nil, err, nil
	case !errors.Is(previousErr, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("it is damaged, and the one before it, %q: %w", s.previous(), previousErr)
	case s.written.Size() == 0:
		return nil, nil, nil
	}
	return nil, err, nil
}

func readState(path string) (*state, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fs.ErrNotExist, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	found, err := decode(file)
	return found, errors.Join(err, file.Close())
}

// keepAside gives a damaged file a second name, under which it is kept, and
// returns that. An earlier start may have done so already.
func (s *stateFile) keepAside() (string, error) {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.corrupt-%d", s.path, n)
		existing, err := os.Lstat(aside)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if os.Link(s.path, aside) == nil {
				return aside, nil
			}
			return aside, os.Rename(s.path, aside) // a file system without links
		case err != nil:
			return "", err
		case os.SameFile(existing, s.written):
			return aside, nil
		}
	}
}

func (s *stateFile) close() error { return s.file.Close() }
