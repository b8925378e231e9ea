// Package model plays card programs: who signs up, who drops out, how long each
// step takes, who reviews and when, and what breaks. It knows nothing of the
// exporter. All chance comes from a seed, and each customer has a stream of its
// own, so that an event changes nothing of what came before it.
package model

import (
	"time"
	_ "time/tzdata" // The programs live in Europe/Berlin.

	"yativo-card-exporter/internal/onboarding"
)

// Review is who decides on a customer's documents, and when.
type Review string

// The kinds of review.
const (
	Automatic  Review = "automatic"         // at any hour
	Mixed      Review = "mixed"             // 70 % automatic, the rest people
	Weekdays   Review = "weekday reviewers" // weekdays from 9 to 18, local time
	DailyBatch Review = "daily batch"       // weekdays at 17:00, local time
	TwoBatches Review = "two batches a day" // weekdays at 11:00 and 16:00, local time
)

// Reviews lists the usual kinds.
func Reviews() []Review { return []Review{Automatic, Mixed, Weekdays, DailyBatch} }

// DropOut holds the shares of customers who stop for good at each of the first
// four steps, 0 to 1.
type DropOut struct{ OTP, BeforeKYC, InKYC, Questionnaire float64 }

// LowDropOut is the best that programs report.
func LowDropOut() DropOut { return DropOut{.1, .1, .1, .1} }

// MidDropOut is the usual.
func MidDropOut() DropOut { return DropOut{.2, .2, .3, .25} }

// HighDropOut is the worst.
func HighDropOut() DropOut { return DropOut{.5, .5, .5, .5} }

// Program is one card program.
type Program struct {
	Seed          uint64
	SignUpsPerDay float64 // on average over the week
	Newsletter    bool    // half of the week's sign-ups come on its Wednesday
	Review        Review
	DropOut       DropOut
	Length        time.Duration
	// Holidays is how many weekdays at and after HolidaysFrom have nobody who
	// reviews.
	Holidays     int
	HolidaysFrom time.Duration
	Events       []Event
}

// Customer is what happens to one customer.
type Customer struct {
	ID string
	// Created is the created_at that the API shows, in Unix seconds.
	Created int64
	// Moves are in the order of time; the first one is when the list first shows
	// the customer. After the last one the customer stays for good.
	Moves []Move
}

// Move is a customer's arrival in a status.
type Move struct {
	At     int64 // Unix seconds
	Status onboarding.Status
}

// Epoch is when every program begins: Monday 2026-03-02, 00:00 UTC. Summer time
// begins in Berlin on day 27.
func Epoch() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }

// At is a moment of a program as Unix seconds.
func At(since time.Duration) int64 { return Epoch().Unix() + int64(since/time.Second) }
