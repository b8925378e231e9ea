//go:build e2e

package e2e_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metrics "github.com/prometheus/client_golang/prometheus"

	"yativo-card-exporter/internal/onboarding"
)

// simulatedWeeks is how long each program is watched, from its first start.
const (
	simulatedWeeks = 6
	walkEvery      = 30 * time.Minute
)

// program is a card program that is simulated customer by customer.
type program struct {
	job    string
	seed   uint64
	perDay float64
	// stalls is when nobody passes KYC, counted from the start; the zero
	// value is never.
	stallFrom, stallTo time.Duration
	// old programs have had customers for ten weeks before tracking begins.
	old bool
}

// customer is one customer of a program.
type customer struct {
	id      string
	created time.Time
	status  onboarding.Status
	next    time.Time // of the next move; the zero time is never
}

// step is how customers pass a status: some never do, the others take some
// hours, by the exponential distribution.
type step struct {
	dropOut float64
	hours   float64
}

func steps() map[onboarding.Status]step {
	return map[onboarding.Status]step{
		onboarding.OTPRequested:  {0.10, 0.1},
		onboarding.OTPVerified:   {0.12, 2},
		onboarding.KYCInitiated:  {0.15, 8},
		onboarding.KYCCompleted:  {0.05, 6},
		onboarding.SafeDeploying: {0, 0.03},
		onboarding.CardCreated:   {0, 1},
	}
}

// How often each alert fires for healthy programs of two and of twenty sign-ups a
// day, with drop-outs at every step, over six weeks from the first start; and
// what a stall of three days does. The figures are exact, as chance is seeded.
func TestAlertsOverWeeks(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	programs := []program{
		{job: "two-a-day", seed: 1, perDay: 2},
		{job: "two-a-day-old", seed: 2, perDay: 2, old: true},
		{job: "twenty-a-day", seed: 3, perDay: 20},
		{job: "twenty-a-day-old", seed: 4, perDay: 20, old: true},
		{job: "twenty-a-day-stalled", seed: 5, perDay: 20, stallFrom: 30 * day, stallTo: 33 * day},
	}
	var input strings.Builder
	for _, p := range programs {
		p.simulate(t, &input)
	}
	// Silence on KYC is by chance longer than five usual gaps once in some months.
	// The trends are watched from the fifteenth day on.
	var expected strings.Builder
	for _, fired := range []struct {
		job, alert string
		times      int
	}{
		{"two-a-day-old", "YativoCardKYCStalled", 1},
		{"twenty-a-day", "YativoCardKYCBacklog", 1},
		{"twenty-a-day-stalled", "YativoCardKYCStalled", 1},
		{"twenty-a-day-stalled", "YativoCardKYCBacklog", 1},
	} {
		fmt.Fprintf(&expected, "          - {labels: '{job=%q, alertname=%q}', value: %d}\n", fired.job, fired.alert, fired.times)
	}
	folder := t.TempDir()
	writeFile(t, folder, "slow.rules.yml", evaluatedEvery("30m", renderRules(t)))
	writeFile(t, folder, "starts.rules.yml", `groups:
  - name: starts
    interval: 30m
    rules:
      - record: starts
        expr: |
          ALERTS{alertname=~"YativoCard(KYC|Onboarding|Safe|Active).*",alertstate="firing"}
          unless ALERTS{alertstate="firing"} offset 30m
`)
	runTool(t, "promtool", "test", "rules", writeFile(t, folder, "weeks.yml", fmt.Sprintf(`
rule_files: [slow.rules.yml, starts.rules.yml]
group_eval_order: [yativo-card.onboarding, starts]
evaluation_interval: 30m
tests:
  - interval: 30m
    input_series:
%s    promql_expr_test:
      - expr: count by (job, alertname) (count_over_time(starts[%dw]))
        eval_time: %dw
        exp_samples:
%s`, input.String(), simulatedWeeks, simulatedWeeks, expected.String())))
}

// simulate writes the program's series, as the exporter's own tracker makes them.
func (p program) simulate(t *testing.T, input *strings.Builder) {
	t.Helper()
	registry := metrics.NewRegistry()
	tracker, err := onboarding.Open(onboarding.Options{
		Thresholds: onboarding.DefaultThresholds(), RefreshInterval: walkEvery, Registerer: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tracker.Close(); err != nil {
			t.Error(err)
		}
	}()

	// Prometheus' tests begin at the epoch, which the tracker takes for no time at all.
	epoch := time.Date(2026, time.January, 5, 0, 0, 0, 0, time.UTC)
	chance := rand.New(rand.NewPCG(p.seed, 0))
	from := epoch
	if p.old {
		from = epoch.Add(-10 * 7 * 24 * time.Hour)
	}
	var customers []*customer
	series := make(map[string][]string)
	end := epoch.Add(simulatedWeeks * 7 * 24 * time.Hour)
	signUp := from
	for now := from; !now.After(end); now = now.Add(walkEvery) {
		for ; !signUp.After(now); signUp = signUp.Add(hours(chance.ExpFloat64() * 24 / p.perDay)) {
			c := &customer{id: fmt.Sprintf("%s-%d", p.job, len(customers)), created: signUp, status: onboarding.OTPRequested}
			c.schedule(signUp, chance)
			customers = append(customers, c)
		}
		for _, c := range customers {
			p.advance(c, now, epoch, chance)
		}
		if now.Before(epoch) {
			continue
		}
		walk := tracker.Begin(now)
		for _, c := range customers {
			walk.Observe(onboarding.Observation{ID: c.id, Status: c.status, CreatedAt: c.created})
		}
		p.record(t, walk.Commit(now, true), registry, epoch, series)
	}
	for _, name := range slices.Sorted(maps.Keys(series)) {
		fmt.Fprintf(input, "      - series: '%s'\n        values: %s\n", name, strings.Join(series[name], " "))
	}
}

// schedule decides when, if ever, the customer leaves the status entered at t.
func (c *customer) schedule(t time.Time, chance *rand.Rand) {
	c.next = time.Time{}
	s, moves := steps()[c.status]
	if drops := chance.Float64() < s.dropOut; moves && !drops {
		c.next = t.Add(hours(chance.ExpFloat64() * s.hours))
	}
}

// advance makes all of the customer's moves up to now.
func (p program) advance(c *customer, now, epoch time.Time, chance *rand.Rand) {
	for !c.next.IsZero() && !c.next.After(now) {
		if since := c.next.Sub(epoch); c.status == onboarding.KYCInitiated && since >= p.stallFrom && since < p.stallTo {
			c.next = epoch.Add(p.stallTo)
			continue
		}
		c.status++
		c.schedule(c.next, chance)
	}
}

func hours(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }

// record adds a sample of each series that the alerts on onboarding read.
func (p program) record(t *testing.T, report *onboarding.Report, registry *metrics.Registry, epoch time.Time, series map[string][]string) {
	t.Helper()
	add := func(name, status string, value float64) {
		labels := fmt.Sprintf(`job="%s",instance="a"`, p.job)
		if status != "" {
			labels += fmt.Sprintf(`,flow_status="%s"`, status)
		}
		key := name + "{" + labels + "}"
		series[key] = append(series[key], fmt.Sprint(int64(value)))
	}
	for _, s := range onboarding.WaitingStatuses() {
		add("yativo_card_stalled_customers", s.String(), float64(report.Stalled[s]))
	}
	add("yativo_exporter_snapshot_timestamp_seconds", "", report.At.Sub(epoch).Seconds())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		switch family.GetName() {
		case "yativo_card_tracking_since_timestamp_seconds", "yativo_card_last_advance_timestamp_seconds":
			for _, metric := range family.GetMetric() {
				status := ""
				for _, label := range metric.GetLabel() {
					status = label.GetValue()
				}
				add(family.GetName(), status, metric.GetGauge().GetValue()-float64(epoch.Unix()))
			}
		}
	}
}
