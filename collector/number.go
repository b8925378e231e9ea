package collector

import (
	"time"

	"github.com/cockroachdb/apd/v3"
)

// nearest returns the float64 nearest to an exact sum.
func nearest(sum *apd.Decimal) float64 {
	// The error is for a value beyond float64, which the bounds on amounts and
	// on their number exclude.
	value, _ := sum.Float64()
	return value + 0 // never -0
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
