package model

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

// Streams of chance; those of customers follow.
const (
	signUpStream = iota
	holidayStream
	backOfficeStream
	importStream
	reKYCStream
	customerStream = 1000
	// reKYCCustomerStream is added to a customer's own stream for the second KYC.
	reKYCCustomerStream = 1 << 40
	// spendingStream is added to the number of a reading of balances.
	spendingStream = 1 << 41
)

// player makes the customers of a program.
type player struct {
	program  Program
	calendar *calendar
	end      int64
}

// Customers plays the program and returns its customers in the order in which
// they first appear.
func (p Program) Customers() ([]Customer, error) {
	c, err := newCalendar(p)
	if err != nil {
		return nil, err
	}
	g := &player{program: p, calendar: c, end: At(p.Length)}
	var customers []Customer
	for i, at := range g.signUps() {
		customers = append(customers, g.customer(i, at))
	}
	for _, e := range p.Events {
		switch e.Kind {
		case ReKYC:
			g.reKYC(customers, e)
		case Import:
			customers = append(customers, g.imported(e)...)
		case BackOffice:
			customers = append(customers, g.added(e)...)
		}
	}
	slices.SortStableFunc(customers, func(a, b Customer) int { return cmp.Compare(a.Moves[0].At, b.Moves[0].At) })
	return customers, nil
}

// SamePast reports whether the same has happened to two programs before a moment,
// in Unix seconds.
func SamePast(a, b []Customer, moment int64) bool {
	before := func(m Move) bool { return m.At < moment }
	past := func(customers []Customer) []Customer {
		return customers[:sort.Search(len(customers), func(i int) bool { return !before(customers[i].Moves[0]) })]
	}
	moves := func(c Customer) []Move {
		return c.Moves[:sort.Search(len(c.Moves), func(i int) bool { return !before(c.Moves[i]) })]
	}
	return slices.EqualFunc(past(a), past(b), func(x, y Customer) bool {
		return x.ID == y.ID && x.Created == y.Created && slices.Equal(moves(x), moves(y))
	})
}

// WorkingTime is how much of the time between two moments, in Unix seconds,
// the program's reviewers work.
func (p Program) WorkingTime(from, to int64) (time.Duration, error) {
	c, err := newCalendar(p)
	if err != nil {
		return 0, err
	}
	return time.Duration(c.workingSeconds(from, to)) * time.Second, nil
}

// signUps are the moments of a Poisson process whose rate follows the hour, the
// day and the events.
func (g *player) signUps() (moments []int64) {
	chance := rand.New(rand.NewPCG(g.program.Seed, signUpStream))
	most := busiest
	if g.program.Newsletter {
		most *= newsletterDay
	}
	for _, e := range g.program.Events {
		most *= e.mostSignUps(g.end)
	}
	perSecond := g.program.SignUpsPerDay * most / 86400
	for at := float64(At(0)); ; {
		at += chance.ExpFloat64() / perSecond
		if at >= float64(g.end) {
			return moments
		}
		rate := g.calendar.busy(int64(at))
		if g.program.Newsletter {
			rate *= g.calendar.newsletter(int64(at))
		}
		for _, e := range g.program.Events {
			rate *= e.signUps(int64(at))
		}
		if chance.Float64()*most < rate {
			moments = append(moments, int64(at))
		}
	}
}

// customer plays one who signs up.
func (g *player) customer(number int, at int64) Customer {
	chance := rand.New(rand.NewPCG(g.program.Seed, customerStream+uint64(number)))
	c := Customer{ID: "customer-" + strconv.Itoa(number), Created: at}
	c.Moves = append(make([]Move, 0, 7), Move{at, onboarding.OTPRequested})
	drop := g.program.DropOut
	for _, step := range []struct {
		to      onboarding.Status
		dropOut float64
		time    func(from int64) int64
	}{
		{onboarding.OTPVerified, drop.OTP, lognormal(chance, 2*time.Minute, 1.2)},
		{onboarding.KYCInitiated, drop.BeforeKYC, lognormal(chance, 30*time.Minute, 2)},
		{onboarding.KYCCompleted, drop.InKYC, g.approval(chance)},
		{onboarding.SafeDeploying, drop.Questionnaire, lognormal(chance, time.Hour, 1.8)},
		{onboarding.CardCreated, 0, lognormal(chance, 2*time.Minute, 0.6)},
		{onboarding.Active, 0, lognormal(chance, 5*time.Minute, 0.5)},
	} {
		if chance.Float64() < step.dropOut {
			return c
		}
		if at = g.through(chance, step.to, at, step.time); at >= g.end {
			return c
		}
		c.Moves = append(c.Moves, Move{at, step.to})
	}
	return c
}

// through is when a customer reaches a status. Whatever an event keeps from
// happening begins anew when the event ends.
func (g *player) through(chance *rand.Rand, to onboarding.Status, from int64, takes func(int64) int64) int64 {
	at := takes(from)
	for _, e := range g.program.Events {
		if !e.breaks(to) || !e.covers(at) {
			continue
		}
		if e.Kind == ReviewOutage && chance.Float64() >= e.Share {
			continue
		}
		at = takes(At(e.End))
	}
	return at
}

// approval is the time from the first sight of KYC to an approval.
func (g *player) approval(chance *rand.Rand) func(from int64) int64 {
	documents, review := lognormal(chance, 10*time.Minute, 1.5), g.review(chance)
	return func(from int64) int64 { return review(documents(from)) }
}

// review is the time from documents to a decision.
func (g *player) review(chance *rand.Rand) func(from int64) int64 {
	byMachine := lognormal(chance, 10*time.Minute, 1.3)
	byPeople := func(from int64) int64 {
		return g.calendar.work(from, lognormalSeconds(chance, 45*time.Minute, 1.2))
	}
	switch g.program.Review {
	case Weekdays:
		return byPeople
	case DailyBatch:
		return func(from int64) int64 { return g.calendar.batch(from, 17) }
	case TwoBatches:
		return func(from int64) int64 { return g.calendar.batch(from, 11, 16) }
	case Mixed:
		return func(from int64) int64 {
			if chance.Float64() < 0.7 {
				return byMachine(from)
			}
			return byPeople(from)
		}
	default:
		return byMachine
	}
}

func lognormal(chance *rand.Rand, median time.Duration, sigma float64) func(from int64) int64 {
	return func(from int64) int64 { return from + int64(math.Ceil(lognormalSeconds(chance, median, sigma))) }
}

func lognormalSeconds(chance *rand.Rand, median time.Duration, sigma float64) float64 {
	return median.Seconds() * math.Exp(sigma*chance.NormFloat64())
}
