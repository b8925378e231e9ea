package onboarding

import "time"

// Thresholds say, for each waiting status, after how long a customer counts as
// stalled and after how long as abandoned. Entries of statuses that do not wait
// are zero and mean nothing.
type Thresholds struct {
	Stalled   [NumStatuses]time.Duration
	Abandoned [NumStatuses]time.Duration
}

// DefaultThresholds are the thresholds in force where the configuration names
// no others.
func DefaultThresholds() Thresholds {
	const day = 24 * time.Hour
	return Thresholds{
		Stalled: [NumStatuses]time.Duration{
			OTPRequested:  day,
			OTPVerified:   3 * day,
			KYCInitiated:  day,
			KYCCompleted:  3 * day,
			SafeDeploying: 15 * time.Minute,
		},
		Abandoned: [NumStatuses]time.Duration{
			OTPRequested:  7 * day,
			OTPVerified:   7 * day,
			KYCInitiated:  7 * day,
			KYCCompleted:  7 * day,
			SafeDeploying: 3 * day,
		},
	}
}

// AgeBuckets are the upper bounds, in seconds, of every histogram of a time
// spent in a status: from a minute to 90 days.
func AgeBuckets() []float64 {
	return []float64{
		60, 300, 900, 3600, 14400, 43200, 86400, 172800, 259200,
		604800, 1209600, 2592000, 7776000,
	}
}
