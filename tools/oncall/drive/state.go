package drive

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"yativo-card-exporter/internal/onboarding"
)

// away is where the folder of the state file is while the exporter runs: like a
// disk that fails, it takes nothing until the exporter stops. To write the file
// after every walk takes longer than all else.
const away = ".away"

// start opens a tracker, as the exporter does when it starts.
func (r *run) start() error {
	families := newFamilies()
	options := onboarding.Options{Thresholds: r.Thresholds, RefreshInterval: r.RefreshInterval, Registerer: families}
	r.shown = &Shown{families: families, Up: true, RefreshInterval: r.RefreshInterval}
	var err error
	if !r.stops {
		r.tracker, err = onboarding.Open(options)
		return err
	}
	if r.folder, err = os.MkdirTemp("", "oncall-"); err != nil {
		return err
	}
	options.Path = r.stateFile()
	if err = os.WriteFile(options.Path, r.state, 0o600); err == nil {
		r.tracker, err = onboarding.Open(options)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(r.folder))
	}
	return os.Rename(r.folder, r.folder+away)
}

func (r *run) stateFile() string { return filepath.Join(r.folder, "state.db") }

// stop stops the exporter and keeps its state.
func (r *run) stop() error {
	if !r.stops {
		return r.tracker.Close()
	}
	err := errors.Join(os.Rename(r.folder+away, r.folder), r.tracker.Close())
	if err == nil {
		r.state, err = os.ReadFile(r.stateFile())
	}
	return errors.Join(err, os.RemoveAll(r.folder))
}

// restart stops the exporter and starts it when it comes back.
func (r *run) restart(back int64) error {
	if err := r.stop(); err != nil {
		return err
	}
	r.steps(r.now)
	r.shown = &Shown{}
	r.steps(back)
	return r.start()
}

// Past is a run that has come to a moment.
type Past struct{ run *run }

// Until runs to the first walk at or after a moment.
func Until(c Config, moment int64) (*Past, error) {
	r := newRun(c)
	r.stops = true
	err := r.begin()
	if err == nil {
		err = r.walks(moment)
	}
	if err == nil {
		err = r.stop()
	}
	return &Past{r}, err
}

// begin starts the exporter, with what a past run left if there is one.
func (r *run) begin() error {
	if r.Past == nil {
		return r.start()
	}
	past := r.Past.run
	r.state = past.state
	if err := r.start(); err != nil {
		return err
	}
	r.now, r.nextStep, r.upcoming, r.lastWalk = past.now, past.nextStep, past.upcoming, past.lastWalk
	r.shown.walked(past.shown.Report, past.shown.customers, past.shown.total, past.shown.took)
	r.live = slices.Clone(past.live)
	for i := range r.live {
		r.live[i].customer = &r.Customers[r.live[i].number]
	}
	r.moved = sort.Search(len(r.moves), func(i int) bool { return r.moves[i] > r.lastWalk })
	return nil
}
