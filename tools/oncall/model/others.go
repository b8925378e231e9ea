package model

import (
	"math/rand/v2"
	"strconv"
	"time"

	"yativo-card-exporter/internal/onboarding"
)

// added are the customers whom a back office adds as active, at any moment.
func (g *player) added(e Event) (customers []Customer) {
	chance := rand.New(rand.NewPCG(g.program.Seed, backOfficeStream))
	for at := float64(At(e.Start)); ; {
		at += chance.ExpFloat64() * 86400 / e.PerDay
		if at >= float64(min(At(e.End), g.end)) {
			return customers
		}
		customers = append(customers, Customer{
			ID:      "added-" + strconv.Itoa(len(customers)),
			Created: int64(at),
			Moves:   []Move{{int64(at), onboarding.Active}},
		})
	}
}

// imported are old customers who appear all at once, where the shares of
// drop-outs have left them within the year before.
func (g *player) imported(e Event) (customers []Customer) {
	chance := rand.New(rand.NewPCG(g.program.Seed, importStream))
	drop := g.program.DropOut
	for i := range e.Customers {
		status := onboarding.Active
		for s, share := range []float64{drop.OTP, drop.BeforeKYC, drop.InKYC, drop.Questionnaire} {
			if chance.Float64() < share {
				status = onboarding.OTPRequested + onboarding.Status(s)
				break
			}
		}
		age := 30*24*time.Hour + time.Duration(chance.Float64()*float64(335*24*time.Hour))
		customers = append(customers, Customer{
			ID:      "imported-" + strconv.Itoa(i),
			Created: At(e.Start - age),
			Moves:   []Move{{At(e.Start), status}},
		})
	}
	return customers
}

// reKYC sends a share of the active customers back to KYC. Who comes through
// again is active at once, since the wallet is there.
func (g *player) reKYC(customers []Customer, e Event) {
	chance := rand.New(rand.NewPCG(g.program.Seed, reKYCStream))
	for i := range customers {
		c := &customers[i]
		last := c.Moves[len(c.Moves)-1]
		if last.Status != onboarding.Active || last.At >= At(e.Start) || chance.Float64() >= e.Share {
			continue
		}
		c.Moves = append(c.Moves, Move{At(e.Start), onboarding.KYCInitiated})
		own := rand.New(rand.NewPCG(g.program.Seed, reKYCCustomerStream+uint64(i)))
		if own.Float64() < g.program.DropOut.InKYC {
			continue
		}
		opens, review := lognormal(own, 30*time.Minute, 2), g.approval(own)
		at := g.through(own, onboarding.KYCCompleted, At(e.Start), func(from int64) int64 { return review(opens(from)) })
		if at < g.end {
			c.Moves = append(c.Moves, Move{at, onboarding.Active})
		}
	}
}
