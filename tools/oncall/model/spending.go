package model

import (
	"math/rand/v2"
	"slices"
	"sort"

	"yativo-card-exporter/internal/onboarding"
)

const (
	// purchasesPerDay is how often an active customer uses the card.
	purchasesPerDay = 1.5
	// balanceInterval is how often balances are read, in seconds.
	balanceInterval = 300
)

// Spending returns whether a balance differs between two moments, in Unix
// seconds. Cards are used most when most sign up.
func (p Program) Spending(customers []Customer) (func(from, to int64) bool, error) {
	c, err := newCalendar(p)
	if err != nil {
		return nil, err
	}
	var active []int64 // since when
	for _, customer := range customers {
		if i := slices.IndexFunc(customer.Moves, func(m Move) bool { return m.Status == onboarding.Active }); i >= 0 {
			active = append(active, customer.Moves[i].At)
		}
	}
	slices.Sort(active)
	return func(from, to int64) bool {
		for reading := from/balanceInterval + 1; reading <= to/balanceInterval; reading++ {
			at := reading * balanceInterval
			cards := sort.Search(len(active), func(i int) bool { return active[i] > at })
			expected := float64(cards) * purchasesPerDay * c.busy(at) * balanceInterval / 86400
			if rand.New(rand.NewPCG(p.Seed, spendingStream+uint64(reading))).ExpFloat64() < expected {
				return true
			}
		}
		return false
	}, nil
}
