package onboarding

import (
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// walkPatience is for how long a walk waits until the disk takes the next
	// piece of its state, and then until the write ends. A write that takes
	// longer goes on beside the next walk.
	walkPatience = 5 * time.Second
	// closePatience is the same at the end of the process, which Docker kills
	// after 10 s.
	closePatience = 3 * time.Second
)

var (
	errHangs = errors.New("the disk hangs and accepts no writes")
	errBusy  = errors.New("the disk has not finished writing an earlier walk")
)

// store writes the state in the background, since a disk may hang, and lets one
// write end before it begins the next.
type store struct {
	path    string
	replace func(content io.Reader) error
	close   func() error
	result  chan error // of the write under way; nil if there is none
	unsaved bool       // a walk was told that its state is not written
}

func newStore(file *stateFile) *store {
	return &store{path: file.path, replace: file.replace, close: file.close}
}

// save writes the state. It writes nothing as long as a former write is under
// way. If that failed after the walk before it was told nothing, it says so.
func (s *store) save(current *state, patience time.Duration) error {
	var late error
	if s.result != nil {
		select {
		case err := <-s.result:
			if !s.unsaved {
				late = err
			}
		default:
			s.unsaved = true
			return errBusy
		}
	}
	s.result, s.unsaved = make(chan error, 1), false
	if err := s.feed(current, s.result, patience); err != nil {
		s.unsaved = true
		return errors.Join(late, err)
	}
	return errors.Join(late, s.await(patience))
}

// feed starts a write and hands the state to it piece by piece, since a copy of
// a million customers would take much memory. It returns errHangs if the disk
// leaves one lying for too long; that write then fails in the end.
func (s *store) feed(current *state, result chan<- error, patience time.Duration) error {
	content, pipe := io.Pipe()
	watchdog := time.AfterFunc(patience, func() { _ = content.CloseWithError(errHangs) })
	defer watchdog.Stop()
	go func() {
		err := s.replace(readerFunc(func(piece []byte) (int, error) {
			watchdog.Reset(patience)
			return content.Read(piece)
		}))
		_ = content.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		result <- err
	}()
	err := current.encode(pipe)
	_ = pipe.CloseWithError(err)
	if errors.Is(err, errHangs) {
		return errHangs
	}
	return nil // any other error is the write's own, and its result
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// await waits for the end of a write under way and returns its result, or nil
// if it takes too long.
func (s *store) await(patience time.Duration) error {
	if s.result == nil {
		return nil
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case err := <-s.result:
		s.result = nil
		s.unsaved = s.unsaved || err != nil
		return err
	case <-timeout.C:
		return nil
	}
}

// finish writes what the last save could not, releases the file, and gives up
// on a disk that hangs.
func (s *store) finish(current *state) error {
	err := s.await(closePatience)
	if s.result == nil && s.unsaved {
		err = s.save(current, closePatience)
	}
	if s.result != nil {
		return fmt.Errorf("state file %q: what the last walk found may be lost: %w", s.path, errHangs)
	}
	return errors.Join(err, s.close())
}

// release releases the file, unless a write hangs on it.
func (s *store) release() error {
	if s.result != nil {
		return nil
	}
	return s.close()
}
