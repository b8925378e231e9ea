package onboarding

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// The state file, all numbers little-endian:
//
//	magic, format version, CRC of both     every later format begins with these
//	hash key, history
//	rhythms, field by field
//	undocumented statuses, maxNameBytes for each
//	number of customers, and customerSize bytes for each
//	CRC of everything before it
//
// It is a file of our own because no embedded database that was tried notices
// every damage: one flipped bit in a branch page of bbolt overflows the stack or
// exhausts the memory, and the process cannot recover from either.
const (
	magic         = "yativo card state"
	formatVersion = 1

	headerSize   = len(magic) + 4 + 4
	customerSize = 8 + 4 + 4 + 4 + 1 + 1

	bufferSize = 64 << 10
)

// errCorrupt says that the file is not what was written.
var errCorrupt = errors.New("not a valid state file")

// state is what the file holds.
type state struct {
	key          [2]uint64 // of the hash that stands for a customer's id
	history      history
	rhythms      rhythms
	undocumented []string // statuses that have a label of their own
	customers    map[uint64]customer
}

// history is what is remembered of the program as a whole, in Unix seconds.
type history struct {
	since      uint32              // tracking began; 0 before the first walk
	lastWalk   uint32              // end of the last committed walk
	latestDate uint32              // no date in the records or here lies after it
	advanced   [NumStatuses]uint32 // last advance past each waiting status
	settled    bool                // a complete walk was committed: who appears now is new
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func appendCRC(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

// encode writes the state.
func (s *state) encode(to io.Writer) error {
	sum := crc32.New(castagnoli())
	file := bufio.NewWriterSize(io.MultiWriter(to, sum), bufferSize)
	le := binary.LittleEndian
	b := appendCRC(le.AppendUint32([]byte(magic), formatVersion))
	b = le.AppendUint64(le.AppendUint64(b, s.key[0]), s.key[1])
	b = s.history.append(b)
	b, err := binary.Append(b, le, &s.rhythms)
	if err != nil {
		return err
	}
	for i := range MaxUndocumented {
		var name [maxNameBytes]byte
		if i < len(s.undocumented) {
			copy(name[:], s.undocumented[i])
		}
		b = append(b, name[:]...)
	}
	b = le.AppendUint64(b, uint64(len(s.customers)))
	for key, c := range s.customers {
		if _, err := file.Write(b); err != nil {
			return err
		}
		b = c.append(b[:0], key)
	}
	if _, err := file.Write(b); err != nil {
		return err
	}
	if err := file.Flush(); err != nil {
		return err
	}
	_, err = to.Write(le.AppendUint32(nil, sum.Sum32()))
	return err
}

func (h *history) append(b []byte) []byte {
	for _, seconds := range append([]uint32{h.since, h.lastWalk, h.latestDate}, h.advanced[:]...) {
		b = binary.LittleEndian.AppendUint32(b, seconds)
	}
	if h.settled {
		return append(b, 1)
	}
	return append(b, 0)
}

func (c *customer) append(b []byte, key uint64) []byte {
	b = binary.LittleEndian.AppendUint64(b, key)
	b = binary.LittleEndian.AppendUint32(b, c.entered)
	b = binary.LittleEndian.AppendUint32(b, c.created)
	b = binary.LittleEndian.AppendUint32(b, c.left)
	return append(b, byte(c.status), byte(c.flags&persistedFlags))
}

// decoder reads a state file piece by piece.
type decoder struct {
	file *bufio.Reader
	sum  uint32
	b    []byte
	err  error
}

// next returns the next n bytes, or zeros after an error.
func (d *decoder) next(n int) []byte {
	if cap(d.b) < n {
		d.b = make([]byte, n)
	}
	d.b = d.b[:n]
	if d.err == nil {
		_, d.err = io.ReadFull(d.file, d.b)
	}
	if d.err != nil {
		clear(d.b)
	}
	d.sum = crc32.Update(d.sum, castagnoli(), d.b)
	return d.b
}

func (d *decoder) uint32() uint32 { return binary.LittleEndian.Uint32(d.next(4)) }
func (d *decoder) uint64() uint64 { return binary.LittleEndian.Uint64(d.next(8)) }

// decode reads a state file. It fails with errCorrupt or ErrNewerFormat, or
// with the error that reading met.
func decode(file io.Reader) (*state, error) {
	d := &decoder{file: bufio.NewReaderSize(file, bufferSize)}
	header := d.next(headerSize)
	body := header[:headerSize-4]
	if d.err == nil && (string(body[:len(magic)]) != magic || string(appendCRC(slices.Clip(body))) != string(header)) {
		return nil, fmt.Errorf("%w: its header is damaged", errCorrupt)
	}
	if d.err == nil && binary.LittleEndian.Uint32(body[len(magic):]) > formatVersion {
		return nil, ErrNewerFormat
	}
	s := &state{key: [2]uint64{d.uint64(), d.uint64()}, history: d.history(), customers: map[uint64]customer{}}
	learned := bytes.Clone(d.next(binary.Size(s.rhythms)))
	for range MaxUndocumented {
		if name := bytes.TrimRight(d.next(maxNameBytes), "\x00"); len(name) > 0 {
			s.undocumented = append(s.undocumented, string(name))
		}
	}
	for n := d.uint64(); n > 0 && d.err == nil; n-- {
		key, c := d.customer()
		if d.err == nil && (key == 0 || c.entered == 0 || c.status >= NumStatuses || c.flags&^persistedFlags != 0) {
			return nil, fmt.Errorf("%w: it holds an impossible customer", errCorrupt)
		}
		s.customers[key] = c
	}
	sum := d.sum
	if d.uint32() != sum && d.err == nil {
		return nil, fmt.Errorf("%w: its contents are damaged", errCorrupt)
	}
	if d.err != nil {
		return nil, readError(d.err)
	}
	for _, name := range s.undocumented {
		if !IsUndocumented([]byte(name)) {
			return nil, fmt.Errorf("%w: it holds an impossible status", errCorrupt)
		}
	}
	if _, err := d.file.ReadByte(); !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("%w: something follows its end", errCorrupt), err)
	}
	_, err := binary.Decode(learned, binary.LittleEndian, &s.rhythms)
	return s, err
}

func (d *decoder) history() (h history) {
	h.since, h.lastWalk, h.latestDate = d.uint32(), d.uint32(), d.uint32()
	for i := range h.advanced {
		h.advanced[i] = d.uint32()
	}
	h.settled = d.next(1)[0] == 1
	return h
}

func (d *decoder) customer() (key uint64, c customer) {
	b := d.next(customerSize)
	return binary.LittleEndian.Uint64(b), customer{
		entered: binary.LittleEndian.Uint32(b[8:]),
		created: binary.LittleEndian.Uint32(b[12:]),
		left:    binary.LittleEndian.Uint32(b[16:]),
		status:  Status(b[20]),
		flags:   flags(b[21]),
	}
}

// readError tells a file that is too short from one that cannot be read.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut off", errCorrupt)
	}
	return err
}
