//go:build e2e

package e2e_test

import (
	"slices"
	"sync"
	"testing"

	"yativo-card-exporter/internal/sandbox"
)

// rowsAtOnce is how many rows run side by side. An exporter that waits costs
// next to nothing, so they are more than there are processors.
const rowsAtOnce = 24

// table is every fault of the world around the exporter.
func table(t *testing.T) []row {
	t.Helper()
	return slices.Concat(apiFaults(t), tokenFaults(t), dataFaults(), networkFaults(t), tlsFaults())
}

// Whatever goes wrong around it, the exporter goes on serving, says what is
// wrong, keeps what it knew, storms nobody, and mends itself. docs/faults.md
// shows the table as this test sees it.
func TestFaults(t *testing.T) {
	t.Parallel()
	// Several, since scrapes of one exporter at the same moment share their work.
	controls := make([]*exporter, 10)
	for i := range controls {
		api := sandbox.New(sandbox.Options{Seed: 7, Customers: 230, Quota: -1})
		controls[i] = startExporter(t, settingsFor(t, serveSandbox(t, api)).with(settings{"EXPORTER_LOG_LEVEL": "info"}))
		controls[i].awaitReady()
	}

	rows := table(t)
	seen := make([]*observation, len(rows))
	slots := make(chan struct{}, rowsAtOnce)
	var running sync.WaitGroup
	for i, r := range rows {
		// Parallel subtests would be held back by -parallel, which is meant for
		// tests that compute; these wait.
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(r.group+"/"+r.name, func(t *testing.T) {
				effect, figures := r.meet(t, controls[i%len(controls)])
				seen[i] = &observation{r, effect, figures}
			})
		})
	}
	running.Wait()
	if !t.Failed() && !slices.Contains(seen, nil) {
		documented(t, "table", renderTable(seen))
		measured(t, seen)
	}
}

// observation is a row of the table as it was seen.
type observation struct {
	row
	effect  effect
	figures figures
}
