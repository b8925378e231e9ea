package onboarding

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// walkedFile returns a state file after several walks, and what it held after
// the last of them and after the one before.
func walkedFile(tb testing.TB) (contents []byte, last, former map[uint64]record) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "state.db")
	tracker, err := Open(Options{Thresholds: DefaultThresholds(), RefreshInterval: time.Minute, Path: path})
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for round := range 3 {
		former = held(tracker.customers)
		now = now.Add(time.Minute)
		w := tracker.Begin(now)
		for i := range 8 {
			w.Observe(Observation{ID: string(rune('a' + i)), Status: Status((i + round*(i%2)) % NumStatuses), CreatedAt: now})
		}
		w.Commit(now, true)
		last = held(tracker.customers)
	}
	if err := tracker.Close(); err != nil {
		tb.Fatal(err)
	}
	if contents, err = os.ReadFile(path); err != nil {
		tb.Fatal(err)
	}
	return contents, last, former
}

func held(customers *table) map[uint64]record {
	all := map[uint64]record{}
	for r := range customers.all() {
		all[r.key] = *r
	}
	return all
}

func TestEveryDamageIsNoticed(t *testing.T) {
	whole, last, former := walkedFile(t)
	unused, stale, corrupt := 0, 0, 0
	check := func(damaged []byte, what string, at int) {
		result, err := decode(bytes.NewReader(damaged))
		switch {
		case errors.Is(err, errCorrupt):
			corrupt++
		case err != nil:
			t.Fatalf("%s %d: %v", what, at, err)
		case maps.Equal(held(result.customers), last):
			unused++
		case result.damage != nil && maps.Equal(held(result.customers), former):
			stale++
		default:
			t.Fatalf("%s %d: garbage is believed", what, at)
		}
	}
	for at := range whole {
		for bit := range 8 {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 1 << bit
			check(damaged, "flipped byte", at)
		}
	}
	for size := range whole {
		check(whole[:size], "cut off at", size)
	}
	if unused == 0 || stale == 0 || corrupt == 0 {
		t.Errorf("of all damages %d did no harm, %d cost the last walk and %d everything; each should occur", unused, stale, corrupt)
	}
}

func TestNewerFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	contents := appendHeader(nil, [2]uint64{1, 2})
	binary.LittleEndian.PutUint32(contents[len(magic):], formatVersion+1)
	contents = appendCRC(contents[:headerSize-4])
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
	whole, _, _ := walkedFile(f)
	f.Add(whole[:headerSize], whole[slotOffset:][:slotSize], whole[2*slotOffset:][:slotSize], whole[logOffset:])
	f.Fuzz(func(t *testing.T, header, slot0, slot1, log []byte) {
		file := make([]byte, logOffset, logOffset+len(log))
		copy(file[2*slotOffset:], slot1)
		copy(file[slotOffset:2*slotOffset], slot0)
		copy(file[:slotOffset], header)
		file = append(file, log...)
		_, _ = decode(bytes.NewReader(file))

		result, err := decode(bytes.NewReader(seal(file)))
		if err != nil {
			if !errors.Is(err, errCorrupt) && !errors.Is(err, ErrNewerFormat) {
				t.Fatalf("decode says %v", err)
			}
			return
		}
		var written bytes.Buffer
		again := slot{sequence: result.sequence, history: result.history}
		if err := again.writeLog(&written, result.customers, 0); err != nil {
			t.Fatal(err)
		}
		copied, err := decodeLog(bytes.NewReader(append(make([]byte, logOffset), written.Bytes()...)), again)
		if err != nil || !maps.Equal(held(copied), held(result.customers)) {
			t.Fatalf("what was read does not survive being written: %v", err)
		}
		if s, ok := decodeSlot(again.append(nil)); !ok || s != again {
			t.Fatalf("slot %+v is read as %+v", again, s)
		}
	})
}

// seal gives the header and both slots the checksums that fit.
func seal(file []byte) []byte {
	putCRC := func(b []byte) {
		binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], castagnoli()))
	}
	copy(file, magic)
	putCRC(file[:headerSize])
	for i := range 2 {
		b := file[slotOffset*(1+i):][:slotSize]
		records := min(binary.LittleEndian.Uint64(b[8:]), uint64((len(file)-logOffset)/recordSize))
		binary.LittleEndian.PutUint64(b[8:], records)
		log := file[logOffset:][:int(records)*recordSize]
		binary.LittleEndian.PutUint32(b[16:], crc32.Checksum(log, castagnoli()))
		putCRC(b)
	}
	return file
}
