package main

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Everybody's moves.

func signUps() cog.Builder[dashboard.Panel] {
	return graph(about{"Sign-ups and activations, past 24 h", "Customers who appeared, and customers who got a card, each within the 24 hours before. If the second falls behind the first for days: customers get stuck on the way; the table at the top says where.", 12, 8}, "none",
		over(current(moves("24h", `from="new"`)), "sign-ups"),
		over(current(moves("24h", `from!~"card_created|active|new|gone"`, `to=~"card_created|active"`)), "activations")).
		Decimals(0).
		Overrides(painted([]paint{{"sign-ups", neutral}, {"activations", good}}))
}

func otherMoves() cog.Builder[dashboard.Panel] {
	return graph(about{"Lost and moved back, past 24 h", "Customers who disappeared from the program, and customers who fell back to an earlier step, each within the 24 hours before. If many disappear or fall back at once: ask Yativo whether accounts were removed or reset.", 12, 8}, "none",
		over(current(moves("24h", `to="gone"`)), "gone"),
		over(current(backwardMoves()), "moved back")).
		Decimals(0).
		Overrides(painted([]paint{{"gone", second}, {"moved back", third}}))
}

// backwardMoves adds up the moves from each step to an earlier one.
func backwardMoves() string {
	parts := make([]string, 0, 5)
	for i, from := range append(waiting()[1:], "card_created|active") {
		parts = append(parts, moves("24h", fmt.Sprintf("from=~%q", from), fmt.Sprintf("to=~%q", strings.Join(waiting()[:i+1], "|"))))
	}
	return strings.Join(parts, "\n+ ")
}

func undeployed() cog.Builder[dashboard.Panel] {
	return graph(about{"Undeployed safes by status", "Customers whose wallet is not deployed, so that they cannot be funded. Normal up to safe_deploying; if card_created or active is not 0: ask Yativo's support to deploy the wallets, and tell finance not to fund these customers.", 12, 8}, "none",
		over(most("flow_status", "yativo_card_undeployed_safes"), "{{flow_status}}")).
		Decimals(0).Overrides(painted(statusPaint()))
}

func abandonedOverTime() cog.Builder[dashboard.Panel] {
	return graph(about{"Abandoned customers by status", "Customers who are in a status for so long that they are not expected to go on. They page nobody. If a status gains many at once: a stall there was not fixed in time; offer these customers a new start.", 12, 8}, "none",
		over(most("flow_status", "yativo_card_abandoned_customers"), "{{flow_status}}")).
		Decimals(0).Overrides(painted(statusPaint()))
}
