package onboarding

import (
	"errors"
	"io"
	"time"
)

// writeTimeout is for how long a walk waits for its state to be written, and
// the end of the process for a write under way. A million customers took 0.4 s.
const writeTimeout = 5 * time.Second

var (
	errHangs = errors.New("the disk has not taken it within " + writeTimeout.String())
	errBusy  = errors.New("the disk still has not taken what an earlier walk wrote")
)

// store writes the state in the background, since a disk may hang, and lets one
// write end before it begins the next.
type store struct {
	path    string
	replace func(content io.Reader) error
	close   func() error
	idle    chan struct{} // holds a token while nothing is being written
	unsaved bool          // the last save failed
}

func newStore(file *stateFile) *store {
	s := &store{path: file.path, replace: file.replace, close: file.close, idle: make(chan struct{}, 1)}
	s.idle <- struct{}{}
	return s
}

// save writes the state. It returns an error when the disk takes too long, and
// writes nothing as long as a former write is under way.
func (s *store) save(current *state) error {
	s.unsaved = true
	select {
	case <-s.idle:
	default:
		return errBusy
	}
	content, feed := io.Pipe()
	result := make(chan error, 1)
	go func() {
		err := s.replace(content)
		_ = content.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		s.idle <- struct{}{}
		result <- err
	}()
	// Closing the pipe ends an encoding whose reader hangs.
	overdue := time.AfterFunc(writeTimeout, func() { _ = content.CloseWithError(errHangs) })
	defer overdue.Stop()
	deadline := time.NewTimer(writeTimeout)
	defer deadline.Stop()
	_ = feed.CloseWithError(current.encode(feed))
	select {
	case err := <-result:
		s.unsaved = err != nil
		return err
	case <-deadline.C:
		return errHangs
	}
}

// finish writes what the last save could not, releases the file, and gives up
// on a disk that hangs.
func (s *store) finish(current *state) error {
	var err error
	if s.unsaved {
		err = s.save(current)
	}
	select {
	case <-s.idle:
		return errors.Join(err, s.close())
	case <-time.After(writeTimeout):
		return errors.Join(err, errHangs)
	}
}
