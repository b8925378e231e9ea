package testutil

import (
	"context"
	"time"
)

// Poll calls check at once and then at every interval until it returns no
// error. When ctx ends first, Poll returns the last error of check.
func Poll(ctx context.Context, interval time.Duration, check func() error) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
