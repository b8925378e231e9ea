package onboarding

import (
	"bytes"
	"cmp"
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
	// ExternalID is empty where it contains an @, however written, since it may
	// be an e-mail; ID likewise.
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
	customer

	createdAt      time.Time
	id, externalID []byte
}

func byEntry(a, b candidate) int {
	return cmp.Or(cmp.Compare(a.entered, b.entered), bytes.Compare(a.id, b.id))
}

// oldest collects candidates. It holds twice as many as are listed, at most,
// and when it is full lets go of the younger half.
type oldest struct {
	candidates []candidate
	full       bool // it once was: the first MaxStalledListed are the oldest of then
}

func (o *oldest) reset() { o.candidates, o.full = o.candidates[:0], false }

func (o *oldest) offer(c customer, row Observation) {
	if o.full {
		last := &o.candidates[MaxStalledListed-1]
		if c.entered > last.entered || c.entered == last.entered && row.ID > string(last.id) {
			return
		}
	}
	n := len(o.candidates)
	o.candidates = slices.Grow(o.candidates, 1)[:n+1]
	added := &o.candidates[n]
	added.customer, added.createdAt = c, row.CreatedAt
	added.id = append(added.id[:0], row.ID...)
	added.externalID = append(added.externalID[:0], row.ExternalID...)
	if len(o.candidates) == 2*MaxStalledListed {
		slices.SortFunc(o.candidates, byEntry)
		o.candidates, o.full = o.candidates[:MaxStalledListed], true
	}
}

// listStalled returns the candidates in s who are stalled at now, oldest
// first, at most MaxStalledListed of them.
func (t *Tracker) listStalled(s Status, now uint32) []StalledCustomer {
	candidates := slices.DeleteFunc(slices.Concat(t.nearlyAbandoned[s].candidates, t.stalled[s].candidates),
		func(c candidate) bool { return t.classify(c.customer, now) != stalled })
	slices.SortFunc(candidates, byEntry)
	var list []StalledCustomer
	for _, c := range candidates[:min(len(candidates), MaxStalledListed)] {
		list = append(list, StalledCustomer{
			ID:                    withoutEmail(string(c.id)),
			ExternalID:            withoutEmail(string(c.externalID)),
			Status:                s,
			Since:                 moment(c.entered),
			EnteredBeforeTracking: c.has(presentAtStart),
			CreatedAt:             c.createdAt,
		})
	}
	return list
}

// withoutEmail returns an id, or "" for one that may be an e-mail address,
// however its @ is written.
func withoutEmail(id string) string {
	lower := strings.ToLower(id)
	for _, at := range []string{"@", "\uff20", "\ufe6b", "%40", "%2540", "&#64;", "&#x40;", "&commat;"} {
		if strings.Contains(lower, at) {
			return ""
		}
	}
	return id
}
