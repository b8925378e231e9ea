package cells

import (
	"context"
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
// at a time as there are processors, and calls done after each cell.
func RunAll(ctx context.Context, rules []byte, cells []Cell, done func(Result)) ([]Result, error) {
	results := make([]Result, len(cells))
	type job struct{ cell, seed int }
	jobs := make(chan job)
	problems := make(chan error, runtime.GOMAXPROCS(0))
	left := make([]int, len(cells))
	for i, c := range cells {
		results[i] = Result{c, make([]Outcome, c.Seeds)}
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
					cancel()
					problems <- fmt.Errorf("%s, %v a day, %s, seed %d: %w", cells[j.cell].Event,
						cells[j.cell].Program.SignUpsPerDay, cells[j.cell].Program.Review, j.seed+1, err)
					return
				}
				lock.Lock()
				results[j.cell].Outcomes[j.seed] = outcome
				if left[j.cell]--; left[j.cell] == 0 {
					done(results[j.cell])
				}
				lock.Unlock()
			}
		})
	}
	for i, c := range cells {
		for seed := range c.Seeds {
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
		return results, nil
	}
}

// run plays, drives and judges one seed.
func (c Cell) run(ctx context.Context, content []byte, seed uint64) (Outcome, error) {
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
		defer os.RemoveAll(folder)
	}
	// No rule looks further back than two weeks.
	recorder := judge.NewRecorder(rules, model.At(max(0, c.From-2*week)), spans(c.PrometheusAway))
	err = drive.Run(drive.Config{
		Customers: customers, Length: program.Length, Thresholds: onboarding.DefaultThresholds(),
		IdleWalk: 5 * time.Minute, KeepActive: 3 * day, KeepDropOuts: c.keepDropOuts(), KeepFrom: c.keepFrom(),
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

// keepDropOuts is how long drop-outs stay in the list: longer than any silence,
// and the longer where the program is small enough for that to cost little.
func (c Cell) keepDropOuts() time.Duration {
	return max(5*day, min(90*day, time.Duration(400/c.Program.SignUpsPerDay*float64(day))))
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
