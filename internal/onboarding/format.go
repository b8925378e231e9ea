package onboarding

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The state file, all numbers little-endian:
//
//	0      header: magic, format version, hash key, CRC
//	4096   slot 0: what the log was, and the history, after an even walk
//	8192   slot 1: the same after an odd one
//	12288  log: records of recordSize bytes, later ones replacing earlier ones
//
// A walk appends the records that it changed and makes them durable; only then
// does it overwrite the older of the two slots, with the new length of the log
// and its CRC. No part of the log that a slot may vouch for is written again, so
// that one slot and its log are whole at any moment. Slots lie blocks apart so that no torn sector
// spoils both. Every later format begins with the same header.
const (
	magic         = "yativo card state"
	formatVersion = 1

	headerSize = len(magic) + 4 + 16 + 4
	slotSize   = 8 + 8 + 4 + 4*(3+NumStatuses) + 1 + 4
	recordSize = 8 + 4 + 4 + 4 + 1 + 1

	slotOffset = 4096 // of slot 0, and from there to slot 1
	logOffset  = 3 * slotOffset
)

// errCorrupt says that the file is not what was written.
var errCorrupt = errors.New("not a valid state file")

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func appendCRC(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

// checked returns b without the CRC at its end, and whether that is right.
func checked(b []byte) ([]byte, bool) {
	body := b[:len(b)-4]
	return body, crc32.Checksum(body, castagnoli()) == binary.LittleEndian.Uint32(b[len(b)-4:])
}

func appendHeader(b []byte, key [2]uint64) []byte {
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, formatVersion)
	b = binary.LittleEndian.AppendUint64(b, key[0])
	b = binary.LittleEndian.AppendUint64(b, key[1])
	return appendCRC(b)
}

// decodeHeader returns the hash key. It fails with errCorrupt or, for a file
// that a later version wrote, with ErrNewerFormat.
func decodeHeader(b []byte) (key [2]uint64, err error) {
	body, ok := checked(b)
	if !ok || string(body[:len(magic)]) != magic {
		return key, fmt.Errorf("%w: its header is damaged", errCorrupt)
	}
	body = body[len(magic):]
	if version := binary.LittleEndian.Uint32(body); version > formatVersion {
		return key, ErrNewerFormat
	}
	key[0] = binary.LittleEndian.Uint64(body[4:])
	key[1] = binary.LittleEndian.Uint64(body[12:])
	return key, nil
}

// slot vouches for the first records of the log.
type slot struct {
	sequence uint64 // one more for each walk
	records  uint64 // length of the log
	crc      uint32 // of the log
	history  history
}

func (s *slot) offset() int64 { return slotOffset * int64(1+s.sequence%2) }

func (s *slot) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, s.sequence)
	b = le.AppendUint64(b, s.records)
	b = le.AppendUint32(b, s.crc)
	b = le.AppendUint32(b, s.history.since)
	b = le.AppendUint32(b, s.history.lastWalk)
	b = le.AppendUint32(b, s.history.latest)
	for _, advanced := range s.history.advanced {
		b = le.AppendUint32(b, advanced)
	}
	settled := byte(0)
	if s.history.settled {
		settled = 1
	}
	return appendCRC(append(b, settled))
}

func decodeSlot(b []byte) (s slot, ok bool) {
	if b, ok = checked(b); !ok {
		return slot{}, false
	}
	le := binary.LittleEndian
	s.sequence, s.records, s.crc = le.Uint64(b), le.Uint64(b[8:]), le.Uint32(b[16:])
	s.history.since, s.history.lastWalk, s.history.latest = le.Uint32(b[20:]), le.Uint32(b[24:]), le.Uint32(b[28:])
	for i := range s.history.advanced {
		s.history.advanced[i] = le.Uint32(b[32+4*i:])
	}
	s.history.settled = b[len(b)-1] == 1
	return s, true
}

func (r *record) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, r.key)
	b = binary.LittleEndian.AppendUint32(b, r.entered)
	b = binary.LittleEndian.AppendUint32(b, r.created)
	b = binary.LittleEndian.AppendUint32(b, r.left)
	return append(b, byte(r.status), byte(r.flags&kept))
}

func decodeRecord(b []byte) (r record, ok bool) {
	r = record{
		key:     binary.LittleEndian.Uint64(b),
		entered: binary.LittleEndian.Uint32(b[8:]),
		created: binary.LittleEndian.Uint32(b[12:]),
		left:    binary.LittleEndian.Uint32(b[16:]),
		status:  Status(b[20]),
		flags:   flags(b[21]),
	}
	return r, r.key != 0 && r.entered != 0 && r.status < NumStatuses && r.flags&^kept == 0
}

// found is what a state file held.
type found struct {
	slot
	key       [2]uint64
	customers *table
	damage    error  // why the file, or the record of its last walk, could not be used
	aside     string // where the damaged file is kept
}

// decode reads a state file. It fails with errCorrupt or ErrNewerFormat, or
// with the error that reading met. A slot that was cut off while it was written
// costs the last walk alone.
func decode(file io.ReaderAt) (*found, error) {
	header := make([]byte, headerSize)
	if err := readAt(file, header, 0); err != nil {
		return nil, err
	}
	result := &found{}
	var err error
	if result.key, err = decodeHeader(header); err != nil {
		return nil, err
	}
	usable := false
	for i := range 2 {
		b := make([]byte, slotSize)
		if err := readAt(file, b, slotOffset*int64(1+i)); err != nil && !errors.Is(err, errCorrupt) {
			return nil, err
		}
		s, ok := decodeSlot(b)
		switch {
		case ok && (!usable || s.sequence > result.sequence):
			result.slot, usable = s, true
		case !ok && !bytes.Equal(b, make([]byte, slotSize)): // Zeros were never written.
			result.damage = fmt.Errorf("%w: a slot is damaged", errCorrupt)
		}
	}
	if !usable {
		return nil, fmt.Errorf("%w: neither of its slots is whole", errCorrupt)
	}
	result.customers, err = decodeLog(file, result.slot)
	return result, err
}

func decodeLog(file io.ReaderAt, s slot) (*table, error) {
	const most = 1 << 40 / recordSize
	if s.records > most {
		return nil, fmt.Errorf("%w: its log is impossibly long", errCorrupt)
	}
	section := io.NewSectionReader(file, logOffset, int64(s.records)*int64(recordSize))
	log := bufio.NewReaderSize(section, bufferSize)
	customers, crc := &table{}, uint32(0)
	b := make([]byte, recordSize)
	for range s.records {
		if _, err := io.ReadFull(log, b); err != nil {
			return nil, readError(err)
		}
		crc = crc32.Update(crc, castagnoli(), b)
		r, ok := decodeRecord(b)
		if !ok {
			return nil, fmt.Errorf("%w: its log holds an impossible record", errCorrupt)
		}
		known, _ := customers.find(r.key)
		*known = r
	}
	if crc != s.crc {
		return nil, fmt.Errorf("%w: its log is damaged", errCorrupt)
	}
	return customers, nil
}

func readAt(file io.ReaderAt, b []byte, offset int64) error {
	if n, err := file.ReadAt(b, offset); n < len(b) {
		return readError(err)
	}
	return nil
}

// readError tells a file that is too short from one that cannot be read.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut off", errCorrupt)
	}
	return err
}
