package apiclient

import (
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// diskPatience is for how long a request waits until it is written down.
const diskPatience = 200 * time.Millisecond

// sendFile remembers what was sent, so that a restart does not spend the
// exporter's own limit anew. It is a ring with a place for each request that the
// limit allows, and holds in Unix milliseconds when that has ended for sure.
// Nothing is synced: only a process restarts before a minute is over.
type sendFile struct {
	file   *os.File // nil remembers nothing
	slots  int
	next   int
	logger *slog.Logger
	failed sync.Once
	busy   chan struct{} // held by a write, which may hang
}

// openSendFile opens the file, and returns the moments in it that lie in the
// window now, ascending. It follows no link that stands in the file's place.
func openSendFile(path string, slots int, now time.Time, logger *slog.Logger) (s *sendFile, ended []time.Time) {
	s = &sendFile{slots: slots, logger: logger, busy: make(chan struct{}, 1)}
	if path == "" {
		return s, nil
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		s.fail(err)
		return s, nil
	}
	s.file = file
	raw, readErr := io.ReadAll(file)
	for ; len(raw) >= 8; raw = raw[8:] {
		at := time.UnixMilli(int64(binary.LittleEndian.Uint64(raw)))
		if at.After(now) {
			at = now
		}
		if now.Before(at.Add(window)) {
			ended = append(ended, at)
		}
	}
	slices.SortFunc(ended, time.Time.Compare)
	ended = ended[max(0, len(ended)-slots):] // the limit may have been larger
	var kept []byte
	for _, at := range ended {
		kept = binary.LittleEndian.AppendUint64(kept, uint64(at.UnixMilli()))
	}
	_, err = file.WriteAt(kept, 0)
	if err := errors.Join(readErr, err, file.Truncate(int64(len(kept)))); err != nil {
		s.fail(err)
	}
	s.next = len(ended)
	return s, ended
}

// add writes down a request. It does not wait for a disk that hangs.
func (s *sendFile) add(ended time.Time) {
	if s.file == nil {
		return
	}
	select {
	case s.busy <- struct{}{}:
	default:
		return
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		if _, err := s.file.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(ended.UnixMilli())), int64(s.next%s.slots*8)); err != nil {
			s.fail(err)
		}
		s.next++
		<-s.busy
	}()
	select {
	case <-written:
	case <-time.After(diskPatience):
	}
}

func (s *sendFile) fail(err error) {
	s.failed.Do(func() {
		s.logger.Warn("sent requests cannot be recorded beside the state file, so a restart may exceed YATIVO_RATE_LIMIT", "err", err)
	})
}
