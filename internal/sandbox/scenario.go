package sandbox

import (
	"fmt"
	"strings"
	"time"
)

// Scenario is a trouble that comes and goes by itself, in a cycle that begins
// when the sandbox is made. Each cycle is on the clock of Options.Now and is
// not hastened by Options.Speed.
type Scenario uint8

// The scenarios.
const (
	// Healthy has no trouble.
	Healthy Scenario = iota
	// KYCStall lets nobody pass from kyc_initiated to kyc_completed.
	KYCStall
	// SafeStall lets nobody pass from safe_deploying to card_created.
	SafeStall
	// Outage answers with 503, closes connections without an answer, or hangs
	// until the client gives up.
	Outage
	// RateLimit has production traffic on the same key ask for a fifth more
	// than the quota, so that some requests are answered with 429.
	RateLimit
)

// The timings of the scenarios: a trouble begins the delay after New, lasts,
// ends for the time of the cure, and begins again.
const (
	StallDelay = 10 * time.Second
	StallFor   = 3 * time.Minute
	StallCure  = 3 * time.Minute
	// StallDrain is the time, from the end of a stall on, in which all who
	// would have moved on during it do so.
	StallDrain = 45 * time.Second

	OutageDelay = 1 * time.Minute
	OutageFor   = 2 * time.Minute
	OutageCure  = 1 * time.Minute

	RateLimitDelay = 10 * time.Second
	RateLimitFor   = 2 * time.Minute
	RateLimitCure  = 2 * time.Minute
)

// Scenarios lists the names that ParseScenario takes.
func Scenarios() []string {
	return []string{"healthy", "kyc-stall", "safe-stall", "outage", "rate-limit"}
}

// String returns the scenario's name.
func (s Scenario) String() string { return Scenarios()[s] }

// ParseScenario returns the scenario of that name, or an error that lists the
// names there are.
func ParseScenario(name string) (Scenario, error) {
	for i, known := range Scenarios() {
		if name == known {
			return Scenario(i), nil
		}
	}
	return Healthy, fmt.Errorf("scenario %q does not exist, use one of %s", name, strings.Join(Scenarios(), ", "))
}

// Timing returns when, since New, the trouble first begins, how long it lasts and
// for how long it then stays away. Healthy has none, which lasts 0.
func (s Scenario) Timing() (delay, lasts, cure time.Duration) {
	switch s {
	case KYCStall, SafeStall:
		return StallDelay, StallFor, StallCure
	case Outage:
		return OutageDelay, OutageFor, OutageCure
	case RateLimit:
		return RateLimitDelay, RateLimitFor, RateLimitCure
	default:
		return 0, 0, 0
	}
}

// Words say how the scenario's trouble begins and ends.
func (s Scenario) Words() (begins, ends string) {
	switch s {
	case KYCStall:
		return "KYC stops", "KYC works again"
	case SafeStall:
		return "wallets no longer deploy", "wallets deploy again"
	case Outage:
		return "the API fails", "the API works again"
	default:
		return "other traffic uses up the API's quota", "other traffic leaves some of the quota"
	}
}

// Trouble reports whether the scenario's trouble is on at a time since New,
// and when, since New, it ends.
func (s Scenario) Trouble(elapsed time.Duration) (end time.Duration, on bool) {
	delay, lasts, cure := s.Timing()
	if lasts == 0 || elapsed < delay {
		return 0, false
	}
	into := (elapsed - delay) % (lasts + cure)
	return elapsed - into + lasts, into < lasts
}
