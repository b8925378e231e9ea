package cells

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
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
func RunAll(ctx context.Context, rules []byte, cells []Cell, done func(Result)) ([]Result, error) {
	cells = slices.Clone(cells)
	slices.SortStableFunc(cells, func(a, b Cell) int {
		return cmp.Compare(a.Program.SignUpsPerDay*a.Program.Length.Hours(), b.Program.SignUpsPerDay*b.Program.Length.Hours())
	})
	results := make([]Result, len(cells))
	type job struct{ cell, seed int }
	jobs := make(chan job)
	problems := make(chan error, runtime.GOMAXPROCS(0))
	left := make([]int, len(cells))
	for i, c := range cells {
		results[i] = Result{Cell: c}
		left[i] = c.Seeds
	}
	var lock sync.Mutex
	var workers sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range jobs {
				outcome, err := cells[j.cell].run(ctx, rules, uint64(j.seed+1))
				if err != nil {
					if ctx.Err() != nil {
						return
					}
					cancel()
					problems <- fmt.Errorf("%s, %v a day, %s, seed %d: %w", cells[j.cell].Event,
						cells[j.cell].Program.SignUpsPerDay, cells[j.cell].Program.Review, j.seed+1, err)
					return
				}
				lock.Lock()
				results[j.cell].Outcomes = append(results[j.cell].Outcomes, outcome)
				if left[j.cell]--; left[j.cell] == 0 {
					done(results[j.cell])
				}
				lock.Unlock()
			}
		})
	}
	for seed := range most(cells) {
		for i, c := range cells {
			if seed >= c.Seeds {
				continue
			}
			select {
			case jobs <- job{i, seed}:
			case <-ctx.Done():
			}
		}
	}
	close(jobs)
	workers.Wait()
	select {
	case err := <-problems:
		return nil, err
	default:
		return slices.DeleteFunc(results, func(r Result) bool { return len(r.Outcomes) == 0 }), nil
	}
}

// most is how many seeds the cell with the most of them has.
func most(cells []Cell) (seeds int) {
	for _, c := range cells {
		seeds = max(seeds, c.Seeds)
	}
	return seeds
}

// run plays, drives and judges one seed.
func (c Cell) run(ctx context.Context, content []byte, seed uint64) (_ Outcome, err error) {
	rules, err := judge.Parse(content, "yativo-card.onboarding")
	if err != nil {
		return Outcome{}, err
	}
	program := c.Program
	program.Seed = seed
	customers, err := program.Customers()
	if err != nil {
		return Outcome{}, err
	}
	folder := ""
	if len(c.ExporterAway) > 0 || c.RestartEvery > 0 {
		if folder, err = os.MkdirTemp("", "oncall-"); err != nil {
			return Outcome{}, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	}
	// No rule looks further back than two weeks.
	recorder := judge.NewRecorder(rules, model.At(max(0, c.From-2*week)), spans(c.PrometheusAway))
	err = drive.Run(drive.Config{
		Customers: customers, Length: program.Length, Thresholds: thresholds(), RefreshInterval: c.refreshInterval(),
		IdleWalk: 5 * time.Minute, KeepActive: time.Hour, KeepDropOuts: c.keepDropOuts(), KeepFrom: c.keepFrom(),
		Frozen: spans(c.Frozen), Away: spans(c.ExporterAway), RestartEvery: c.RestartEvery, StateFolder: folder,
		Step: recorder.Step, StepEvery: judge.Step,
	})
	if err != nil {
		return Outcome{}, err
	}
	firings, err := recorder.Evaluate(ctx)
	if err != nil {
		return Outcome{}, err
	}
	return c.outcome(program, reached(customers, c.Through), firings)
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
