package onboarding

import (
	"bytes"
	"cmp"
	"container/heap"
	"slices"
	"strings"
	"time"
)

// MaxStalledListed is how many stalled customers of one status a Report names.
const MaxStalledListed = 1000

// StalledCustomer is one customer who is stalled: what somebody who has to act
// on it needs, and no e-mail and no balance.
type StalledCustomer struct {
	ID string `json:"customer_id"`
	// ExternalID is empty where it contains an @, since it may be an e-mail.
	ExternalID string `json:"external_customer_id,omitempty"`
	Status     Status `json:"flow_status"`
	// Since is when the customer was first seen in its status.
	Since time.Time `json:"in_status_since"`
	// EnteredBeforeTracking says that the customer may have entered earlier.
	EnteredBeforeTracking bool `json:"entered_before_tracking"`
	// CreatedAt is the API's created_at; the zero time if it is unknown.
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// candidate is a customer who may turn out to be stalled when the walk ends.
// Plain ids are held for these alone, and their buffers are used again.
type candidate struct {
	entered, created uint32 // as in record
	before           bool
	createdAt        time.Time
	id, externalID   []byte
}

func (c *candidate) compare(o *candidate) int {
	return cmp.Or(cmp.Compare(c.entered, o.entered), bytes.Compare(c.id, o.id))
}

// oldest is a heap of the MaxStalledListed candidates who entered first, the
// youngest of them on top.
type oldest []candidate

func (h oldest) Len() int           { return len(h) }
func (h oldest) Less(i, j int) bool { return h[i].compare(&h[j]) > 0 }
func (h oldest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push and Pop complete heap.Interface; offer calls heap.Fix alone, which does
// not allocate.
func (*oldest) Push(any) {}

// Pop is never called.
func (*oldest) Pop() any { return nil }

func (h *oldest) reset() { *h = (*h)[:0] }

func (h *oldest) offer(r *record, o Observation) {
	at, full := 0, len(*h) == MaxStalledListed
	if full {
		youngest := &(*h)[0]
		if r.entered > youngest.entered || r.entered == youngest.entered && o.ID >= string(youngest.id) {
			return
		}
	} else {
		at = len(*h)
		*h = slices.Grow(*h, 1)[:at+1]
	}
	c := &(*h)[at]
	c.entered, c.created, c.before, c.createdAt = r.entered, r.created, r.has(before), o.CreatedAt
	c.id = append(c.id[:0], o.ID...)
	c.externalID = append(c.externalID[:0], o.ExternalID...)
	heap.Fix(h, at)
}

// listStalled returns the candidates in s who are stalled at now, oldest first.
func (t *Tracker) listStalled(s Status, now uint32) []StalledCustomer {
	candidates := slices.Concat(t.leaving[s], t.stalled[s])
	slices.SortFunc(candidates, func(a, b candidate) int { return a.compare(&b) })
	var list []StalledCustomer
	for _, c := range candidates {
		if t.classify(s, c.entered, c.created, now) != stalled {
			continue
		}
		customer := StalledCustomer{
			ID:                    string(c.id),
			Status:                s,
			Since:                 moment(c.entered),
			EnteredBeforeTracking: c.before,
			CreatedAt:             c.createdAt,
		}
		if external := string(c.externalID); !strings.Contains(external, "@") {
			customer.ExternalID = external
		}
		list = append(list, customer)
	}
	return list
}
