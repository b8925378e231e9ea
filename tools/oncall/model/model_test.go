package model_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/tools/oncall/model"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

func play(t *testing.T, p model.Program) []model.Customer {
	t.Helper()
	customers, err := p.Customers()
	if err != nil {
		t.Fatal(err)
	}
	return customers
}

// reached is when customers reached a status.
func reached(customers []model.Customer, s onboarding.Status) (moments []int64) {
	for _, c := range customers {
		for _, m := range c.Moves {
			if m.Status == s {
				moments = append(moments, m.At)
			}
		}
	}
	slices.Sort(moments)
	return moments
}

func within(moments []int64, start, end time.Duration) int {
	n := 0
	for _, at := range moments {
		if at >= model.At(start) && at < model.At(end) {
			n++
		}
	}
	return n
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*want {
		t.Errorf("%s: %.3g, want about %.3g", what, got, want)
	}
}

func TestSharesAndPace(t *testing.T) {
	customers := play(t, model.Program{
		Seed: 1, SignUpsPerDay: 200, Review: model.Automatic, DropOut: model.MidDropOut(), Length: 10 * week,
	})
	signedUp := reached(customers, onboarding.OTPRequested)
	near(t, "sign-ups a day", float64(len(signedUp))/70, 200, 0.03)
	left := float64(len(signedUp))
	for _, step := range []struct {
		status  onboarding.Status
		dropOut float64
	}{
		{onboarding.OTPVerified, .2},
		{onboarding.KYCInitiated, .2},
		{onboarding.KYCCompleted, .3},
		{onboarding.SafeDeploying, .25},
		{onboarding.CardCreated, 0},
		{onboarding.Active, 0},
	} {
		n := float64(len(reached(customers, step.status)))
		near(t, "share that reaches "+step.status.String(), n/left, 1-step.dropOut, 0.03)
		left = n
	}
	weekend := within(signedUp, 5*day, 7*day) + within(signedUp, 12*day, 14*day)
	near(t, "share of the weekends", float64(weekend)/float64(within(signedUp, 0, 2*week)), 2*.7/7, 0.15)
	// 15:00 in Berlin is 14:00 UTC before summer time.
	busy, quiet := 0, 0
	for d := range 20 {
		busy += within(signedUp, time.Duration(d)*day+13*time.Hour, time.Duration(d)*day+15*time.Hour)
		quiet += within(signedUp, time.Duration(d)*day+time.Hour, time.Duration(d)*day+3*time.Hour)
	}
	near(t, "quietest to busiest", float64(quiet)/float64(busy), 0.11/1.88, 0.4)
}

func TestPeopleReviewAtWorkAlone(t *testing.T) {
	p := model.Program{
		Seed: 1, SignUpsPerDay: 50, Review: model.Weekdays, DropOut: model.MidDropOut(), Length: 8 * week,
		Holidays: 5, HolidaysFrom: 2 * week,
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	days := map[string]bool{}
	for _, at := range reached(play(t, p), onboarding.KYCCompleted) {
		moment := time.Unix(at, 0).In(berlin)
		if d := moment.Weekday(); d == time.Saturday || d == time.Sunday || moment.Hour() < 9 || moment.Hour() >= 18 {
			t.Fatalf("an approval at %s", moment)
		}
		days[moment.Format(time.DateOnly)] = true
	}
	if want := 8*5 - 5; len(days) < want-1 || len(days) > want {
		t.Errorf("approvals on %d days, want %d", len(days), want)
	}
	worked, err := p.WorkingTime(model.At(0), model.At(week))
	if err != nil || worked != 45*time.Hour {
		t.Errorf("%v of work a week, err %v", worked, err)
	}
	p.Review, p.Holidays = model.DailyBatch, 0
	for _, at := range reached(play(t, p), onboarding.KYCCompleted) {
		if moment := time.Unix(at, 0).In(berlin); moment.Format(time.TimeOnly) != "17:00:00" {
			t.Fatalf("a batch at %s", moment)
		}
	}
}

func TestAnOutageHoldsApprovalsBackUntilItsCure(t *testing.T) {
	p := model.Program{Seed: 1, SignUpsPerDay: 200, Review: model.Automatic, DropOut: model.MidDropOut(), Length: 4 * week}
	healthy := play(t, p)
	p.Events = []model.Event{{Kind: model.ReviewOutage, Start: 15 * day, End: 16 * day, Share: 1}}
	broken := play(t, p)
	approvals, usual := reached(broken, onboarding.KYCCompleted), reached(healthy, onboarding.KYCCompleted)
	if n := within(approvals, 15*day, 16*day); n != 0 {
		t.Errorf("%d approvals in an outage of all", n)
	}
	if a, b := within(approvals, 0, 15*day), within(usual, 0, 15*day); a != b {
		t.Errorf("%d approvals before the outage, %d without", a, b)
	}
	if a, b := len(approvals), len(usual); b-a > 2 {
		t.Errorf("%d approvals in all, %d without the outage", a, b)
	}
	if a, b := len(reached(broken, onboarding.OTPVerified)), len(reached(healthy, onboarding.OTPVerified)); a != b {
		t.Errorf("%d got past the OTP, %d without the outage", a, b)
	}
	if !model.SamePast(broken, healthy, model.At(15*day)) || model.SamePast(broken, healthy, model.At(16*day)) {
		t.Error("the outage changed the past, or nothing")
	}
	p.Events[0].Share = 0.5
	half := within(reached(play(t, p), onboarding.KYCCompleted), 15*day, 16*day)
	near(t, "approvals where half are lost", float64(half), float64(within(usual, 15*day, 16*day))/2, 0.3)
}

func TestEventsOfSignUps(t *testing.T) {
	for _, test := range []struct {
		event      model.Event
		start, end time.Duration
		want       float64
	}{
		{model.Event{Kind: model.SignUpsStop, Start: 2 * week, End: 3 * week}, 2 * week, 3 * week, 0},
		{model.Event{Kind: model.CampaignPaused, Start: 2 * week, End: 3 * week}, 2 * week, 3 * week, 70},
		{model.Event{Kind: model.WindDown, Start: 2 * week}, 2 * week, 3 * week, 700},
		{model.Event{Kind: model.WindDown, Start: 2 * week}, 3 * week, 4 * week, 0},
		{model.Event{Kind: model.Spike, Start: 14 * day, End: 15 * day}, 14 * day, 15 * day, 20 * 224},
		{model.Event{Kind: model.Launch, Start: 2 * week}, 0, 2 * week, 28},
		{model.Event{Kind: model.Launch, Start: 2 * week}, 2 * week, 3 * week, 1400},
		{model.Event{Kind: model.Growth}, 3 * week, 4 * week, 1400 * math.Pow(1.1, 3.5)},
	} {
		p := model.Program{
			Seed: 2, SignUpsPerDay: 200, Review: model.Automatic, DropOut: model.MidDropOut(), Length: 4 * week,
			Events: []model.Event{test.event},
		}
		got := within(reached(play(t, p), onboarding.OTPRequested), test.start, test.end)
		if test.want == 0 && got != 0 {
			t.Errorf("%s: %d sign-ups", test.event.Kind, got)
		}
		near(t, string(test.event.Kind), float64(got), test.want, 0.15+2/math.Sqrt(test.want+1))
	}
}

func TestNewsletter(t *testing.T) {
	p := model.Program{Seed: 1, SignUpsPerDay: 200, Newsletter: true, Review: model.TwoBatches, DropOut: model.MidDropOut(), Length: 2 * week}
	customers := play(t, p)
	signedUp := reached(customers, onboarding.OTPRequested)
	near(t, "sign-ups of a week", float64(within(signedUp, 0, week)), 1400, 0.1)
	near(t, "sign-ups of the day", float64(within(signedUp, 2*day-time.Hour, 3*day-time.Hour)), 700, 0.1)
	if runs := slices.Compact(reached(customers, onboarding.KYCCompleted)); len(runs) != 2*5*2 {
		t.Errorf("%d batches in ten weekdays", len(runs))
	}
}

func TestSpending(t *testing.T) {
	p := model.Program{Seed: 1, SignUpsPerDay: 2, Review: model.Automatic, DropOut: model.MidDropOut(), Length: 8 * week}
	customers := play(t, p)
	spent, err := p.Spending(customers)
	if err != nil {
		t.Fatal(err)
	}
	days := func(from, to time.Duration) (readings int) {
		for at := from; at < to; at += 5 * time.Minute {
			if spent(model.At(at), model.At(at+5*time.Minute)) {
				readings++
			}
		}
		return readings
	}
	near(t, "readings that differ in a week", float64(days(6*week, 7*week)), 0.336*2*45.5*1.5*7, 0.25)
	if n := days(0, day); n > 3 || !spent(model.At(5*week), model.At(6*week)) || spent(model.At(5*week), model.At(5*week)) {
		t.Errorf("%d on the first day, or a week without", n)
	}
}

func TestImportReKYCAndBackOffice(t *testing.T) {
	customers := play(t, model.Program{
		Seed: 2, SignUpsPerDay: 20, Review: model.Automatic, DropOut: model.MidDropOut(), Length: 6 * week,
		Events: []model.Event{
			{Kind: model.Import, Start: 3 * week, Customers: 5000},
			{Kind: model.BackOffice, Start: 4 * week, End: 6 * week, PerDay: 3},
			{Kind: model.ReKYC, Start: 5 * week, Share: 0.3},
		},
	})
	imported, added, again, cameBack := 0, 0, 0, 0
	for _, c := range customers {
		first, last := c.Moves[0], c.Moves[len(c.Moves)-1]
		switch {
		case first.At-c.Created > int64(day/time.Second):
			imported++
		case first.Status == onboarding.Active:
			added++
		}
		if i := slices.Index(c.Moves, model.Move{At: model.At(5 * week), Status: onboarding.KYCInitiated}); i > 0 {
			again++
			if last.Status == onboarding.Active {
				cameBack++
			}
		}
	}
	if imported != 5000 {
		t.Errorf("%d imported", imported)
	}
	near(t, "added", float64(added), 42, 0.4)
	near(t, "sent back to KYC", float64(again), 0.3*(20*35+5000)*0.8*0.8*0.7*0.75, 0.1)
	near(t, "of them back again", float64(cameBack)/float64(again), 0.7, 0.25)
}
