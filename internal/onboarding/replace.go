package onboarding

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

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
		err = errors.Join(lock(draft, syscall.Flock), draft.Sync())
	}
	if err == nil && changed == nil && s.valid {
		err = s.keepPrevious()
	}
	if err == nil {
		err = os.Rename(s.draft(), s.path)
	}
	if err != nil {
		return errors.Join(err, draft.Close(), os.Remove(s.draft()))
	}
	old := s.file
	s.file, s.valid = draft, true
	s.written, err = draft.Stat()
	return errors.Join(changed, err, syncFolder(filepath.Dir(s.path)), old.Close())
}

// check finds out whether the path still names the file, and what this process
// wrote is still what is in it. A file that was removed is written again.
func (s *stateFile) check() (changed, err error) {
	current, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // neither in somebody else's hands nor changed
	case err != nil:
		return nil, err
	case !os.SameFile(current, s.written):
		return nil, errors.New("another file has taken its place; restart the exporter to go on with that one")
	case current.Size() != s.written.Size() || !current.ModTime().Equal(s.written.ModTime()):
		return errors.New("something else changed it; it was written again"), nil
	}
	return nil, nil //nolint:nilnil // as it should be
}

// keepPrevious gives the present file a second name. Where there are no links it
// loses its first one, which the new file takes at once.
func (s *stateFile) keepPrevious() error {
	// If it was removed, the previous is all there is.
	if _, err := os.Lstat(s.path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.Remove(s.previous()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(s.path, s.previous()) == nil {
		return nil
	}
	return os.Rename(s.path, s.previous())
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
