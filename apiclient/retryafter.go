package apiclient

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxWait caps every wait that the API asks for.
const maxWait = 5 * time.Minute

// retryAfter is the wait that an answer other than 2xx asks for, at most
// maxWait: from Retry-After (seconds or an HTTP date), else the body's
// retry_after in seconds, else, for a 429, the reset of the quota. It is 0 if
// the answer asks for none or for one that has passed.
func retryAfter(status int, h http.Header, bodyRetryAfter float64, now time.Time) time.Duration {
	header := h.Get("Retry-After")
	if seconds, ok := parseNumber(firstItem(header)); ok && seconds > 0 {
		return capSeconds(seconds)
	}
	if at, err := http.ParseTime(header); err == nil {
		if wait := at.Sub(serverTime(h, now)); wait > 0 {
			return min(wait, maxWait)
		}
	}
	if bodyRetryAfter > 0 {
		return capSeconds(bodyRetryAfter)
	}
	if status == http.StatusTooManyRequests {
		return readQuota(h, now).resetIn
	}
	return 0
}

func capSeconds(seconds float64) time.Duration {
	return time.Duration(math.Min(seconds, maxWait.Seconds()) * float64(time.Second))
}

// parseNumber reads a decimal number, however large. It reports false for what
// only Go's own syntax takes for one, such as 1_0 or 0x10.
func parseNumber(text string) (number float64, ok bool) {
	number, err := strconv.ParseFloat(text, 64)
	return number, !errors.Is(err, strconv.ErrSyntax) && !math.IsNaN(number) && !strings.ContainsAny(text, "_xX")
}
