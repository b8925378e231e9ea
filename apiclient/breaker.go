package apiclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/sony/gobreaker/v2"
)

// breaker stops calling an API that is down. It stands around each HTTP attempt
// of both endpoints.
type breaker struct {
	cb       *gobreaker.CircuitBreaker[struct{}]
	metrics  *metrics
	failures atomic.Uint64 // counted so far
	cause    atomic.Value  // string: the last of them
}

// newBreaker makes a breaker that calls onOpen each time it opens.
func newBreaker(o Options, m *metrics, onOpen func()) *breaker {
	return &breaker{metrics: m, cb: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     o.BreakerCooldown,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= o.BreakerFailures },
		// The callback runs under the breaker's lock: it must not ask the
		// breaker anything.
		OnStateChange: func(_ string, from, to gobreaker.State) {
			m.breakerState.now.Store(int32(to))
			m.breakerTransitions.WithLabelValues(stateLabel(to)).Inc()
			o.Logger.Debug("the circuit breaker changed", "from", stateLabel(from), "to", stateLabel(to))
			if to == gobreaker.StateOpen {
				onOpen()
			}
		},
		IsSuccessful: isSuccessful,
		IsExcluded:   isExcluded,
	})}
}

// isSuccessful reports whether an attempt that ended with err shows a working
// service: it answered, even if it refused.
func isSuccessful(err error) bool {
	apiErr, ok := errors.AsType[*Error](err)
	return err == nil || ok && slices.Contains([]Reason{ReasonAuth, ReasonForbidden, ReasonClient}, apiErr.Reason)
}

// isExcluded reports whether an attempt that ended with err tells neither that
// the service is up nor that it is down: the caller gave up, or the quota is
// used up, which is waited for in front of the breaker. Nor does one tell more
// that failed together with another.
func isExcluded(err error) bool {
	if _, ok := errors.AsType[sameFailure](err); ok {
		return true
	}
	if apiErr, ok := errors.AsType[*Error](err); ok {
		return apiErr.Reason == ReasonRateLimited
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// isOpen reports whether the breaker lets nothing through now, so that nobody
// waits for quota that cannot be used. Asking also moves an open breaker whose
// cooldown is over to half-open.
func (b *breaker) isOpen() bool { return b.cb.State() == gobreaker.StateOpen }

func (b *breaker) isClosed() bool { return b.cb.State() == gobreaker.StateClosed }

// sameFailure is the error of an attempt that was in flight when another one's
// failure was counted. One event, such as a connection that drops under many
// requests, counts once.
type sameFailure struct{ error }

// do runs one attempt. The error is the attempt's own, or a rejection.
func (b *breaker) do(attempt func() error) error {
	failuresBefore := b.failures.Load()
	_, err := b.cb.Execute(func() (struct{}, error) {
		err := attempt()
		isFailure := !isSuccessful(err) && !isExcluded(err)
		if isFailure && !b.failures.CompareAndSwap(failuresBefore, failuresBefore+1) {
			err = sameFailure{err}
		} else if isFailure {
			b.cause.Store(err.Error())
		}
		return struct{}{}, err
	})
	if same, ok := errors.AsType[sameFailure](err); ok {
		return same.error
	}
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return b.reject()
	}
	return err
}

func (b *breaker) reject() error {
	b.metrics.breakerRejections.Inc()
	return &Error{
		Reason: ReasonBreakerOpen,
		Detail: fmt.Sprintf("not sent: the circuit breaker is open after repeated failures and will probe by itself; the last one: %v", b.cause.Load()),
	}
}
