package onboarding

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/dchest/siphash"
)

const (
	bufferSize = 64 << 10
	// slack is how many superseded records the log may hold beside half as
	// many again as there are customers, before the file is written anew.
	slack = 4096
)

// store is the state file, open and locked.
//
// It is a file of our own because bbolt 1.5 cannot promise that a damaged file
// is noticed and moved aside. No checksum covers its branch pages and free
// list: one flipped bit can make a page its own child, which overflows the
// stack, or loads without complaint and lets the next walk exhaust the memory,
// and the process cannot recover from either. Its Check would find most of
// this, but faults in a goroutine of its own. Packed into as many values as the
// table has shards, a million customers also took twice the peak memory, for
// about the same disk.
type store struct {
	path string
	file *os.File
	key  [2]uint64
	last slot // the newest one in the file
}

// randomKey makes the key of a new state.
func randomKey() [2]uint64 {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	return [2]uint64{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])}
}

// hash stands for a customer's id in memory and in the file. SipHash is made
// for short keyed inputs; at a million customers two ids of 64 bits collide
// once in forty million programs.
func (t *Tracker) hash(id []byte) uint64 {
	return max(1, siphash.Hash(t.key[0], t.key[1], id))
}

// openStore opens and locks the state file and returns what it holds. Where
// there is none, or a corrupt one, it makes one with the given key.
func openStore(path string, key [2]uint64) (*store, *found, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, fmt.Errorf("its folder cannot be made; make it, or name a file elsewhere: %w", err)
	}
	file, err := openLocked(path)
	if err != nil {
		return nil, nil, err
	}
	// A link is followed, since writing the file anew would replace it. Where it
	// led nowhere, it leads to the file now.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	s := &store{path: path, file: file, key: key}
	contents, err := s.take()
	if err != nil {
		return nil, nil, errors.Join(err, s.close())
	}
	return s, contents, nil
}

// take reads the file, replacing one that is damaged or empty.
func (s *store) take() (*found, error) {
	if err := s.probe(); err != nil {
		return nil, fmt.Errorf("its folder cannot be written; mend that, or name a file elsewhere: %w", err)
	}
	info, err := s.file.Stat()
	if err != nil {
		return nil, err
	}
	contents := &found{key: s.key, customers: &table{}}
	if info.Size() > 0 {
		whole, err := decode(s.file)
		switch {
		case errors.Is(err, errCorrupt):
			contents.damage = err
		case err != nil:
			return nil, err
		default:
			contents = whole
		}
		s.key, s.last = contents.key, contents.slot
		if contents.damage == nil {
			return contents, nil
		}
		if contents.aside, err = keepAside(s.path, info); err != nil {
			return nil, fmt.Errorf("%w, and cannot be moved aside: %w", contents.damage, err)
		}
	}
	return contents, s.rewrite(contents.history, contents.customers)
}

// openLocked opens the file, or makes an empty one, and locks it. The process
// that holds it may put a new file in its place at any moment, so that what was
// locked has to be what the path still names.
func openLocked(path string) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
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
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// keepAside gives a file a second name, under which it is kept, and returns that.
// The first one stays until a new file takes it: what can still be read of this
// one is read again if no new one can be written now.
func keepAside(path string, file fs.FileInfo) (string, error) {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.corrupt-%d", path, n)
		there, err := os.Lstat(aside)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if os.Link(path, aside) == nil {
				return aside, nil
			}
			return aside, os.Rename(path, aside) // a file system without links
		case err != nil:
			return "", err
		case os.SameFile(there, file):
			return aside, nil // an earlier start got as far as this
		}
	}
}

// draft is where a new file is written before it takes the old one's place.
// The lock on the old one keeps others off it.
func (s *store) draft() string { return s.path + ".new" }

// probe finds out whether the folder lets the file be replaced, and clears
// away what a killed process left.
func (s *store) probe() error {
	file, err := os.OpenFile(s.draft(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(s.draft()))
}

// save makes the walk's result durable: the history and the records marked
// dirty. It reports whether it did; an error beside that says that the file
// could not be shortened and goes on growing. Without a store there is nothing
// to do.
func (s *store) save(h history, customers *table) (written bool, err error) {
	if s == nil {
		return true, nil
	}
	live, changed := uint64(0), uint64(0)
	for r := range customers.all() {
		live++
		if r.has(dirty) {
			changed++
		}
	}
	there, statErr := os.Stat(s.path)
	removed := errors.Is(statErr, fs.ErrNotExist)
	if statErr != nil && !removed {
		return false, statErr
	}
	if !removed {
		if here, err := s.file.Stat(); err != nil || !os.SameFile(there, here) {
			return false, errors.Join(errors.New("another file has taken its place; restart the exporter to go on with that one"), err)
		}
	}
	if removed || s.last.records+changed > live+live/2+slack {
		if err = s.rewrite(h, customers); err == nil || removed {
			return err == nil, err
		}
	}
	if failed := s.append(h, customers, changed); failed != nil {
		return false, failed
	}
	return true, err
}

// append adds the dirty records to the log. The order of the two Syncs is what
// makes it safe to be cut off anywhere.
func (s *store) append(h history, customers *table, changed uint64) error {
	next := s.last
	next.sequence++
	next.history = h
	if changed > 0 {
		end := logOffset + int64(s.last.records)*int64(recordSize)
		if err := next.writeLog(io.NewOffsetWriter(s.file, end), customers, dirty); err != nil {
			return err
		}
		if err := s.file.Sync(); err != nil {
			return err
		}
		// Should the slot's write fail, the slot may be there all the same.
		s.last.records, s.last.crc = next.records, next.crc
	}
	if _, err := s.file.WriteAt(next.append(nil), next.offset()); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.last = next
	return nil
}

// writeLog writes the records that have one of the flags, all if wanted is 0,
// and takes them into the slot.
func (s *slot) writeLog(file io.Writer, customers *table, wanted flags) error {
	log := bufio.NewWriterSize(file, bufferSize)
	b := make([]byte, 0, recordSize)
	for r := range customers.all() {
		if wanted != 0 && !r.has(wanted) {
			continue
		}
		b = r.append(b[:0])
		if _, err := log.Write(b); err != nil {
			return err
		}
		s.crc = crc32.Update(s.crc, castagnoli(), b)
		s.records++
	}
	return log.Flush()
}

// rewrite puts a new file with every customer in the place of the old one. A
// file that took its place meanwhile belongs to somebody else and is left alone.
func (s *store) rewrite(h history, customers *table) error {
	file, err := os.OpenFile(s.draft(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	next := slot{sequence: s.last.sequence + 1, history: h}
	err = lock(file)
	if err == nil {
		err = s.fill(file, &next, customers)
	}
	if err == nil {
		err = os.Rename(s.draft(), s.path)
	}
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(s.draft()))
	}
	old := s.file
	s.file, s.last = file, next
	return errors.Join(syncFolder(filepath.Dir(s.path)), old.Close())
}

func (s *store) fill(file *os.File, next *slot, customers *table) error {
	if _, err := file.WriteAt(appendHeader(nil, s.key), 0); err != nil {
		return err
	}
	if err := next.writeLog(io.NewOffsetWriter(file, logOffset), customers, 0); err != nil {
		return err
	}
	if _, err := file.WriteAt(next.append(nil), next.offset()); err != nil {
		return err
	}
	return file.Sync()
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

func (s *store) close() error { return s.file.Close() }
