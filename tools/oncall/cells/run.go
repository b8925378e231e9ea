package cells

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"yativo-card-exporter/internal/onboarding"
	"yativo-card-exporter/tools/oncall/drive"
	"yativo-card-exporter/tools/oncall/judge"
	"yativo-card-exporter/tools/oncall/model"
)

// Result is a cell with the outcomes of its seeds.
type Result struct {
	Cell     Cell
	Outcomes []Outcome
}

// RunAll runs every seed of every cell against the rules of a rule file, as many
// at a time as there are processors, and calls done after each cell. If ctx ends
// it returns what has been run by then: the quick ones are first.
func RunAll(ctx context.Context, content []byte, cells []Cell, done func(Result)) ([]Result, error) {
	rules, err := judge.Parse(content, "yativo-card.onboarding")
	if err != nil {
		return nil, err
	}
	cells = slices.Clone(cells)
	slices.SortStableFunc(cells, func(a, b Cell) int {
		return cmp.Compare(a.Program.SignUpsPerDay*a.Program.Length.Hours(), b.Program.SignUpsPerDay*b.Program.Length.Hours())
	})
	results := make([]Result, len(cells))
	for i, c := range cells {
		results[i] = Result{Cell: c}
	}
	var lock sync.Mutex
	brought := func(cell int, o Outcome) {
		lock.Lock()
		defer lock.Unlock()
		r := &results[cell]
		if r.Outcomes = append(r.Outcomes, o); len(r.Outcomes) == r.Cell.Seeds {
			done(*r)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	families := make(chan family)
	problems := make(chan error, runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for f := range families {
				if err := f.run(ctx, rules, cells, brought); err != nil {
					if ctx.Err() == nil {
						cancel()
						problems <- err
					}
					return
				}
			}
		})
	}
	for _, f := range familiesOf(cells) {
		select {
		case families <- f:
		case <-ctx.Done():
		}
	}
	close(families)
	workers.Wait()
	select {
	case err := <-problems:
		return nil, err
	default:
		return slices.DeleteFunc(results, func(r Result) bool { return len(r.Outcomes) == 0 }), nil
	}
}

// run plays, drives and judges one seed, and spares the past if the seed shares it.
func (c Cell) run(ctx context.Context, rules *judge.Rules, seed uint64, shared *past) (Outcome, error) {
	program := c.Program
	program.Seed = seed
	customers, err := program.Customers()
	if err != nil {
		return Outcome{}, err
	}
	config, err := c.config(program, customers)
	if err != nil {
		return Outcome{}, err
	}
	config.KeepFrom, config.Frozen = c.keepFrom(), spans(c.Frozen)
	config.Away, config.RestartEvery = spans(c.ExporterAway), c.RestartEvery
	// No rule looks further back than two weeks.
	recorder := judge.NewRecorder(rules, model.At(max(0, c.From-2*week)), c.step(), spans(c.PrometheusAway))
	if shared != nil && model.SamePast(customers, shared.customers, model.At(c.pastEnd())) {
		recorder, config.Past = shared.recorder.Fork(spans(c.PrometheusAway)), shared.drive
	}
	config.Step = recorder.Step
	if err := drive.Run(config); err != nil {
		return Outcome{}, err
	}
	firings, err := recorder.Evaluate(ctx)
	if err != nil {
		return Outcome{}, err
	}
	return c.outcome(program, reached(customers, c.Through), firings)
}

// config is what the seeds of all cells of a family have in common.
func (c Cell) config(program model.Program, customers []model.Customer) (drive.Config, error) {
	spent, err := program.Spending(customers)
	return drive.Config{
		Customers: customers, Length: program.Length, Thresholds: thresholds(), RefreshInterval: c.refreshInterval(), Spent: spent,
		IdleWalk: c.step(), KeepActive: time.Hour, KeepDropOuts: c.keepDropOuts(), StepEvery: c.step(),
	}, err
}

// thresholds are the defaults, but that only wallets stall: no rule reads who is
// stalled elsewhere, and to list them at every walk takes half the time.
func thresholds() onboarding.Thresholds {
	t := onboarding.DefaultThresholds()
	for _, s := range onboarding.WaitingStatuses() {
		if s != onboarding.SafeDeploying {
			t.Stalled[s], t.Abandoned[s] = 1000*day, 1001*day
		}
	}
	return t
}

// refreshInterval is the time from walk to walk: a large program reads its list
// seldom, since that is long.
func (c Cell) refreshInterval() time.Duration {
	if c.Program.SignUpsPerDay >= 200 {
		return 5 * time.Minute
	}
	return time.Minute
}

// step is the time from one evaluation of the rules to the next, and from walk to
// walk where nothing moves.
func (c Cell) step() time.Duration {
	if c.From == learned {
		return 10 * time.Minute // Quarters take longest, and need not be exact to minutes.
	}
	return 5 * time.Minute
}

// keepDropOuts is how long drop-outs stay in the list: longer than any silence,
// and the longer where the program is small enough for that to cost little.
func (c Cell) keepDropOuts() time.Duration {
	least := 5 * day
	if c.Program.Review == model.Automatic || c.Program.Review == model.Mixed {
		least = 2 * day
	}
	return max(least, min(90*day, time.Duration(400/c.Program.SignUpsPerDay*float64(day))))
}

// keepFrom is since when those who drop out stay for good where something
// breaks: they came into a step that nobody gets past.
func (c Cell) keepFrom() int64 {
	if c.Cure == 0 {
		return 0
	}
	return model.At(c.From - 5*day)
}

// reached is when customers reached a status.
func reached(customers []model.Customer, status string) (moments []int64) {
	for _, c := range customers {
		for i, m := range c.Moves {
			if m.Status.String() == status && i > 0 {
				moments = append(moments, m.At)
			}
		}
	}
	slices.Sort(moments)
	return moments
}
