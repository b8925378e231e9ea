package onboarding_test

import (
	"cmp"
	"slices"

	"yativo-card-exporter/internal/onboarding"
)

// model is the rules of time in status written as plainly as possible, with
// maps, strings and whole seconds, for the tracker to be held against.
type model struct {
	thresholds onboarding.Thresholds
	gapLimit   int64

	customers               map[string]*modelCustomer
	since, lastWalk, latest int64
	settled                 bool
	advanced                map[onboarding.Status]int64
	transitions             map[[2]string]int
	stays                   map[onboarding.Status][]int64
	walkSeconds             int64       // of the last walk; 0 after a restart
	newCustomers            int         // of the walk under way
	fast                    map[int]int // of them, by step: first seen there, and old enough
	lagging                 bool
	laggingSince            int64
}

type modelCustomer struct {
	status        onboarding.Status // last known
	shownUnknown  bool
	entered       int64
	created       int64 // of those there when tracking began
	before, bound bool
	absences      int  // complete walks in a row
	absent        bool // from the last walk
	lastSeen      int64
	gone          bool
	goneAt        int64
}

type modelRow struct {
	status  onboarding.Status
	created int64
}

func newModel(thresholds onboarding.Thresholds, gapLimit int64) *model {
	return &model{
		thresholds: thresholds, gapLimit: gapLimit,
		customers:   map[string]*modelCustomer{},
		advanced:    map[onboarding.Status]int64{},
		transitions: map[[2]string]int{},
		stays:       map[onboarding.Status][]int64{},
	}
}

// restart forgets what a process does not keep.
func (m *model) restart() {
	m.transitions = map[[2]string]int{}
	m.stays = map[onboarding.Status][]int64{}
	m.lagging = false
	m.walkSeconds = 0
}

func (m *model) commit(start, end int64, rows map[string]modelRow, complete bool) {
	end = max(start, end)
	began := m.since // as it was known while the rows came in
	if m.since == 0 {
		m.since = end
		for _, s := range onboarding.WaitingStatuses() {
			m.advanced[s] = end
		}
	}
	m.correctClock(end)
	for id, c := range m.customers {
		if c.gone && start-c.goneAt > 24*3600 {
			delete(m.customers, id)
		}
	}
	m.newCustomers, m.fast = 0, map[int]int{}
	for id, row := range rows {
		if c, known := m.customers[id]; known {
			m.again(c, row, start, end)
		} else {
			m.customers[id] = m.first(row, start, end, began)
		}
	}
	for id, c := range m.customers {
		if _, seen := rows[id]; seen || c.gone {
			continue
		}
		if !c.absent {
			c.absent, c.lastSeen = true, m.lastWalk
		}
		if complete {
			c.absences++
		}
		if c.absences == 2 {
			m.transitions[[2]string{c.label(), "gone"}]++
			c.gone, c.goneAt = true, end
		}
	}
	for id, c := range m.customers {
		if c.gone && end-c.goneAt > 24*3600 {
			delete(m.customers, id)
		}
	}
	fast := 0
	for _, n := range m.fast {
		fast += n
	}
	for step := range m.fast {
		if fast*10 >= m.newCustomers {
			m.advance(0, step, end)
		}
	}
	m.lastWalk, m.walkSeconds = end, end-start
	m.settled = m.settled || complete
}

func (m *model) first(row modelRow, start, end, began int64) *modelCustomer {
	c := &modelCustomer{status: row.status, entered: end, shownUnknown: row.status == onboarding.StatusUnknown}
	if !m.settled && (began == 0 || row.created < began) {
		c.before, c.bound, c.created = true, true, row.created
		if began != 0 {
			c.entered = min(began, end)
		}
		return c
	}
	m.transitions[[2]string{"new", row.status.String()}]++
	if row.status == onboarding.OTPRequested && row.created != 0 {
		c.entered = min(row.created, end)
	} else {
		c.bound = m.isGap(start, m.lastWalk)
	}
	m.newCustomers++
	recent := row.created != 0 && row.created >= m.lastWalk-m.walkSeconds
	switch {
	case row.status == onboarding.OTPVerified && recent:
		m.advance(0, row.status.Step(), end)
	case row.status != onboarding.OTPRequested && row.status != onboarding.OTPVerified && recent && end-row.created >= 600:
		m.fast[row.status.Step()]++
	case row.status != onboarding.OTPRequested && row.status != onboarding.OTPVerified:
		c.bound = true
	}
	return c
}

func (m *model) again(c *modelCustomer, row modelRow, start, end int64) {
	from, to := c.label(), row.status.String()
	if from != to {
		m.transitions[[2]string{from, to}]++
	}
	lastSeen := m.lastWalk
	if c.absent {
		lastSeen = c.lastSeen
	}
	if row.status != onboarding.StatusUnknown && row.status != c.status {
		inSight := !c.gone && !c.shownUnknown && !m.isGap(start, lastSeen)
		if inSight && !c.bound && c.entered <= end && c.status.Waits() {
			m.stays[c.status] = append(m.stays[c.status], end-c.entered)
		}
		if c.status != onboarding.StatusUnknown {
			m.advance(c.status.Step(), row.status.Step(), end)
		}
		c.status, c.entered, c.before, c.created, c.bound = row.status, end, false, 0, !inSight
	}
	c.shownUnknown = row.status == onboarding.StatusUnknown
	c.gone, c.absent, c.absences = false, false, 0
}

func (m *model) advance(from, to int, at int64) {
	for _, s := range onboarding.WaitingStatuses() {
		if from <= s.Step() && to > s.Step() && m.advanced[s] < at {
			m.advanced[s] = at
		}
	}
}

func (m *model) isGap(a, b int64) bool { return a-b > m.gapLimit || b-a > m.gapLimit }

func (m *model) correctClock(now int64) {
	if now >= m.latest {
		m.latest, m.lagging = now, false
		return
	}
	if !m.lagging || now < m.laggingSince {
		m.lagging, m.laggingSince = true, now
	}
	if now-m.laggingSince < 3600 {
		return
	}
	m.latest, m.lagging = now, false
	m.since = min(m.since, now)
	for s, at := range m.advanced {
		m.advanced[s] = min(at, now)
	}
	for _, c := range m.customers {
		if c.entered > now {
			c.entered, c.bound = now, true
		}
		c.lastSeen, c.goneAt = min(c.lastSeen, now), min(c.goneAt, now)
	}
}

func (c *modelCustomer) label() string {
	switch {
	case c.gone:
		return "gone"
	case c.shownUnknown:
		return "unknown"
	}
	return c.status.String()
}

// modelWait is one customer of the last walk who waits.
type modelWait struct {
	id                 string
	customer           *modelCustomer
	age                int64
	stalled, abandoned bool
}

// waits lists the customers whom a walk saw in s, oldest entry first.
func (m *model) waits(s onboarding.Status, now int64, rows map[string]modelRow) []modelWait {
	var waits []modelWait
	for id, row := range rows {
		if row.status != s {
			continue
		}
		c := m.customers[id]
		w := modelWait{id: id, customer: c, age: max(0, now-c.entered)}
		stalledAfter := int64(m.thresholds.Stalled[s].Seconds())
		abandonedAfter := int64(m.thresholds.Abandoned[s].Seconds())
		w.abandoned = w.age > abandonedAfter ||
			c.before && s != onboarding.SafeDeploying && c.created != 0 && now-c.created > abandonedAfter
		w.stalled = !w.abandoned && w.age >= stalledAfter
		waits = append(waits, w)
	}
	slices.SortFunc(waits, func(a, b modelWait) int {
		return cmp.Or(cmp.Compare(a.customer.entered, b.customer.entered), cmp.Compare(a.id, b.id))
	})
	return waits
}

func (m *model) tracked() int {
	n := 0
	for _, c := range m.customers {
		if !c.gone {
			n++
		}
	}
	return n
}

func (m *model) enteredSinceAdvance(s onboarding.Status) int {
	n := 0
	for _, c := range m.customers {
		if c.status == s && !c.gone && !c.shownUnknown && min(c.entered, m.lastWalk) > m.advanced[s] {
			n++
		}
	}
	return n
}
