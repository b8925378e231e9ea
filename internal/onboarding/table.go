package onboarding

import (
	"iter"
	"math/bits"
)

// record is what is remembered of one customer, in 24 bytes. Moments are Unix
// seconds; 0 stands for none.
type record struct {
	key     uint64 // keyed hash of the customer's id; 0 marks a free slot
	entered uint32 // the stay in status began then; 0 is the end of the walk under way
	created uint32 // created_at, kept only while before is set
	left    uint32 // absent: end of the last walk that saw it; gone: when that was found
	status  Status // the last known one
	flags   flags
	shown   uint8 // 1 + the status that the walk under way shows; 0 if not seen yet
}

type flags uint8

const (
	before flags = 1 << iota // was there in this status when tracking began
	bound                    // the stay may have begun earlier than entered
	hidden                   // the last walk showed StatusUnknown
	missed                   // absent from the last complete walk
	gone                     // absent from two: kept for a while only
	dirty                    // differs from the state file
	fresh                    // first seen by the walk under way
	recent                   // fresh, and signed up since the last walk

	// kept are the flags that the state file holds.
	kept = before | bound | hidden | missed | gone
)

// where is where the last walks left a customer, or where one shows it: a
// status, or one of the two places outside of the program.
type where uint8

const (
	whereGone where = NumStatuses + iota
	whereNew
	numWheres
)

func (w where) String() string {
	switch w {
	case whereGone:
		return "gone"
	case whereNew:
		return "new"
	}
	return Status(w).String()
}

func (r *record) where() where {
	switch {
	case r.has(gone):
		return whereGone
	case r.has(hidden):
		return where(StatusUnknown)
	}
	return where(r.status)
}

func (r *record) has(f flags) bool { return r.flags&f != 0 }

// forget marks the record of a customer who is gone for removal, once the
// state file says so too.
func (r *record) forget() {
	if !r.forgotten() {
		r.left = 0
		r.flags |= dirty
	}
}

func (r *record) forgotten() bool { return r.has(gone) && r.left == 0 }

// shardBits splits the table into parts that grow one by one, so that growth
// never holds two copies of everything.
const shardBits = 10

// table maps hashed ids to records by open addressing. Records hold no
// pointers, so that the garbage collector has nothing to follow.
type table struct {
	shards [1 << shardBits]shard
	spare  []record
}

type shard struct {
	slots []record
	used  int
}

// find returns the record with this key, and inserts an empty one first if
// there is none. The pointer is valid until the next call.
func (t *table) find(key uint64) (r *record, inserted bool) {
	s := &t.shards[key>>(64-shardBits)]
	if r = s.slot(key); r != nil && r.key == key {
		return r, false
	}
	if s.used >= len(s.slots)*4/5 {
		old := s.slots
		s.slots = make([]record, len(old)+len(old)/4+8)
		s.refill(old)
		r = s.slot(key)
	}
	s.used++
	r.key = key
	return r, true
}

// slot returns the key's own slot, or else the free one that it would take;
// at least one in five is free. It returns nil only for a shard without slots.
func (s *shard) slot(key uint64) *record {
	if len(s.slots) == 0 {
		return nil
	}
	at, _ := bits.Mul64(key<<shardBits, uint64(len(s.slots)))
	for i := int(at); ; {
		if r := &s.slots[i]; r.key == key || r.key == 0 {
			return r
		}
		if i++; i == len(s.slots) {
			i = 0
		}
	}
}

func (s *shard) refill(records []record) {
	for i := range records {
		if key := records[i].key; key != 0 {
			*s.slot(key) = records[i]
		}
	}
}

// all yields every record, in no order that means anything.
func (t *table) all() iter.Seq[*record] {
	return func(yield func(*record) bool) {
		for i := range t.shards {
			slots := t.shards[i].slots
			for j := range slots {
				if slots[j].key != 0 && !yield(&slots[j]) {
					return
				}
			}
		}
	}
}

// drop removes the records for which doomed is true.
func (t *table) drop(doomed func(*record) bool) {
	for i := range t.shards {
		s := &t.shards[i]
		t.spare = t.spare[:0]
		for j := range s.slots {
			if r := &s.slots[j]; r.key != 0 && !doomed(r) {
				t.spare = append(t.spare, *r)
			}
		}
		if len(t.spare) == s.used {
			continue
		}
		if s.used = len(t.spare); s.used < len(s.slots)/4 {
			s.slots = make([]record, s.used+s.used/2+1)
		} else {
			clear(s.slots)
		}
		s.refill(t.spare)
	}
}
