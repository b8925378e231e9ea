// Package sandbox plays the card-issuer API in memory: the list of card
// customers with a population that signs up and moves on, access tokens that
// expire, a quota, and faults that can be switched on. The demo, the tests and
// the benchmarks use it in place of the real service.
//
// Everything follows from the seed and from the times at which requests
// arrive; there is no goroutine that moves the population.
package sandbox

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"
)

// BasePath is the path below which the API is served.
const BasePath = "/api/v1"

// The credentials of a sandbox whose options name no others.
const (
	DefaultAPIKey    = "yativo_sandbox_key"
	DefaultAPISecret = "yativo_sandbox_secret"
)

// Options configure a sandbox. The zero value is an empty program that is held
// still.
type Options struct {
	// Seed is where everything random comes from.
	Seed uint64
	// Customers is the initial population, spread over all statuses.
	Customers int
	// Now is the API's clock; nil is time.Now. Where it steps back, the
	// sandbox's time stands still.
	Now func() time.Time
	// Speed is how often customers sign up, move, pay and leave. At 1 a
	// program of 250 has something to see every few seconds; at 0 nothing
	// happens. The pace grows with Customers, and the program to about twice
	// its size.
	Speed float64
	// TokenTTL is how long an access token lives; 0 is an hour.
	TokenTTL time.Duration
	// Quota is how many requests the key has in any rolling minute, production
	// traffic included; 0 is 600, and below 0 there is no limit.
	Quota int
	// PageCap is the most rows that a page has, whatever limit asks for; 0 is
	// 100.
	PageCap int
	// APIKey and APISecret mint tokens; empty, they are DefaultAPIKey and
	// DefaultAPISecret.
	APIKey, APISecret string
	// Latency is added before each answer.
	Latency time.Duration
	// Scenario is a trouble that comes and goes by itself.
	Scenario Scenario
}

// Sandbox is the API, as an http.Handler. All its methods can be called
// concurrently.
type Sandbox struct {
	options Options
	start   time.Time
	pages   sync.Pool // of *[]byte, a rendered page each

	mu      sync.Mutex // guards all below
	elapsed time.Duration
	people  *population
	tokens  tokens
	quota   quota
	log     *requestLog
	drawn   uint64 // requests that reached the scenario
	faults  []*injected
}

// New returns a sandbox whose time begins now.
func New(o Options) *Sandbox {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.TokenTTL = cmp.Or(o.TokenTTL, time.Hour)
	o.Quota = cmp.Or(o.Quota, 600)
	o.PageCap = cmp.Or(o.PageCap, 100)
	o.APIKey = cmp.Or(o.APIKey, DefaultAPIKey)
	o.APISecret = cmp.Or(o.APISecret, DefaultAPISecret)
	start := o.Now()
	return &Sandbox{
		options: o,
		start:   start,
		pages:   sync.Pool{New: func() any { return new([]byte) }},
		people:  newPopulation(o, start),
		tokens:  tokens{seed: o.Seed, key: o.APIKey, secret: o.APISecret, expiry: map[string]time.Duration{}},
		quota:   quota{limit: o.Quota, scenario: o.Scenario},
		log:     newRequestLog(),
	}
}

// advance brings the sandbox's time up to the clock and returns it, as the
// time since New. The caller holds the lock.
func (s *Sandbox) advance() time.Duration {
	s.elapsed = max(s.elapsed, s.options.Now().Sub(s.start))
	s.people.advance(s.elapsed)
	return s.elapsed
}

// SetCustomers replaces the population; the first is the first row of page 1.
func (s *Sandbox) SetCustomers(customers []Customer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
	s.people.clear()
	for _, c := range slices.Backward(customers) {
		s.people.add(c)
	}
}

// Add puts a customer in front of all others, as a sign-up does.
func (s *Sandbox) Add(c Customer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
	s.people.add(c)
}

// Update changes the first customer with the id, and reports whether there is
// one. From then on it moves no more by itself. The change must not call the
// sandbox.
func (s *Sandbox) Update(id string, change func(*Customer)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
	i := s.people.find(id)
	if i < 0 {
		return false
	}
	slot := s.people.order[i]
	c := s.people.customer(slot)
	change(&c)
	s.people.edit(slot, func(*record) { s.people.place(slot, c) })
	return true
}

// Remove takes the first customer with the id away, and reports whether there
// was one.
func (s *Sandbox) Remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
	i := s.people.find(id)
	if i < 0 {
		return false
	}
	s.people.remove(i)
	return true
}

// Customers returns a copy of everybody, in the order of the list.
func (s *Sandbox) Customers() []Customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
	all := make([]Customer, 0, len(s.people.order))
	for _, slot := range slices.Backward(s.people.order) {
		all = append(all, s.people.customer(slot))
	}
	return all
}

// RotateKey replaces the credentials that mint tokens. Tokens that the former
// ones minted live on until they expire or are revoked.
func (s *Sandbox) RotateKey(key, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.key, s.tokens.secret = key, secret
}

// RevokeTokens makes every token minted so far invalid.
func (s *Sandbox) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens.expiry)
}

// MintToken returns a new access token without a request, as a user gets one
// from the vendor's dashboard.
func (s *Sandbox) MintToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens.mint(s.advance(), s.options.TokenTTL)
}

// ServeHTTP answers a request: it is logged, meets the faults that are
// switched on and the scenario's outage, and is answered by the API.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint := endpointOf(r.URL.Path)
	s.mu.Lock()
	elapsed := s.advance()
	log := s.log
	entry := log.arrive(s.start.Add(elapsed), endpoint, r)
	handler := s.withFaults(endpoint, r, http.HandlerFunc(s.serveScenario))
	s.mu.Unlock()

	// The log knows the status before the client can: who has read an answer
	// finds it there.
	sent := &statusWriter{ResponseWriter: w, note: func(code int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		entry.Code = code
		log.count.Answered[code]++
	}}
	defer sent.noteOnce(0)
	handler.ServeHTTP(sent, r)
}

// serveScenario answers as the API, unless the scenario's outage is on.
func (s *Sandbox) serveScenario(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	elapsed := s.advance()
	_, on := s.options.Scenario.Trouble(elapsed)
	draw := mix(s.options.Seed+2, s.drawn) % 10
	s.drawn++
	s.mu.Unlock()

	switch {
	case s.options.Scenario != Outage || !on:
		s.serveAPI(w, r)
	case draw < 6:
		Status(http.StatusServiceUnavailable).Handle(w, r, nil)
	case draw < 8:
		Refuse().Handle(w, r, nil)
	default:
		Hang().Handle(w, r, nil)
	}
}
