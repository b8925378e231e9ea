package apiclient

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// quotaHeaders is what the headers of an answer say of the API's quota.
type quotaHeaders struct {
	limit, remaining int           // requests
	isKnown          bool          // whether both are
	resetAt          time.Time     // on the API's clock, zero if unknown
	resetIn          time.Duration // 0 if unknown or passed, at most maxWait
	isOdd            bool          // whether there is something that is not understood
}

// readQuota reads the documented X-RateLimit headers, or those that gateways
// send in their place: the drafts of the RateLimit standard.
func readQuota(h http.Header, now time.Time) (q quotaHeaders) {
	limit, remaining, reset := quotaTexts(h)
	if limit == "" && remaining == "" && reset == "" {
		q.isOdd = len(quotaNames(h)) > 0
		return q
	}
	var limitErr, remainingErr error
	q.limit, limitErr = strconv.Atoi(firstItem(limit))
	q.remaining, remainingErr = strconv.Atoi(firstItem(remaining))
	q.isKnown = limitErr == nil && remainingErr == nil && q.limit > 0 && q.remaining <= q.limit
	q.remaining = max(q.remaining, 0) // some APIs count on below it
	q.resetAt = resetTime(reset, h, now)
	q.resetIn = untilReset(q.resetAt, h, now)
	q.isOdd = !q.isKnown || reset != "" && q.resetAt.IsZero()
	return q
}

// quotaTexts returns the values that tell the quota, from whichever headers
// carry them.
func quotaTexts(h http.Header) (limit, remaining, reset string) {
	for _, prefix := range []string{"X-RateLimit-", "X-Rate-Limit-", "RateLimit-"} {
		limit, remaining, reset = h.Get(prefix+"Limit"), h.Get(prefix+"Remaining"), h.Get(prefix+"Reset")
		if limit != "" || remaining != "" || reset != "" {
			return limit, remaining, reset
		}
	}
	// RateLimit: limit=100, remaining=50, reset=30, or in later drafts
	// RateLimit: "default";r=50;t=30 beside RateLimit-Policy: "default";q=100;w=60
	state, policy := parameters(h.Get("RateLimit")), parameters(h.Get("RateLimit-Policy"))
	return cmp.Or(state["limit"], policy["q"]), cmp.Or(state["remaining"], state["r"]), cmp.Or(state["reset"], state["t"])
}

// parameters returns the parameters of a structured header; of a repeated one,
// the first.
func parameters(header string) map[string]string {
	values := map[string]string{}
	for _, item := range strings.FieldsFunc(header, func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		if _, ok := values[name]; !ok {
			values[name] = value
		}
	}
	return values
}

// firstItem is the first item of a list, without its parameters: 60 of
// "60, 60;w=60".
func firstItem(list string) string {
	if end := strings.IndexAny(list, ",;"); end >= 0 {
		list = list[:end]
	}
	return strings.TrimSpace(list)
}

// resetTime is when a quota resets, on the API's clock: a date, seconds or
// milliseconds since 1970, or seconds from now. It is zero for anything else.
func resetTime(text string, h http.Header, now time.Time) time.Time {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at
	}
	if at, err := http.ParseTime(text); err == nil {
		return at
	}
	const (
		maxFromNow = 1e8  // three years
		maxSeconds = 1e11 // the year 5138; in milliseconds, 1973
		maxMillis  = 1e14
	)
	number, ok := parseNumber(firstItem(text))
	switch {
	case !ok || number < 0 || number > maxMillis:
		return time.Time{}
	case number > maxSeconds:
		return time.UnixMilli(int64(number))
	case number > maxFromNow:
		return time.Unix(int64(number), 0)
	default:
		return serverTime(h, now).Add(time.Duration(number * float64(time.Second)))
	}
}

// untilReset is the time until a reset, 0 if it has passed or is unknown, at
// most maxWait. It is measured on the server's clock, since this machine's may
// be minutes off and would then never keep the reserve. A reset is often told
// in whole seconds, so the fraction of the present one is waited for too.
func untilReset(at time.Time, h http.Header, now time.Time) time.Duration {
	return min(max(at.Sub(serverTime(h, now).Truncate(time.Second)), 0), maxWait)
}

// serverTime is the time at which the server answered, by its Date header.
func serverTime(h http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return date
	}
	return now
}

// quotaNames lists the headers that tell a quota.
func quotaNames(h http.Header) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(h)), func(name string) bool {
		return !strings.Contains(name, "Ratelimit") && !strings.Contains(name, "Rate-Limit")
	})
}
