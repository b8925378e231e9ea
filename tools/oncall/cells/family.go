package cells

import (
	"context"
	"fmt"
	"time"

	"yativo-card-exporter/tools/oncall/drive"
	"yativo-card-exporter/tools/oncall/judge"
	"yativo-card-exporter/tools/oncall/model"
)

// family is one seed of cells whose programs are the same until something
// happens. They share what came before, which is most of a run.
type family struct {
	cells []int
	seed  uint64
}

// familiesOf orders all seeds of all cells, the first seeds first.
func familiesOf(cells []Cell) (families []family) {
	for seed := range most(cells) {
		places := map[string]int{}
		for i, c := range cells {
			if seed >= c.Seeds {
				continue
			}
			past := fmt.Sprint(c.pastProgram(), c.pastEnd())
			if place, ok := places[past]; ok && c.pastEnd() > 0 {
				families[place].cells = append(families[place].cells, i)
				continue
			}
			places[past] = len(families)
			families = append(families, family{[]int{i}, uint64(seed + 1)})
		}
	}
	return families
}

// most is how many seeds the cell with the most of them has.
func most(cells []Cell) (seeds int) {
	for _, c := range cells {
		seeds = max(seeds, c.Seeds)
	}
	return seeds
}

// pastEnd is until when nothing has happened yet; 0 if that is not worth sharing.
func (c Cell) pastEnd() time.Duration {
	switch {
	case c.RestartEvery > 0:
		return 0
	case c.From >= settled:
		return settled
	case c.From > learned:
		return learned
	}
	return 0
}

// pastProgram is the program to which nothing happens.
func (c Cell) pastProgram() model.Program {
	p := c.Program
	p.Length, p.Events, p.Holidays, p.HolidaysFrom = c.pastEnd(), nil, 0, 0
	return p
}

// run runs the seed of each cell.
func (f family) run(ctx context.Context, rules *judge.Rules, cells []Cell, brought func(cell int, o Outcome)) error {
	var shared *past
	if len(f.cells) > 1 {
		var err error
		if shared, err = cells[f.cells[0]].past(rules, f.seed); err != nil {
			return err
		}
	}
	for _, cell := range f.cells {
		c := cells[cell]
		if err := ctx.Err(); err != nil {
			return err
		}
		o, err := c.run(ctx, rules, f.seed, shared)
		if err != nil {
			return fmt.Errorf("%s, seed %d: %w", c.Name(), f.seed, err)
		}
		brought(cell, o)
	}
	return nil
}

// past is what cells of a family share.
type past struct {
	customers []model.Customer
	drive     *drive.Past
	recorder  *judge.Recorder
}

// longestWalk is how long before the end of the past a walk has to begin to read
// nothing of what comes after.
const longestWalk = 3 * time.Hour

// past runs a seed until something may happen.
func (c Cell) past(rules *judge.Rules, seed uint64) (*past, error) {
	program := c.pastProgram()
	program.Seed = seed
	customers, err := program.Customers()
	if err != nil {
		return nil, err
	}
	recorder := judge.NewRecorder(rules, model.At(c.pastEnd()-2*week), c.step(), nil)
	config, err := c.config(program, customers)
	if err != nil {
		return nil, err
	}
	config.Step = recorder.Step
	ran, err := drive.Until(config, model.At(program.Length-longestWalk))
	return &past{customers, ran, recorder}, err
}
