package onboarding

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// walkedFile returns a state file after several walks, and what it holds.
func walkedFile(tb testing.TB) (contents []byte, last *state) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "state.db")
	tracker, err := Open(Options{Thresholds: DefaultThresholds(), RefreshInterval: time.Minute, Path: path})
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for round := range 3 {
		now = now.Add(time.Minute)
		w := tracker.Begin(now)
		for i := range 8 {
			w.Observe(Observation{ID: string(rune('a' + i)), Status: Status((i + round*(i%2)) % NumStatuses), CreatedAt: now})
		}
		w.Label(StatusUnknown, fmt.Sprint("odd_", round))
		w.Commit(now, true)
	}
	if err := tracker.Close(); err != nil {
		tb.Fatal(err)
	}
	if contents, err = os.ReadFile(path); err != nil {
		tb.Fatal(err)
	}
	if last, err = decode(bytes.NewReader(contents)); err != nil || !reflect.DeepEqual(*last, tracker.state) {
		tb.Fatalf("the file holds %+v, %v; want %+v", last, err, tracker.state)
	}
	return contents, last
}

func TestEveryDamageIsNoticed(t *testing.T) {
	whole, _ := walkedFile(t)
	reader := bufio.NewReaderSize(nil, bufferSize) // of decode's own size, so that it makes none
	check := func(damaged []byte, what string, at int) {
		reader.Reset(bytes.NewReader(damaged))
		if _, err := decode(reader); !errors.Is(err, errCorrupt) {
			t.Fatalf("%s %d: decode says %v", what, at, err)
		}
	}
	for at := range whole {
		for bit := range 8 {
			whole[at] ^= 1 << bit
			check(whole, "flipped byte", at)
			whole[at] ^= 1 << bit
		}
	}
	for size := range whole {
		check(whole[:size], "cut off at", size)
	}
	check(append(bytes.Clone(whole), 0), "longer than", len(whole))
}

func TestNewerFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	contents := append(appendCRC(binary.LittleEndian.AppendUint32([]byte(magic), formatVersion+1)), "whatever follows"...)
	if err := os.WriteFile(path, contents, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Thresholds: DefaultThresholds(), Path: path}); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("Open says %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, contents) {
		t.Errorf("the file was changed, %v", err)
	}
}

// FuzzDecode feeds the decoder arbitrary files, as they are and with checksums
// that fit, so that what lies behind the checksums is reached too.
func FuzzDecode(f *testing.F) {
	whole, _ := walkedFile(f)
	f.Add(whole)
	f.Add(whole[:headerSize])
	f.Fuzz(func(t *testing.T, file []byte) {
		_, _ = decode(bytes.NewReader(file))
		result, err := decode(bytes.NewReader(seal(file)))
		if err != nil {
			if !errors.Is(err, errCorrupt) && !errors.Is(err, ErrNewerFormat) {
				t.Fatalf("decode says %v", err)
			}
			return
		}
		var written bytes.Buffer
		if err := result.encode(&written); err != nil {
			t.Fatal(err)
		}
		again, err := decode(&written)
		if err != nil || !equal(again, result) {
			t.Fatalf("what was read does not survive being written: %v", err)
		}
	})
}

// equal compares what two files say. Of the rhythms it compares the bytes, since
// an arbitrary file may hold numbers that do not equal themselves.
func equal(a, b *state) bool {
	bytesOf := func(s *state) []byte {
		encoded, err := binary.Append(nil, binary.LittleEndian, &s.rhythms)
		if err != nil {
			panic(err)
		}
		return encoded
	}
	return a.key == b.key && a.history == b.history && maps.Equal(a.customers, b.customers) && bytes.Equal(bytesOf(a), bytesOf(b))
}

// seal gives the header and the whole the checksums that fit.
func seal(file []byte) []byte {
	file = bytes.Clone(file)
	if len(file) < headerSize+4 {
		return file
	}
	copy(file, magic)
	binary.LittleEndian.PutUint32(file[headerSize-4:], crc32.Checksum(file[:headerSize-4], castagnoli()))
	body := file[:len(file)-4]
	binary.LittleEndian.PutUint32(file[len(body):], crc32.Checksum(body, castagnoli()))
	return file
}
