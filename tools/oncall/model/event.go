package model

import (
	"math"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

// Kind is what an event does.
type Kind string

// What breaks. Whatever would have happened during the event happens after its
// end instead, as if begun anew then.
const (
	ReviewOutage        Kind = "review outage" // Share of the approvals
	OTPBroken           Kind = "OTP broken"
	LinkBroken          Kind = "KYC link broken"
	QuestionnaireBroken Kind = "questionnaire broken"
	WalletsStuck        Kind = "wallets stuck"
)

// What changes how many sign up.
const (
	SignUpsStop    Kind = "sign-ups stop"
	WindDown       Kind = "wind-down"       // to nobody within a week, for good
	CampaignPaused Kind = "campaign paused" // a twentieth
	Spike          Kind = "spike"           // twenty times as many
	Growth         Kind = "growth"          // 10 % a week
	Launch         Kind = "launch"          // a hundredth until the start
)

// What else happens to customers.
const (
	Import     Kind = "import"      // Customers old ones appear at the start
	ReKYC      Kind = "re-KYC"      // Share of the active have to go through KYC again
	BackOffice Kind = "back office" // PerDay customers appear as active
)

// Event is something that happens to a program.
type Event struct {
	Kind       Kind
	Start, End time.Duration // since Epoch
	Share      float64
	Customers  int
	PerDay     float64
}

func (e Event) covers(at int64) bool { return at >= At(e.Start) && at < At(e.End) }

// breaks reports whether the event keeps customers from reaching a status.
func (e Event) breaks(to onboarding.Status) bool {
	switch e.Kind {
	case OTPBroken:
		return to == onboarding.OTPVerified
	case LinkBroken:
		return to == onboarding.KYCInitiated
	case ReviewOutage:
		return to == onboarding.KYCCompleted
	case QuestionnaireBroken:
		return to == onboarding.SafeDeploying
	case WalletsStuck:
		return to == onboarding.CardCreated
	default:
		return false
	}
}

// signUps is the factor by which the event changes the number of sign-ups.
func (e Event) signUps(at int64) float64 {
	days := float64(at-At(e.Start)) / 86400
	switch {
	case e.Kind == Launch && days < 0:
		return 0.01
	case e.Kind == WindDown && days > 0:
		return max(0, 1-days/7)
	case e.Kind == Growth && days > 0:
		return math.Pow(1.1, days/7)
	case !e.covers(at):
		return 1
	case e.Kind == SignUpsStop:
		return 0
	case e.Kind == CampaignPaused:
		return 0.05
	case e.Kind == Spike:
		return 20
	}
	return 1
}

// mostSignUps is the highest factor until a moment.
func (e Event) mostSignUps(end int64) float64 {
	switch e.Kind {
	case Spike:
		return 20
	case Growth:
		return max(1, e.signUps(end))
	default:
		return 1
	}
}
