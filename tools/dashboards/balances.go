package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// moneyUnit writes exactly as many decimals as are asked for. The one that parts
// thousands as well is newer than Grafana 10.
const moneyUnit = "none"

const chosenCurrency = `currency=~"$currency"`

// The shares from which on pending balances are watched, and from which on the
// shipped rules open a ticket.
const (
	pendingWatch = 0.2
	pendingBad   = 0.3
)

// balances is for finance: what do the wallets hold, and how sure is that?
// Amounts of different currencies are never added.
func balances() page {
	return page{
		uid:         balancesUID,
		title:       "Yativo card / Balances",
		description: "What do the customers' wallets hold in each currency, and how sure is that?",
		from:        "now-24h",
		variables: []cog.Builder[dashboard.VariableModel]{
			dashboard.NewQueryVariableBuilder("currency").
				Label("Currency").
				Description("The currencies to show.").
				Datasource(source()).
				Query(text("label_values(" + of("yativo_card_ledger_balance") + ", currency)")).
				Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
				Sort(dashboard.VariableSortAlphabeticalAsc).
				Multi(true).
				IncludeAll(true).
				Current(all()),
		},
		rows: []row{
			{panels: []cog.Builder[dashboard.Panel]{
				believe(about{width: 4, height: 4}, "balances", balancesAt), alertsFiring(),
				worstPending(), doubtful(),
				byCurrency(), perCurrency(),
			}},
			{title: "Trends", panels: []cog.Builder[dashboard.Panel]{pendingOverTime(), changeOverTime()}},
			{title: "How sure", panels: []cog.Builder[dashboard.Panel]{
				freshness(), realtimeOverTime(), unsure(), alertHistory(about{width: 12, height: 8}),
			}},
		},
	}
}

// ledgerBefore is what the wallets held at the same time a day before.
func ledgerBefore() string {
	return among("max", "currency", of("yativo_card_ledger_balance", chosenCurrency)+" offset 24h")
}

// pendingShare is of the realtime ledger alone, since pending is unknown for the
// rest, and only where at least ten customers stand behind it, as the shipped
// rules ask: below, a single purchase would swing it.
func pendingShare(matchers ...string) string {
	return fmt.Sprintf("max by (currency) (%s\n/ (%s > 0))\nand %s >= 10",
		of("yativo_card_pending_balance", matchers...), of("yativo_card_realtime_ledger_balance", matchers...),
		most("currency", "yativo_card_balance_customers", append(matchers, `balance_freshness="realtime"`)...))
}

func worstPending() cog.Builder[dashboard.Panel] {
	return stats(about{"Pending share", "The currency with the largest share of its realtime ledger held by authorizations that are not settled, among those with at least ten realtime customers, as everywhere on this page; not known if none has ten, or if there are no current balances. If it is red: ask Yativo whether card settlements in this currency are delayed; customers cannot spend what is held.", 5, 4}, "percentunit",
		now("topk(1, "+pendingShare()+")", "{{currency}}")).
		NoValue("Not known").
		TextMode(common.BigValueTextModeValueAndName).
		ColorMode(common.BigValueColorModeBackgroundSolid).
		ColorScheme(byThreshold()).
		Thresholds(steps(step{0, good}, step{pendingWatch, watch}, step{pendingBad, bad})).
		Decimals(1)
}

// doubtful counts customers of whom there should be none.
func doubtful() cog.Builder[dashboard.Panel] {
	return stats(about{"In doubt", "Missing: customers whose wallet is deployed but whose ledger balance the API does not give, so that the totals do not include them. Mismatched: customers with a realtime balance whose ledger is not available plus pending. If one stays amber for three hours: ask Yativo whether its balance queries fail, compare the accounts with Yativo's own ledger, and remember that a lower total does not mean that deposits fell.", 5, 4}, "none",
		now(most("", "yativo_card_balance_missing_customers"), "missing"),
		now(among("sum", "", most("currency", "yativo_card_balance_mismatch_customers")), "mismatched")).
		TextMode(common.BigValueTextModeValueAndName).
		ColorMode(common.BigValueColorModeBackgroundSolid).
		ColorScheme(byThreshold()).
		Thresholds(steps(step{0, good}, step{1, watch}))
}

func byCurrency() cog.Builder[dashboard.Panel] {
	money := []dashboard.DynamicConfigValue{set("unit", moneyUnit), set("decimals", 2)}
	share := []dashboard.DynamicConfigValue{
		set("unit", "percentunit"), set("decimals", 1),
		set("thresholds", map[string]any{"mode": "absolute", "steps": []any{
			map[string]any{"color": "transparent", "value": nil}, map[string]any{"color": watch, "value": pendingWatch}, map[string]any{"color": bad, "value": pendingBad},
		}}),
		set("custom.cellOptions", map[string]any{"type": "color-background", "mode": "basic"}),
	}
	behind := func(freshness string) string {
		return most("currency", "yativo_card_balance_customers", chosenCurrency, fmt.Sprintf("balance_freshness=%q", freshness))
	}
	return grid(about{"By currency, now", "What the customers' wallets hold, in units of each currency; currencies are never added. Share is that of pending, of the realtime ledger alone, and left out where fewer than ten customers stand behind it. The customers of each line are counted by how fresh their balance is. If a share is red: ask Yativo whether settlements are delayed; if mismatched is not 0 for hours: compare with Yativo's own ledger.", 24, 7},
		rows{label: "currency", name: "currency", width: 90, order: "- " + most("currency", "yativo_card_ledger_balance", chosenCurrency)}, []column{
			{"ledger", most("currency", "yativo_card_ledger_balance", chosenCurrency), money},
			{"available", most("currency", "yativo_card_available_balance", chosenCurrency), money},
			{"pending", most("currency", "yativo_card_pending_balance", chosenCurrency), money},
			{"share", pendingShare(chosenCurrency), share},
			// Only beside what is held now, since the day before outlives it.
			{"day before", ledgerBefore() + "\nand " + most("currency", "yativo_card_ledger_balance", chosenCurrency), money},
			{"realtime", behind("realtime"), nil},
			{"on chain", behind("on_chain"), nil},
			{"unknown", behind("unknown"), nil},
			{"mismatched", most("currency", "yativo_card_balance_mismatch_customers", chosenCurrency), nil},
		})
}

func perCurrency() cog.Builder[dashboard.Panel] {
	return graph(about{"$currency", "Ledger, available and pending in units of this currency. Ledger is all that the wallets hold, available what customers can spend, pending what authorizations hold. If the ledger falls without payments: look whether balances are missing, at the top.", 24, 9}, moneyUnit,
		over(most("", "yativo_card_ledger_balance", chosenCurrency), "ledger"),
		over(most("", "yativo_card_available_balance", chosenCurrency), "available"),
		over(most("", "yativo_card_pending_balance", chosenCurrency), "pending")).
		Decimals(2).
		Legend(legend(8)). // of the third of the screen that each currency gets
		Repeat("currency").RepeatDirection(dashboard.PanelRepeatDirectionH).MaxPerRow(3).
		Overrides(painted([]paint{{"ledger", neutral}, {"available", third}, {"pending", second}}))
}

func pendingOverTime() cog.Builder[dashboard.Panel] {
	return limits(graph(about{"Pending share of the realtime ledger", "By currency, over time, where at least ten customers are realtime. The lines are where it is worth a look and where the shipped rules open a ticket after six hours. If it climbs above: ask Yativo whether card settlements are delayed.", 12, 8}, "percentunit",
		over(pendingShare(chosenCurrency), "{{currency}}")), step{pendingWatch, watchLine}, step{pendingBad, bad}).
		AxisSoftMax(pendingBad + 0.05).
		Overrides(painted(currencyPaint()))
}

func changeOverTime() cog.Builder[dashboard.Panel] {
	ledger := most("currency", "yativo_card_ledger_balance", chosenCurrency)
	return graph(about{"Change of the ledger over 24 h", "How much the ledger of each currency has changed since the same time a day before. Shown once there is a day of data. If it jumps: look for a large funding or payout, or for balances that are missing.", 12, 8}, "percentunit",
		// Each moment is of all replicas, since a moved pod has another name.
		over(ledger+"\n/ ("+ledgerBefore()+" > 0) - 1", "{{currency}}")).
		NoValue("Needs data of the day before").
		AxisCenteredZero(true).
		Overrides(painted(currencyPaint()))
}

func freshness() cog.Builder[dashboard.Panel] {
	return graph(about{"Customers behind the totals, by freshness", "Where the API has the balances from: realtime is card notifications, on_chain a live query without pending. If realtime falls and on_chain rises: Yativo's notifications are delayed.", 12, 8}, "none",
		over("sum by (balance_freshness) ("+most("currency, balance_freshness", "yativo_card_balance_customers", chosenCurrency)+")", "{{balance_freshness}}")).
		Decimals(0).
		Overrides(painted([]paint{{"realtime", neutral}, {"on_chain", third}, {"unknown", unknown}}))
}

func realtimeOverTime() cog.Builder[dashboard.Panel] {
	return graph(about{"Realtime share of the ledger", "The share of each currency's ledger that comes from realtime balances, for which the pending part is known. If it is low: the pending share describes only a few customers.", 12, 8}, "percentunit",
		over("max by (currency) ("+of("yativo_card_realtime_ledger_balance", chosenCurrency)+"\n/ ("+of("yativo_card_ledger_balance", chosenCurrency)+" > 0))", "{{currency}}")).
		AxisSoftMax(1).
		Overrides(painted(currencyPaint()))
}

func unsure() cog.Builder[dashboard.Panel] {
	return graph(about{"Missing and mismatched", "Customers whose balance the API does not give, and customers whose balance does not add up, by currency. Both are normally 0; if one stays above for three hours a ticket is opened: compare with Yativo's own ledger.", 12, 8}, "none",
		over(most("", "yativo_card_balance_missing_customers"), "missing"),
		over(most("currency", "yativo_card_balance_mismatch_customers", chosenCurrency), "mismatched {{currency}}")).
		Decimals(0).
		Overrides(painted(append(currencyPaint(), paint{"missing", unknown})))
}
