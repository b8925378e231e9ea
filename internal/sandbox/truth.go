package sandbox

import (
	"maps"
	"slices"

	"github.com/cockroachdb/apd/v3"

	"yativo-card-exporter/internal/onboarding"
)

// Counts is everything about the population that is a number of customers, or
// of cards.
type Counts struct {
	Total      int
	ByStatus   [onboarding.NumStatuses]int
	Undeployed [onboarding.NumStatuses]int // without a deployed wallet, by status
	Cards      int
	// BalanceCustomers counts those whose ledger balance is known.
	BalanceCustomers map[BalanceGroup]int
	// Missing counts deployed wallets whose ledger balance is null.
	Missing int
	// Mismatch counts, by currency, realtime customers whose three balances
	// are known and whose ledger is not available plus pending.
	Mismatch map[string]int
}

// BalanceGroup is a currency, or "" for null, and a freshness: "realtime",
// "on_chain", or "unknown" for everything else.
type BalanceGroup struct{ Currency, Freshness string }

// Money is the exact sum of the balances of one currency that are known.
type Money struct {
	Ledger, Available, Pending *apd.Decimal
	// RealtimeLedger is the part of Ledger that belongs to realtime customers.
	RealtimeLedger *apd.Decimal
}

// Truth is what a perfect observer would see at one moment.
type Truth struct {
	Counts
	Money map[string]Money // by currency, "" for null; only those in use
}

// Truth returns the population as it is now. It reads every customer, which
// takes some milliseconds for each hundred thousand.
func (s *Sandbox) Truth() Truth {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
	return Truth{Counts: s.people.export(s.people.tally.counts), Money: s.people.money()}
}

// Range is what every count was between two moments. Always ≤ Min ≤ Max ≤ Ever.
type Range struct {
	// Min and Max are the extremes of the count itself.
	Min, Max Counts
	// Always counts the customers who belonged all the while, Ever those who
	// belonged at any moment. A walk that reads one customer early and another
	// late keeps within these, but not always within Min and Max: someone may
	// leave a status after having been read there, and someone else enter it
	// before being read.
	Always, Ever Counts
}

// Mark is the first moment of a Range.
type Mark struct {
	s                *Sandbox
	start, low, high map[measure]int
	touched          map[uint32]map[measure]*extent // by the serial of customers changed since
}

// extent is how one customer has counted in one measure since a mark.
type extent struct{ first, low, high int }

// Range calls f and returns what the counts were while it ran.
func (s *Sandbox) Range(f func()) Range {
	m := s.Mark()
	f()
	return m.Range()
}

// Mark begins a Range; call the mark's Range to end it.
func (s *Sandbox) Mark() *Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
	t := &s.people.tally
	m := &Mark{
		s: s, start: maps.Clone(t.counts), low: maps.Clone(t.counts), high: maps.Clone(t.counts),
		touched: map[uint32]map[measure]*extent{},
	}
	t.marks[m] = struct{}{}
	return m
}

// Range returns what the counts were from the mark until now, and forgets the
// mark: it is to be called once.
func (m *Mark) Range() Range {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.s.advance()
	p := m.s.people
	delete(p.tally.marks, m)
	always, ever := maps.Clone(m.start), maps.Clone(m.start)
	for _, extents := range m.touched {
		for k, e := range extents {
			always[k] += e.low - e.first
			ever[k] += e.high - e.first
		}
	}
	return Range{Min: p.export(m.low), Max: p.export(m.high), Always: p.export(always), Ever: p.export(ever)}
}

// note takes in a change of one customer after the counts have changed.
func (m *Mark) note(counts map[measure]int, serial uint32, before, after shares) {
	extents := m.touched[serial]
	if extents == nil {
		extents = map[measure]*extent{}
		m.touched[serial] = extents
		for _, s := range before.list() {
			extents[s.measure] = &extent{s.n, s.n, s.n}
		}
	}
	for _, s := range after.list() {
		if extents[s.measure] == nil {
			extents[s.measure] = &extent{}
		}
	}
	for k, e := range extents {
		now := after.of(k)
		e.low, e.high = min(e.low, now), max(e.high, now)
		m.low[k], m.high[k] = min(m.low[k], counts[k]), max(m.high[k], counts[k])
	}
}

// measure names one count: a kind, and the status, or the freshness and
// currency, that it is of.
type measure struct {
	kind     measureKind
	detail   uint16 // an onboarding.Status, or an index into freshnesses
	currency uint32 // an index into population.currencies
}

type measureKind uint16

const (
	total measureKind = iota
	byStatus
	undeployed
	cards
	balance
	missing
	mismatch
)

// The freshness of a balance, as an index into freshnesses.
const (
	unknown = iota
	realtime
	onChain
)

var freshnesses = [...]string{"unknown", "realtime", "on_chain"}

// share is what one customer adds to one count.
type share struct {
	measure
	n int
}

// shares is what one customer adds to all counts: to six at most.
type shares struct {
	all [6]share
	n   int
}

func (s *shares) list() []share { return s.all[:s.n] }

func (s *shares) put(m measure, n int) {
	s.all[s.n] = share{m, n}
	s.n++
}

func (s *shares) of(m measure) int {
	for _, sh := range s.list() {
		if sh.measure == m {
			return sh.n
		}
	}
	return 0
}

// tally keeps every count up to date, and the marks that watch them.
type tally struct {
	counts map[measure]int
	marks  map[*Mark]struct{}
}

func newTally() tally {
	return tally{counts: map[measure]int{}, marks: map[*Mark]struct{}{}}
}

// change replaces what a customer counted before by what it counts now.
func (t *tally) change(serial uint32, before, after shares) {
	for _, s := range before.list() {
		t.counts[s.measure] -= s.n
	}
	for _, s := range after.list() {
		t.counts[s.measure] += s.n
	}
	for m := range t.marks {
		m.note(t.counts, serial, before, after)
	}
}

// shares returns what a slot's customer counts.
func (p *population) shares(slot uint32) (s shares) {
	r := &p.records[slot]
	deployed, numCards := r.deployed(), int(r.cards)
	ledger, fresh, mismatched := r.deployed(), uint16(onChain), false
	if r.realtime {
		fresh = realtime
	}
	if c := p.placed[slot]; c != nil {
		b := c.balances()
		deployed, numCards = c.SafeDeployed, c.Cards
		ledger, fresh, mismatched = b.ledger != nil, b.freshness, b.mismatch()
	}

	s.put(measure{kind: total}, 1)
	s.put(measure{kind: byStatus, detail: uint16(r.status)}, 1)
	if !deployed {
		s.put(measure{kind: undeployed, detail: uint16(r.status)}, 1)
	}
	if numCards != 0 {
		s.put(measure{kind: cards}, numCards)
	}
	if ledger {
		s.put(measure{kind: balance, detail: fresh, currency: r.currency}, 1)
	} else if deployed {
		s.put(measure{kind: missing}, 1)
	}
	if mismatched {
		s.put(measure{kind: mismatch, currency: r.currency}, 1)
	}
	return s
}

// export turns counts into the form that tests read.
func (p *population) export(counts map[measure]int) Counts {
	c := Counts{BalanceCustomers: map[BalanceGroup]int{}, Mismatch: map[string]int{}}
	for m, n := range counts {
		switch m.kind {
		case total:
			c.Total = n
		case byStatus:
			c.ByStatus[m.detail] = n
		case undeployed:
			c.Undeployed[m.detail] = n
		case cards:
			c.Cards = n
		case missing:
			c.Missing = n
		case balance:
			c.BalanceCustomers[BalanceGroup{p.currencies[m.currency], freshnesses[m.detail]}] = n
		case mismatch:
			c.Mismatch[p.currencies[m.currency]] = n
		}
	}
	return c
}

// balances are a placed customer's amounts as numbers; nil is unknown.
type balances struct {
	ledger, available, pending *apd.Decimal
	freshness                  uint16
}

func (c *Customer) balances() balances {
	number := func(text string) *apd.Decimal {
		d, _, err := apd.NewFromString(text)
		if err != nil || d.Form != apd.Finite {
			return nil
		}
		return d
	}
	fresh := max(unknown, slices.Index(freshnesses[:], c.Freshness))
	return balances{number(c.Ledger), number(c.Available), number(c.Pending), uint16(fresh)}
}

func (b balances) mismatch() bool {
	if b.freshness != realtime || b.ledger == nil || b.available == nil || b.pending == nil {
		return false
	}
	return b.ledger.Cmp(sum(b.available, b.pending)) != 0
}

// sum adds exactly; nil adds nothing.
func sum(a, b *apd.Decimal) *apd.Decimal {
	if b == nil {
		return a
	}
	d := new(apd.Decimal)
	if _, err := apd.BaseContext.Add(d, a, b); err != nil {
		panic("sandbox: add two balances: " + err.Error())
	}
	return d
}

// money sums the balances of everybody, by currency.
func (p *population) money() map[string]Money {
	all := map[string]Money{}
	add := func(currency uint32, ledger, available, pending, realtime *apd.Decimal) {
		m, ok := all[p.currencies[currency]]
		if !ok {
			m = Money{new(apd.Decimal), new(apd.Decimal), new(apd.Decimal), new(apd.Decimal)}
		}
		all[p.currencies[currency]] = Money{
			sum(m.Ledger, ledger), sum(m.Available, available), sum(m.Pending, pending), sum(m.RealtimeLedger, realtime),
		}
	}
	type cents struct{ customers, ledger, pending, realtime int64 }
	living := make([]cents, len(p.currencies))
	for _, slot := range p.order {
		r := &p.records[slot]
		if c := p.placed[slot]; c != nil {
			b := c.balances()
			var realtimeLedger *apd.Decimal
			if b.freshness == realtime {
				realtimeLedger = b.ledger
			}
			if b.ledger != nil || b.available != nil || b.pending != nil {
				add(r.currency, b.ledger, b.available, b.pending, realtimeLedger)
			}
		} else if r.deployed() {
			l := &living[r.currency]
			l.customers++
			l.ledger += r.ledger
			l.pending += r.pending
			if r.realtime {
				l.realtime += r.ledger
			}
		}
	}
	for i, l := range living {
		if l.customers > 0 {
			add(uint32(i), apd.New(l.ledger, -2), apd.New(l.ledger-l.pending, -2), apd.New(l.pending, -2), apd.New(l.realtime, -2))
		}
	}
	return all
}
