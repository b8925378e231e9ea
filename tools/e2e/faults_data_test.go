//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// dataFaults are answers that are well-formed and wrong: pages that do not add
// up, and rows with broken fields.
func dataFaults() []row { return append(listFaults(), rowFaults()...) }

// rowFaults are rows with broken fields. The rest of each row counts, and so do
// all others.
func rowFaults() []row {
	rows := []row{
		{
			name: "ids are empty, null, or not text", want: effect{requests: 3}, shows: "3 more customers, who are not tracked; 3 unknown values of `customer_id`",
			begin: insert(broken("customer_id", `""`), broken("customer_id", "null"), broken("customer_id", "{}")),
			data: func(now, before series) error {
				return errors.Join(now.grew(before, "yativo_card_customers"+label("kyc_initiated"), 3), now.is(unknownValues("customer_id"), 3))
			},
		},
		{
			name: "3,000 unknown statuses and currencies", want: effect{requests: 33}, shows: "3,000 more customers; the first 8 statuses and 16 currencies have series, the rest are `unknown`",
			begin: insert(strangers()...),
			data: func(now, before series) error {
				const most = 16*8 + 8*2 // currencies and statuses beyond the documented ones, and series of each
				if grown := len(now) - len(before); grown > most+20 {
					return fmt.Errorf("there are %d series more than before", grown)
				}
				return errors.Join(now.grew(before, "yativo_card_customers"+label("unknown"), 3000-8),
					now.is(unknownValues("flow_status"), 3000), now.above(unknownValues("currency"), 2900))
			},
		},
		{
			name: "a status that is not documented, with its step", want: effect{requests: 3}, shows: "2 more customers, under the name of their status; followed as in `kyc_completed`, since the step is 4",
			begin: insert(approved(), approved()),
			data: func(now, before series) error {
				return errors.Join(now.is("yativo_card_customers"+label("kyc_approved"), 2), now.is(unknownValues("flow_status"), 2),
					now.grew(before, `yativo_card_status_transitions_total{from="new",to="kyc_completed"}`, 2))
			},
		},
		{name: "an `id` before each `customer_id`, and an empty `_id`", want: effect{requests: 3}, shows: "nobody is new or gone", begin: inject(idBeside())},
		{
			name: "dates in the future, in the year 0, absent, or none", want: effect{requests: 3}, shows: "4 more customers; 3 unknown values of `created_at`; no age below 0",
			begin: insert(broken("created_at", `"2999-01-01T00:00:00Z"`), broken("created_at", `"0000-01-01T00:00:00Z"`),
				broken("created_at", ""), broken("created_at", `"yesterday"`)),
			data: func(now, before series) error {
				return errors.Join(now.grew(before, "yativo_card_customers"+label("kyc_initiated"), 4), now.is(unknownValues("created_at"), 3),
					now.noneBelow0("yativo_card_time_in_status_seconds"))
			},
		},
		{
			// 12.5 - 2.5 - 0 + 10^-40, and the rest is unknown.
			name: "amounts of 10^30, 1e400, -2.5, -0, 40 decimals, and as text", want: effect{requests: 3}, shows: "the sum of the four that are money, exactly; 5 unknown values of `ledger_balance`",
			begin: insert(owns("12.5"), owns("1"+strings.Repeat("0", 30)), owns("1e400"), owns("-2.5"), owns("-0"),
				owns("0."+strings.Repeat("0", 39)+"1"), owns(`"12.5"`), owns("{}"), owns("true")),
			data: func(now, _ series) error {
				return errors.Join(now.is(`yativo_card_ledger_balance{currency="XTS"}`, 10), now.is(unknownValues("ledger_balance"), 5),
					now.is(`yativo_card_balance_customers{balance_freshness="realtime",currency="XTS"}`, 4))
			},
		},
		{
			name: "text in place of numbers and flags", want: effect{requests: 3}, shows: "3 more customers; an unknown value of each field",
			begin: insert(broken("safe_deployed", `"false"`), broken("cards_count", `"3"`), broken("flow_status", "3")),
			data: func(now, before series) error {
				return errors.Join(now.grew(before, "yativo_card_customers"+label("kyc_initiated"), 2), now.is(unknownValues("safe_deployed"), 1),
					now.is(unknownValues("cards_count"), 1), now.is(unknownValues("flow_status"), 1), now.grew(before, "yativo_card_cards", 0))
			},
		},
		{
			name: "rows that are not objects", want: effect{requests: 3}, shows: "4 more customers in `unknown`",
			begin: insert(verbatim("null"), verbatim("[1]"), verbatim(`"x"`), verbatim("{}")),
			data: func(now, before series) error {
				return errors.Join(now.grew(before, "yativo_card_customers"+label("unknown"), 4), now.is(unknownValues("flow_status"), 4))
			},
		},
		{
			name: "control characters and ANSI sequences in every text", want: effect{requests: 3}, shows: "one more customer in `unknown`; none of it in the log",
			begin: insert(everyText(`"\u001b[31m\u0000\r\n\u202e"`)),
			data: func(now, before series) error {
				return now.grew(before, "yativo_card_customers"+label("unknown"), 1)
			},
		},
		{
			name: "invalid UTF-8 in every text", want: effect{requests: 3}, shows: "one more customer in `unknown`; none of it in the log",
			begin: insert(everyText("\"\xff\xfe\xc0\x80\"")),
			data: func(now, before series) error {
				return now.grew(before, "yativo_card_customers"+label("unknown"), 1)
			},
		},
		{
			name: "numbers of 100,000 digits", want: effect{requests: 3}, shows: "an unknown value of each field",
			begin: insert(owns(strings.Repeat("9", 100_000)), broken("cards_count", strings.Repeat("9", 100_000))),
			data: func(now, _ series) error {
				return errors.Join(now.is(unknownValues("ledger_balance"), 1), now.is(unknownValues("cards_count"), 1))
			},
		},
	}
	for i := range rows {
		rows[i].group = "rows"
	}
	return rows
}

// insert is a row's begin that puts customers into the list. Each is taken out
// again by the id that the sandbox knows it by, whatever it sends.
func insert(customers ...sandbox.Customer) func(*testing.T, *scene) func() {
	return func(_ *testing.T, s *scene) (end func()) {
		for i, c := range customers {
			if c.ID == "" {
				c.ID = "odd-" + strconv.Itoa(i)
			}
			customers[i] = c
			s.api.Add(c)
		}
		return func() {
			for _, c := range customers {
				s.api.Remove(c.ID)
			}
		}
	}
}

// plain is a customer in order.
func plain(id string) sandbox.Customer {
	return sandbox.Customer{
		ID: id, Status: onboarding.KYCInitiated, Currency: "USD", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// broken is a customer with another text for one field.
func broken(field, raw string) sandbox.Customer {
	c := plain("")
	c.Raw = map[string]string{field: raw}
	return c
}

// owns is a customer with a ledger balance in the currency that is for tests.
func owns(ledger string) sandbox.Customer {
	c := plain("")
	c.Status, c.SafeDeployed, c.Currency, c.Ledger, c.Freshness = onboarding.Active, true, "XTS", ledger, "realtime"
	return c
}

func approved() sandbox.Customer {
	c := plain("")
	c.Raw = map[string]string{"flow_status": `"kyc_approved"`, "step": "4"}
	return c
}

func verbatim(row string) sandbox.Customer { return sandbox.Customer{JSON: row} }

// everyText is a customer whose texts are all the same.
func everyText(raw string) sandbox.Customer {
	c := plain("")
	c.Raw = map[string]string{}
	for _, field := range []string{
		"yativo_card_id", "external_customer_id", "email", "flow_status", "next_action", "currency", "balance_freshness", "created_at",
	} {
		c.Raw[field] = raw
	}
	return c
}

// strangers are customers each with a status and a currency of their own.
func strangers() (all []sandbox.Customer) {
	for i := range 3000 {
		c := plain("stranger-" + strconv.Itoa(i))
		c.Status, c.SafeDeployed, c.Ledger, c.Freshness = onboarding.StatusUnknown, true, "1", "realtime"
		c.Currency = string([]byte{'Q', 'A' + byte(i/676), 'A' + byte(i/26%26), 'A' + byte(i%26)})
		c.Raw = map[string]string{"flow_status": strconv.Quote("status_" + strconv.Itoa(i))}
		all = append(all, c)
	}
	return all
}

func unknownValues(field string) string {
	return fmt.Sprintf("yativo_exporter_unknown_values{field=%q}", field)
}

// grew objects unless a series is so much above what it was.
func (s series) grew(before series, name string, by float64) error {
	return s.is(name, before[name]+by)
}

// noneBelow0 objects to a series of a metric that is negative.
func (s series) noneBelow0(metric string) error {
	for name, value := range s {
		if strings.HasPrefix(name, metric) && value < 0 {
			return fmt.Errorf("%s is %v", name, value)
		}
	}
	return nil
}
