package onboarding

import "time"

// MaxStalledListed is how many stalled customers of one status a Report names.
const MaxStalledListed = 1000

// Report is what one committed walk says of the customers' time in status.
// It is immutable. Ages are taken at At and never extrapolated; arrays are
// indexed by Status and mean something for the waiting statuses alone. Only
// customers whom the walk itself saw are counted.
type Report struct {
	// At is the moment the walk ended.
	At time.Time
	// TimeInStatus holds the present population's ages, in seconds, abandoned
	// customers included.
	TimeInStatus [NumStatuses]Histogram
	// OldestEntry is when the longest-waiting customer who is not abandoned
	// entered; the zero time if nobody waits.
	OldestEntry [NumStatuses]time.Time
	// Stalled and Abandoned count customers past the thresholds.
	Stalled, Abandoned [NumStatuses]int
	// StalledCustomers names those whom Stalled counts, oldest first, at most
	// MaxStalledListed of each status.
	StalledCustomers [NumStatuses][]StalledCustomer
	// Tracked is how many customers are remembered and not gone.
	Tracked int
}

// Histogram is a distribution over AgeBuckets in the form that
// prometheus.NewConstHistogram takes.
type Histogram struct {
	Count   uint64
	Sum     float64            // seconds
	Buckets map[float64]uint64 // cumulative, by upper bound in seconds
}

// StalledCustomer is one customer who is stalled, with what somebody who has
// to act on it needs, and no e-mail and no balance.
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
