package onboarding

import (
	"errors"
	"fmt"
	"io"
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
	whole   bool        // the file is a valid one, worth keeping as the previous
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
		return nil, errors.Join(fmt.Errorf("its folder cannot be written; mend that, or name a file elsewhere: %w", err), file.Close())
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
			return nil, fmt.Errorf("it cannot be opened for writing; mend that, or name another file: %w", err)
		}
		info, err := file.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return nil, errors.Join(errors.New("it is not a regular file"), err, file.Close())
		}
		if err := lock(file); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		there, err := os.Stat(path)
		if err == nil && os.SameFile(there, info) {
			return file, nil
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
	}
}

func lock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
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

// draft is where a new file is written before it takes the old one's place.
// The lock on the old one keeps others off it.
func (s *stateFile) draft() string { return s.path + ".new" }

// previous is the file before the last write.
func (s *stateFile) previous() string { return s.path + ".previous" }

// create makes the draft. What lies there is removed rather than opened: it may
// be a link that somebody planted.
func (s *stateFile) create() (*os.File, error) {
	if err := os.Remove(s.draft()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(s.draft(), os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
}

// replace puts a new file in the place of the old one. A file that took its
// place meanwhile belongs to somebody else and is left alone.
func (s *stateFile) replace(content io.Reader) error {
	changed, err := s.check()
	if err != nil {
		return err
	}
	draft, err := s.create()
	if err != nil {
		return err
	}
	if _, err = io.Copy(draft, content); err == nil {
		err = errors.Join(lock(draft), draft.Sync())
	}
	if err == nil && changed == nil && s.whole {
		err = s.keepPrevious()
	}
	if err == nil {
		err = os.Rename(s.draft(), s.path)
	}
	if err != nil {
		return errors.Join(err, draft.Close(), os.Remove(s.draft()))
	}
	old := s.file
	s.file, s.whole = draft, true
	s.written, err = draft.Stat()
	return errors.Join(changed, err, syncFolder(filepath.Dir(s.path)), old.Close())
}

// check finds out whether the path still names the file, and what this process
// wrote is still what is in it. A file that was removed is written again.
func (s *stateFile) check() (changed, err error) {
	there, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // neither in somebody else's hands nor changed
	case err != nil:
		return nil, err
	case !os.SameFile(there, s.written):
		return nil, errors.New("another file has taken its place; restart the exporter to go on with that one")
	case there.Size() != s.written.Size() || !there.ModTime().Equal(s.written.ModTime()):
		return errors.New("something else changed it; it was written again"), nil
	}
	return nil, nil //nolint:nilnil // as it should be
}

// keepPrevious gives the present file a second name. Where there are no links it
// loses its first one, which the new file takes at once.
func (s *stateFile) keepPrevious() error {
	if err := os.Remove(s.previous()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := os.Link(s.path, s.previous())
	if err == nil || errors.Is(err, fs.ErrNotExist) { // it was removed: there is nothing to keep
		return nil
	}
	return os.Rename(s.path, s.previous())
}

// read returns what the file holds, or the one before if it is damaged, and what
// is wrong with it. It returns no state if there is none, or none that is whole.
func (s *stateFile) read() (found *state, damage, err error) {
	previous, previousErr := readState(s.previous())
	if s.written.Size() == 0 && errors.Is(previousErr, fs.ErrNotExist) {
		return nil, nil, nil
	}
	found, err = readState(s.path)
	switch {
	case err == nil:
		s.whole = true
		return found, nil, nil
	case errors.Is(err, errCorrupt) && previousErr == nil:
		return previous, err, nil
	case errors.Is(err, errCorrupt):
		return nil, err, nil
	}
	return nil, nil, err
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
		there, err := os.Lstat(aside)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if os.Link(s.path, aside) == nil {
				return aside, nil
			}
			return aside, os.Rename(s.path, aside) // a file system without links
		case err != nil:
			return "", err
		case os.SameFile(there, s.written):
			return aside, nil
		}
	}
}

// syncFolder makes a rename durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	err = folder.Sync()
	if errors.Is(err, syscall.EINVAL) {
		err = nil // This file system knows no such thing.
	}
	return errors.Join(err, folder.Close())
}

func (s *stateFile) close() error { return s.file.Close() }
