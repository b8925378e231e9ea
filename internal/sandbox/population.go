package sandbox

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

// The pace of the population at Speed 1.
const (
	// signUpsPerCustomer is how many sign up each second for each customer of
	// the initial population: one in eight seconds for 250.
	signUpsPerCustomer = 1.0 / 2000
	// departuresPerCustomer is how many would be removed each second for each
	// customer of the initial population if it had grown fourfold. With half
	// as many sign-ups it settles at twofold.
	departuresPerCustomer = 2 * signUpsPerCustomer
	// paymentsPerCustomer is how many balances change each second for each
	// customer of the initial population.
	paymentsPerCustomer = 1.0 / 1000
	// smallestProgram is the initial population below which the pace of
	// sign-ups falls no further.
	smallestProgram = 50
	// dropOut is the share of those who enter a step that waits on them, or on
	// their documents, and never leave it.
	dropOut = 0.03
)

// meanWait is the mean stay in a status at Speed 1; a stay takes from half to
// one and a half times as long.
var meanWait = [onboarding.NumStatuses]time.Duration{
	onboarding.OTPRequested:  12 * time.Second,
	onboarding.OTPVerified:   15 * time.Second,
	onboarding.KYCInitiated:  20 * time.Second,
	onboarding.KYCCompleted:  15 * time.Second,
	onboarding.SafeDeploying: 8 * time.Second,
	onboarding.CardCreated:   30 * time.Second,
}

// underway is the part of the initial population, in thousandths, that will
// move on from a status soon; droppedOut is the part of all others that stays
// in a status for ever. The rest is active.
var (
	underway = [onboarding.NumStatuses]int{
		onboarding.OTPRequested: 12, onboarding.OTPVerified: 12, onboarding.KYCInitiated: 16,
		onboarding.KYCCompleted: 12, onboarding.SafeDeploying: 12, onboarding.CardCreated: 30,
	}
	droppedOut = [onboarding.NumStatuses]int{
		onboarding.OTPRequested: 30, onboarding.OTPVerified: 30, onboarding.KYCInitiated: 40, onboarding.KYCCompleted: 30,
	}
)

// programAge is the age of the oldest customer of the initial population,
// unless the pace is so slow that those underway are as old.
const programAge = 180 * 24 * time.Hour

// population is the program's customers. It moves by events on a time axis of
// its own, so that the state at any moment is the same however often, or how
// seldom, somebody looked before.
type population struct {
	seed     uint64
	rng      *rand.Rand
	speed    float64
	scenario Scenario
	start    time.Time
	size     int // of the initial population, at least smallestProgram

	records    []record // by slot
	free       []uint32 // slots to use again
	order      []uint32 // slots, oldest customer first; the API lists them last
	placed     map[uint32]*Customer
	serial     uint32 // of the next customer
	events     events
	sequence   uint64 // of the next event
	currencies []string
	tally      tally
}

func newPopulation(o Options, start time.Time) *population {
	p := &population{
		seed: o.Seed, rng: rand.New(rand.NewPCG(o.Seed, mix(o.Seed, 0))),
		speed: o.Speed, scenario: o.Scenario, start: start, size: max(o.Customers, smallestProgram),
		records:    make([]record, 0, o.Customers),
		order:      make([]uint32, 0, o.Customers),
		placed:     map[uint32]*Customer{},
		serial:     1,
		currencies: []string{"", "USD", "EUR", "GBP"},
		tally:      newTally(),
	}
	p.settle(o.Customers)
	if p.speed > 0 {
		p.schedule(signingUp, p.gap(signUpsPerCustomer), 0, 0)
		p.schedule(leaving, p.gap(departuresPerCustomer), 0, 0)
		p.schedule(paying, p.gap(paymentsPerCustomer), 0, 0)
	}
	return p
}

// settle makes the initial population, oldest first: those who are active or
// dropped out, mixed, and then those underway, each as old as the steps take
// that lie behind it.
func (p *population) settle(n int) {
	var flowing [onboarding.NumStatuses]int
	settled := n
	for s, thousandths := range underway {
		flowing[s] = n * thousandths / 1000
		if flowing[s] == 0 && thousandths > 0 && n >= onboarding.NumStatuses {
			flowing[s] = 1 // even a small program has somebody in every status
		}
		settled -= flowing[s]
	}

	recent := p.span(onboarding.OTPRequested, onboarding.Active)
	older := max(programAge, 2*recent)
	for i := range settled {
		age := recent + time.Duration(float64(older-recent)*float64(settled-i)/float64(settled))
		p.signUp(p.start.Add(-age), p.pickSettled())
	}
	for s := onboarding.CardCreated; s >= onboarding.OTPRequested; s-- {
		behind, wait := p.span(onboarding.OTPRequested, s), p.scaled(meanWait[s])
		for i := range flowing[s] {
			left := time.Duration((float64(i) + 0.5) / float64(flowing[s]) * float64(wait))
			slot := p.signUp(p.start.Add(left-wait-behind), s)
			if p.speed > 0 {
				p.schedule(moving, left, slot, p.records[slot].serial)
			}
		}
	}
}

// pickSettled draws the status of a customer who is active or dropped out.
func (p *population) pickSettled() onboarding.Status {
	draw := p.rng.IntN(1000)
	for s, thousandths := range droppedOut {
		if draw -= thousandths; draw < 0 {
			return onboarding.Status(s)
		}
	}
	return onboarding.Active
}

// span is the mean time from entering one status to entering a later one.
func (p *population) span(from, to onboarding.Status) (d time.Duration) {
	for s := from; s < to; s++ {
		d += p.scaled(meanWait[s])
	}
	return d
}

// scaled is a duration at Speed 1 as it is at this speed; a population held
// still has the ages of Speed 1.
func (p *population) scaled(d time.Duration) time.Duration {
	if p.speed > 0 {
		d = duration(float64(d) / p.speed)
	}
	return d
}

// duration is a number of nanoseconds, or three years if that is shorter: the
// pace can be so slow that nothing happens within the range of a Duration.
func duration(nanoseconds float64) time.Duration {
	return time.Duration(min(nanoseconds, 1e17))
}

// gap draws the time to the next event of a kind that happens at a rate per
// second and customer: from half to one and a half times the mean, so that no
// lull looks like a stall.
func (p *population) gap(rate float64) time.Duration {
	return p.around(duration(float64(time.Second) / (rate * float64(p.size) * p.speed)))
}

// around draws a time from half to one and a half times a mean.
func (p *population) around(mean time.Duration) time.Duration {
	return max(1, time.Duration((0.5+p.rng.Float64())*float64(mean)))
}

// signUp adds a customer as the newest, with the wallet, card and balance that
// the status brings with it.
func (p *population) signUp(created time.Time, status onboarding.Status) (slot uint32) {
	slot = p.allocate()
	r := &p.records[slot]
	r.created, r.status = created.UnixMilli(), status
	if r.deployed() {
		p.fund(r)
	}
	p.tally.change(r.serial, shares{}, p.shares(slot))
	return slot
}

// allocate returns a slot for the newest customer that holds nothing yet but
// its serial number.
func (p *population) allocate() (slot uint32) {
	if n := len(p.free); n > 0 {
		slot, p.free = p.free[n-1], p.free[:n-1]
	} else {
		slot = uint32(len(p.records))
		p.records = append(p.records, record{})
	}
	p.records[slot] = record{serial: p.serial}
	p.serial++
	p.order = append(p.order, slot)
	return slot
}

// remove takes away the customer at a position of the order.
func (p *population) remove(position int) {
	slot := p.order[position]
	before := p.shares(slot)
	p.tally.change(p.records[slot].serial, before, shares{})
	p.order = slices.Delete(p.order, position, position+1)
	delete(p.placed, slot)
	p.records[slot] = record{}
	p.free = append(p.free, slot)
}

// clear takes everybody away.
func (p *population) clear() {
	for len(p.order) > 0 {
		p.remove(len(p.order) - 1)
	}
}

// edit changes a customer's record and keeps the counts.
func (p *population) edit(slot uint32, f func(*record)) {
	before := p.shares(slot)
	f(&p.records[slot])
	p.tally.change(p.records[slot].serial, before, p.shares(slot))
}

// add puts a customer as a test wrote it in as the newest.
func (p *population) add(c Customer) {
	slot := p.allocate()
	p.place(slot, c)
	p.tally.change(p.records[slot].serial, shares{}, p.shares(slot))
}

// place makes a slot's customer one that a test wrote, for good. The caller
// keeps the counts.
func (p *population) place(slot uint32, c Customer) {
	r := &p.records[slot]
	r.placed, r.status, r.currency = true, c.Status, p.intern(c.Currency)
	p.placed[slot] = &c
}

func (p *population) intern(currency string) uint32 {
	i := slices.Index(p.currencies, currency)
	if i < 0 {
		i = len(p.currencies)
		p.currencies = append(p.currencies, currency)
	}
	return uint32(i)
}

// find returns the position in the order of the newest customer with an id, or
// -1.
func (p *population) find(id string) int {
	var buf [24]byte
	for i, slot := range slices.Backward(p.order) {
		if c := p.placed[slot]; c != nil && c.ID == id ||
			c == nil && string(p.records[slot].appendID(buf[:0], p.seed)) == id {
			return i
		}
	}
	return -1
}

// customer returns a copy of a slot's customer as a test edits it.
func (p *population) customer(slot uint32) Customer {
	if c := p.placed[slot]; c != nil {
		return *c
	}
	r := &p.records[slot]
	return r.customer(p.seed, p.currencies[r.currency])
}

// appendRow appends a slot's row as the API sends it.
func (p *population) appendRow(b []byte, slot uint32, balances bool) []byte {
	r := &p.records[slot]
	if c := p.placed[slot]; c != nil {
		return c.appendJSON(b, balances)
	}
	return r.appendJSON(b, p.seed, p.currencies[r.currency], balances)
}

// An event is something that happens to the population at a time since its
// start: to one customer, or, for the other kinds, to one drawn then.
type event struct {
	at           time.Duration
	sequence     uint64 // orders events of the same time
	slot, serial uint32
	kind         eventKind
}

type eventKind uint8

const (
	moving eventKind = iota
	signingUp
	leaving
	paying
)

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	if e[i].at != e[j].at {
		return e[i].at < e[j].at
	}
	return e[i].sequence < e[j].sequence
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func (p *population) schedule(kind eventKind, at time.Duration, slot, serial uint32) {
	p.sequence++
	heap.Push(&p.events, event{at: at, sequence: p.sequence, slot: slot, serial: serial, kind: kind})
}

// advance lets everything happen that is due by a time since the start.
func (p *population) advance(elapsed time.Duration) {
	for len(p.events) > 0 && p.events[0].at <= elapsed {
		e := heap.Pop(&p.events).(event)
		switch e.kind {
		case moving:
			p.move(e)
		case signingUp:
			p.await(p.signUp(p.start.Add(e.at), onboarding.OTPRequested), e.at)
			p.schedule(signingUp, e.at+p.gap(signUpsPerCustomer), 0, 0)
		case leaving:
			p.churn()
			p.schedule(leaving, e.at+p.gap(departuresPerCustomer), 0, 0)
		case paying:
			p.pay()
			p.schedule(paying, e.at+p.gap(paymentsPerCustomer), 0, 0)
		}
	}
}

// await schedules the end of a stay that begins now, unless the customer drops
// out. Nobody drops out where only the vendor is waited for.
func (p *population) await(slot uint32, now time.Duration) {
	r := &p.records[slot]
	if r.status == onboarding.Active || (r.status < onboarding.SafeDeploying && p.rng.Float64() < dropOut) {
		return
	}
	p.schedule(moving, now+p.around(p.scaled(meanWait[r.status])), slot, r.serial)
}

// move lets a customer enter the next status, or, where the scenario lets
// nobody pass, puts the move off until after the stall.
func (p *population) move(e event) {
	r := &p.records[e.slot]
	if r.serial != e.serial || r.placed {
		return
	}
	stalled := p.scenario == KYCStall && r.status == onboarding.KYCInitiated ||
		p.scenario == SafeStall && r.status == onboarding.SafeDeploying
	if end, on := p.scenario.Trouble(e.at); stalled && on {
		p.schedule(moving, end+time.Duration(p.rng.Int64N(int64(StallDrain))), e.slot, e.serial)
		return
	}
	p.edit(e.slot, func(r *record) {
		r.status++
		if r.status == onboarding.CardCreated {
			p.fund(r)
		}
	})
	p.await(e.slot, e.at)
}

// churn removes a customer drawn at random, the likelier the more the program
// has grown: it settles at twice its initial size instead of growing for ever.
func (p *population) churn() {
	if len(p.order) == 0 || p.rng.Float64()*float64(4*p.size) > float64(len(p.order)) {
		return
	}
	if i := p.rng.IntN(len(p.order)); !p.records[p.order[i]].placed {
		p.remove(i)
	}
}

// fund gives a customer whose wallet is deployed its currency, card and first
// balance.
func (p *population) fund(r *record) {
	r.currency = 1
	if d := p.rng.IntN(10); d >= 9 {
		r.currency = 3
	} else if d >= 6 {
		r.currency = 2
	}
	r.cards = 1
	r.ledger = int64(p.rng.ExpFloat64() * 250_00)
	if r.status == onboarding.Active && p.rng.IntN(5) > 0 {
		r.realtime = true
		r.pending = max(0, r.ledger*int64(p.rng.IntN(30)-15)/100)
	}
}

// pay changes the balance of a customer drawn at random as a card payment, a
// settlement or a deposit does. A realtime balance now and then falls back to
// the on-chain one, once everything is settled.
func (p *population) pay() {
	if len(p.order) == 0 {
		return
	}
	slot := p.order[p.rng.IntN(len(p.order))]
	if r := &p.records[slot]; r.placed || !r.deployed() {
		return
	}
	p.edit(slot, func(r *record) {
		draw := p.rng.IntN(20)
		r.realtime = draw > 0
		switch {
		case draw < 6:
			r.ledger, r.pending = r.ledger-r.pending, 0
		case draw < 10:
			r.ledger += 1 + int64(p.rng.ExpFloat64()*100_00)
		default:
			r.pending += (r.ledger - r.pending) * int64(p.rng.IntN(20)) / 100
		}
	})
}
