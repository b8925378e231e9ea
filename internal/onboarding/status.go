// Package onboarding is the domain of the exporter: the statuses that a card
// customer passes through, the thresholds after which a wait counts as stalled
// or abandoned, and the memory of when each customer entered its status.
package onboarding

// Status is a customer's flow_status. The zero value is StatusUnknown, for a
// status that the API sent and this version does not know.
type Status uint8

// The documented statuses, in the order in which a customer passes them.
const (
	StatusUnknown Status = iota
	OTPRequested
	OTPVerified
	KYCInitiated
	KYCCompleted
	SafeDeploying
	CardCreated
	Active

	// NumStatuses is the number of values a Status can take, StatusUnknown
	// included; it sizes arrays that are indexed by Status.
	NumStatuses = 8
)

// names are the label values of flow_status, indexed by Status.
var names = [NumStatuses]string{
	"unknown", "otp_requested", "otp_verified", "kyc_initiated",
	"kyc_completed", "safe_deploying", "card_created", "active",
}

// String returns the API's own name of the status, or "unknown".
func (s Status) String() string {
	if int(s) >= NumStatuses {
		return names[StatusUnknown]
	}
	return names[s]
}

// Step is the API's step of the status, 1 to 6, or 0 for StatusUnknown.
// CardCreated and Active share step 6: the customer can spend.
func (s Status) Step() int {
	if s == Active {
		return int(CardCreated)
	}
	return int(s)
}

// StatusOfStep returns the documented status of a step from 1 to 6, Active for
// 6, and StatusUnknown for any other step.
func StatusOfStep(step int) Status {
	switch {
	case step == Active.Step():
		return Active
	case step >= OTPRequested.Step() && step < Active.Step():
		return Status(step)
	default:
		return StatusUnknown
	}
}

// Waits reports whether a customer in this status waits for something, that
// is, whether it is one of the five statuses before step 6.
func (s Status) Waits() bool { return s >= OTPRequested && s <= SafeDeploying }

// ParseStatus returns the status with the API's name, and false if this
// version does not know it.
func ParseStatus(name string) (Status, bool) {
	for s := OTPRequested; s <= Active; s++ {
		if names[s] == name {
			return s, true
		}
	}
	return StatusUnknown, false
}

// Statuses lists every Status in the order of the steps, StatusUnknown last.
func Statuses() []Status {
	return []Status{
		OTPRequested, OTPVerified, KYCInitiated, KYCCompleted,
		SafeDeploying, CardCreated, Active, StatusUnknown,
	}
}

// WaitingStatuses lists the five statuses before step 6, in their order.
func WaitingStatuses() []Status {
	return []Status{OTPRequested, OTPVerified, KYCInitiated, KYCCompleted, SafeDeploying}
}

// MarshalText writes the API's own name of the status.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
