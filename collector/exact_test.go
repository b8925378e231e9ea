package collector_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/google/go-cmp/cmp"

	"yativo-card-exporter/apiclient"
	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/internal/sandbox"
)

// wantTruth checks every gauge of the customers and their balances against a
// population that is held still.
func (r *rig) wantTruth() {
	r.t.Helper()
	truth := r.api.Truth()
	r.wantCounts(truth.Counts)
	currencies := slices.Collect(maps.Keys(truth.Money))
	currencies = append(currencies, "EUR", "GBP", "USD")
	for _, currency := range currencies {
		label := "currency=" + currency
		if currency == "" {
			label = "currency=unknown"
		}
		money := truth.Money[currency]
		r.want("yativo_card_ledger_balance", label, float(money.Ledger))
		r.want("yativo_card_available_balance", label, float(money.Available))
		r.want("yativo_card_pending_balance", label, float(money.Pending))
		r.want("yativo_card_realtime_ledger_balance", label, float(money.RealtimeLedger))
		r.want("yativo_card_balance_mismatch_customers", label, float64(truth.Mismatch[currency]))
		for _, freshness := range []string{"realtime", "on_chain", "unknown"} {
			r.want("yativo_card_balance_customers", "balance_freshness="+freshness+","+label,
				float64(truth.BalanceCustomers[sandbox.BalanceGroup{Currency: currency, Freshness: freshness}]))
		}
	}
	if got := len(r.series("yativo_card_ledger_balance")); got != len(slices.Compact(slices.Sorted(slices.Values(currencies)))) {
		r.t.Errorf("%d currencies are shown, want those of %v", got, currencies)
	}
	r.want("yativo_card_balance_missing_customers", "", float64(truth.Missing))
	r.want("yativo_up", "", 1)
}

func (r *rig) wantCounts(c sandbox.Counts) {
	r.t.Helper()
	for _, s := range onboarding.Statuses() {
		r.want("yativo_card_customers", "flow_status="+s.String(), float64(c.ByStatus[s]))
		r.want("yativo_card_undeployed_safes", "flow_status="+s.String(), float64(c.Undeployed[s]))
	}
	r.want("yativo_card_cards", "", float64(c.Cards))
	r.want("yativo_exporter_upstream_customers", "", float64(c.Total))
	r.want("yativo_exporter_missing_customers", "", 0)
}

// float is the float64 nearest to a decimal, found by rational arithmetic, and
// 0 for nil.
func float(d *apd.Decimal) float64 {
	if d == nil {
		return 0
	}
	exact, ok := new(big.Rat).SetString(d.Text('f'))
	if !ok {
		panic("not a decimal: " + d.String())
	}
	nearest, _ := exact.Float64()
	return nearest
}

func TestStillPopulationIsShownToTheCent(t *testing.T) {
	for _, customers := range []int{0, 1, 2, 87, 100, 101, 1234, 5000} {
		t.Run(fmt.Sprint(customers), func(t *testing.T) {
			r := newRig(t, sandbox.New(sandbox.Options{Seed: uint64(customers), Customers: customers, Quota: -1}), everyRefresh)
			for range 2 {
				r.refresh()
				r.wantTruth()
			}
			r.want("yativo_exporter_duplicate_rows", "", 0)
		})
	}
}

// amounts makes a population of which each customer holds one amount.
func amounts(ledgers ...string) []sandbox.Customer {
	customers := make([]sandbox.Customer, len(ledgers))
	for i, ledger := range ledgers {
		customers[i] = sandbox.Customer{
			ID: fmt.Sprintf("id%d", i), Status: onboarding.Active, SafeDeployed: true, Currency: "USD",
			Ledger: ledger, Available: ledger, Pending: "0", Freshness: "realtime", Cards: 1, CreatedAt: sandbox.Example()[0].CreatedAt,
		}
	}
	return customers
}

func TestSumsAreExact(t *testing.T) {
	for _, c := range []struct {
		name    string
		ledgers []string
		want    float64
	}{
		{"cents", []string{"0.1", "0.2"}, 0.3},
		{"18 fractional digits", []string{"0.000000000000000001", "45.230000000000000001", "-45.23"}, 0.000000000000000002},
		{"cancels out", []string{"999999999999999999999999", "0.01", "-999999999999999999999999"}, 0.01},
		{"beyond 9×10^13", []string{"90000000000000.01", "90000000000000.01"}, 180000000000000.02},
		{"beyond 10^15", []string{"1000000000000000.25", "0.25", "0.25"}, 1000000000000000.75},
		{"beyond 2^53, halves to even", []string{"9007199254740992", "1"}, 9007199254740992},
		{"beyond 2^53, above the half", []string{"9007199254740992", "1.000000000000000001"}, 9007199254740994},
		{"exponents", []string{"4.523e1", "4523E-2", "1e24", "-1E+24"}, 90.46},
		{"smallest and largest", []string{"1e-64", "1e24"}, 1e24},
		{"negative", []string{"-0.01", "-45.22"}, -45.23},
		{"zero", []string{"0", "-0", "-0.00", "0e64"}, 0},
		{"minus zero", []string{"-0"}, 0},
		{"to zero", []string{"-45.23", "45.23"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{})
			api.SetCustomers(amounts(c.ledgers...))
			r := newRig(t, api, everyRefresh)
			r.refresh()
			r.want("yativo_card_ledger_balance", "currency=USD", c.want)
			r.want("yativo_card_realtime_ledger_balance", "currency=USD", c.want)
			r.wantTruth()
			for labels, value := range r.series("yativo_card_ledger_balance") {
				if math.Signbit(value) && value == 0 || math.IsNaN(value) {
					t.Errorf("%s is %v", labels, value)
				}
			}
			if text := r.text("text/plain", func(string) bool { return true }); strings.Contains(text, "-0\n") || strings.Contains(text, "NaN") {
				t.Error("-0 or NaN is shown")
			}
		})
	}
}

// A million times 45.23 is half a cent off when summed in float64.
func TestAMillionAmounts(t *testing.T) {
	amount := func(cents int64) apiclient.Amount { return apiclient.Amount{Known: true, Value: *apd.New(cents, -2)} }
	row := apiclient.Row{Currency: "USD", Ledger: amount(4523), Available: amount(3850), Pending: amount(673), Freshness: apiclient.Realtime}
	page := &apiclient.Page{Rows: slices.Repeat([]apiclient.Row{row}, 10_000), Total: 1_000_000, Balances: true}
	r := newRig(t, sandbox.New(sandbox.Options{}), func(s *settings) { s.refresher.Client = repeated{page, 100} })
	r.refresh()
	r.want("yativo_card_ledger_balance", "currency=USD", 45_230_000)
	r.want("yativo_card_available_balance", "currency=USD", 38_500_000)
	r.want("yativo_card_pending_balance", "currency=USD", 6_730_000)
	r.want("yativo_card_balance_mismatch_customers", "currency=USD", 0)
	r.want("yativo_card_customers", "flow_status=unknown", 1_000_000)
	r.want("yativo_exporter_tracked_customers", "", 0)
}

// repeated lists one page so many times.
type repeated struct {
	page  *apiclient.Page
	times int
}

func (l repeated) Walk(context.Context, apiclient.WalkOptions) iter.Seq2[*apiclient.Page, error] {
	return func(yield func(*apiclient.Page, error) bool) {
		for range l.times {
			if !yield(l.page, nil) {
				return
			}
		}
	}
}

// Amounts that cannot be money are unknown, counted, and in no sum.
func TestAbsurdAmountsAreLeftOut(t *testing.T) {
	for _, absurd := range []string{
		"1e25", "-1e25", "1000000000000000000000000.01", "1e400", "1e65", "1e-65", "1e999999999", "-1e-999999999", "1e99999999999999999999",
		`"45.23"`, "true", "[]", `{"amount":1}`, strings.Repeat("9", 200),
	} {
		customers := amounts("1.50", "2.50", "4")
		customers[1].Ledger = ""
		customers[1].Raw = map[string]string{"ledger_balance": absurd}
		api := sandbox.New(sandbox.Options{})
		api.SetCustomers(customers)
		r := newRig(t, api, everyRefresh)
		r.refresh()
		r.wantTruth()
		r.want("yativo_card_ledger_balance", "currency=USD", 5.5)
		r.want("yativo_card_available_balance", "currency=USD", 8)
		r.want("yativo_card_balance_missing_customers", "", 1)
		r.want("yativo_exporter_unknown_values", "field=ledger_balance", 1)
		r.want("yativo_exporter_unknown_values", "field=available_balance", 0)
		if t.Failed() {
			t.Fatalf("with %s", absurd)
		}
	}
}

func TestMismatchMissingAndFreshness(t *testing.T) {
	customers := amounts("10", "10", "10", "10", "10", "", "", "10")
	customers[0].Available, customers[0].Pending = "9.99", "0.01"
	customers[1].Available, customers[1].Pending = "9.99", "0.02"
	customers[2].Available, customers[2].Pending = "9.99", ""                                  // cannot be judged
	customers[3].Available, customers[3].Pending, customers[3].Freshness = "9", "", "on_chain" // only realtime is
	customers[4].Available, customers[4].Pending, customers[4].Freshness = "9", "5", ""        // nor unknown
	customers[5].Available, customers[5].Pending, customers[5].Freshness, customers[5].Currency = "", "", "", ""
	customers[6].SafeDeployed, customers[6].Available, customers[6].Pending = false, "", ""
	customers[7].Currency = "" // an amount of no currency
	api := sandbox.New(sandbox.Options{})
	api.SetCustomers(customers)
	r := newRig(t, api, everyRefresh)
	r.refresh()
	r.wantTruth()
	r.want("yativo_card_balance_mismatch_customers", "currency=USD", 1)
	r.want("yativo_card_balance_missing_customers", "", 1)
	r.want("yativo_card_balance_customers", "balance_freshness=realtime,currency=USD", 3)
	r.want("yativo_card_balance_customers", "balance_freshness=unknown,currency=USD", 1)
	r.want("yativo_card_ledger_balance", "currency=unknown", 10)
	r.want("yativo_card_realtime_ledger_balance", "currency=USD", 30)
}

// Thousands of unknown currencies and statuses make a bounded number of series,
// and no amount is lost.
func TestUnknownCurrenciesAndStatusesByTheThousand(t *testing.T) {
	var customers []sandbox.Customer
	for i := range 3000 {
		c := amounts("1.01")[0]
		c.ID = fmt.Sprint("id", i)
		c.Currency = string([]byte{'A' + byte(i/676%26), 'A' + byte(i/26%26), 'A' + byte(i%26)})
		c.Status = onboarding.StatusUnknown
		c.Raw = map[string]string{"flow_status": fmt.Sprintf(`"status_%d"`, i)}
		customers = append(customers, c)
	}
	customers[0].Currency = "USD"
	api := sandbox.New(sandbox.Options{Quota: -1})
	api.SetCustomers(customers)
	r := newRig(t, api, everyRefresh)
	r.refresh()
	ledgers := r.series("yativo_card_ledger_balance")
	if len(ledgers) != 3+16+1 {
		t.Errorf("%d currencies are shown, want 20", len(ledgers))
	}
	sum := 0.0
	for _, v := range ledgers {
		sum += v
	}
	if math.Abs(sum-3030) > 0.001 {
		t.Errorf("the ledgers sum to %v, want 3030", sum)
	}
	r.want("yativo_card_customers", "flow_status=status_0", 1)
	r.want("yativo_card_customers", "flow_status=unknown", 2992)
	r.want("yativo_exporter_unknown_values", "field=flow_status", 3000)
	unknown := r.series("yativo_card_balance_customers")["balance_freshness=realtime,currency=unknown"]
	r.want("yativo_exporter_unknown_values", "field=currency", unknown)
	if unknown < 2900 {
		t.Errorf("%v customers of unknown currency", unknown)
	}
	if n := len(r.series("yativo_card_customers")); n != 8+8 {
		t.Errorf("%d statuses are shown", n)
	}
}

// Which currencies get a series does not depend on the order of the rows once
// they have one, and a currency that leaves makes room for another.
func TestCurrenciesKeepTheirSeries(t *testing.T) {
	synctest.Test(t, currenciesKeepTheirSeries)
}

func currenciesKeepTheirSeries(t *testing.T) {
	var customers []sandbox.Customer
	for i := range 17 {
		c := amounts("1")[0]
		c.ID, c.Currency = fmt.Sprint("id", i), "AA"+string(rune('A'+i))
		customers = append(customers, c)
	}
	api := sandbox.New(sandbox.Options{})
	api.SetCustomers(customers)
	r := newRig(t, api, everyRefresh)
	refresh := func() {
		wait(time.Minute)
		r.refresh()
	}
	refresh()
	first := r.series("yativo_card_ledger_balance")
	if _, ok := first["currency=AAQ"]; ok || first["currency=unknown"] != 1 {
		t.Fatalf("the 17th currency is not the one without a series: %v", first)
	}
	slices.Reverse(customers)
	api.SetCustomers(customers)
	refresh()
	if diff := cmp.Diff(first, r.series("yativo_card_ledger_balance")); diff != "" {
		t.Errorf("another order of the rows (-before +after):\n%s", diff)
	}
	api.Remove("id0")
	refresh()
	if _, ok := r.series("yativo_card_ledger_balance")["currency=AAA"]; ok {
		t.Error("a currency without customers is still shown")
	}
	refresh()
	r.want("yativo_card_ledger_balance", "currency=AAQ", 1)
	r.want("yativo_exporter_unknown_values", "field=currency", 0)
}

// Each broken field is counted under its name; what is absent where it may be
// is not.
func TestUnknownValuesAreCountedByField(t *testing.T) {
	for field := range apiclient.NumFields {
		healthy := sandbox.Example()
		poisoned := healthy[0]
		poisoned.ID, poisoned.Raw = "poisoned", map[string]string{field.String(): `[1]`}
		api := sandbox.New(sandbox.Options{})
		api.SetCustomers(append(healthy, poisoned))
		r := newRig(t, api, everyRefresh)
		r.refresh()
		for other := range apiclient.NumFields {
			want := 0.0
			if other == field {
				want = 1
			}
			r.want("yativo_exporter_unknown_values", "field="+other.String(), want)
		}
		total := 0.0
		for _, n := range r.series("yativo_card_customers") {
			total += n
		}
		if total != 3 {
			t.Errorf("%s: %v customers, want 3", field, total)
		}
		tracked := 3.0
		if field == apiclient.FieldCustomerID {
			tracked = 2
		}
		r.want("yativo_exporter_tracked_customers", "", tracked)
		r.want("yativo_up", "", 1)
	}
}

// Rows that are not even objects are customers of whom nothing is known.
func TestRowsThatAreNoObjects(t *testing.T) {
	api := sandbox.New(sandbox.Options{})
	api.SetCustomers(append(sandbox.Example(), sandbox.Customer{JSON: `null`}, sandbox.Customer{JSON: `"x"`}, sandbox.Customer{JSON: `[[]]`}, sandbox.Customer{JSON: `7`}))
	r := newRig(t, api, everyRefresh)
	r.refresh()
	r.want("yativo_card_customers", "flow_status=unknown", 4)
	r.want("yativo_card_customers", "flow_status=active", 1)
	r.want("yativo_card_undeployed_safes", "flow_status=unknown", 0) // absent is unknown, not false
	r.want("yativo_exporter_unknown_values", "field=safe_deployed", 4)
	r.want("yativo_card_ledger_balance", "currency=USD", 45.23)
}

// The first row of a repeated id is the one that counts.
func TestDuplicateRows(t *testing.T) {
	first := sandbox.Example()
	again := first[0]
	again.Status, again.Ledger = onboarding.KYCCompleted, "1000"
	numeric := first[1]
	numeric.Raw = map[string]string{"customer_id": "42"}
	text := numeric
	text.Raw = map[string]string{"customer_id": "", "yativo_card_id": `"x","id":"42"`}
	api := sandbox.New(sandbox.Options{})
	api.SetCustomers([]sandbox.Customer{first[0], again, first[1], again, numeric, text})
	api.InjectFault(sandbox.Total(func(int, int64) string { return "3" }))
	r := newRig(t, api, everyRefresh)
	r.refresh()
	r.want("yativo_up", "", 1)
	r.want("yativo_exporter_duplicate_rows", "", 3)
	r.want("yativo_card_customers", "flow_status=active", 1)
	r.want("yativo_card_customers", "flow_status=kyc_completed", 0)
	r.want("yativo_card_customers", "flow_status=kyc_initiated", 2)
	r.want("yativo_card_ledger_balance", "currency=USD", 45.23)
}
