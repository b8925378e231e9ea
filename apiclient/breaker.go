package apiclient

import (
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
			m.breakerState.Store(int32(to))
			m.breakerTransitions.WithLabelValues(stateLabel(to)).Inc()
			o.Logger.Debug("the circuit breaker changed", "from", stateLabel(from), "to", stateLabel(to))
			if to == gobreaker.StateOpen {
				onOpen()
			}
		},
		IsExcluded: func(verdict error) bool { return errors.Is(verdict, errTellsNothing) },
	})}
}

// What an attempt tells of the service, for the breaker: nil that it works.
var (
	errFailed       = errors.New("the service failed")
	errTellsNothing = errors.New("the attempt tells nothing of the service")
)

// judge says what an attempt that ended with err tells, if failuresBefore were
// counted when it began. A service that refuses works. Nothing tells a caller
// that gave up, or a quota that is used up, which is waited for in front of the
// breaker. Nor does one tell more that was in flight when another one's failure
// was counted: one event, such as a connection that drops under many requests,
// counts once.
func (b *breaker) judge(err error, failuresBefore uint64) error {
	apiErr, ok := errors.AsType[*Error](err)
	switch {
	case err == nil, ok && slices.Contains([]Reason{ReasonAuth, ReasonForbidden, ReasonClient}, apiErr.Reason):
		return nil
	case !ok, apiErr.Reason == ReasonRateLimited, !b.failures.CompareAndSwap(failuresBefore, failuresBefore+1):
		return errTellsNothing
	default:
		b.cause.Store(err.Error())
		return errFailed
	}
}

// isOpen reports whether the breaker lets nothing through now, so that nobody
// waits for quota that cannot be used. Asking also moves an open breaker whose
// cooldown is over to half-open.
func (b *breaker) isOpen() bool { return b.cb.State() == gobreaker.StateOpen }

func (b *breaker) isClosed() bool { return b.cb.State() == gobreaker.StateClosed }

// do runs one attempt. The error is the attempt's own, or a rejection.
func (b *breaker) do(attempt func() error) (err error) {
	failuresBefore := b.failures.Load()
	_, verdict := b.cb.Execute(func() (struct{}, error) {
		err = attempt()
		return struct{}{}, b.judge(err, failuresBefore)
	})
	if errors.Is(verdict, gobreaker.ErrOpenState) || errors.Is(verdict, gobreaker.ErrTooManyRequests) {
		return b.reject()
	}
	return err
}

func (b *breaker) reject() error {
	b.metrics.breakerRejections.Inc()
	return &Error{
		Reason: ReasonBreakerOpen,
		Detail: fmt.Sprintf("not sent: the circuit breaker is open after repeated failures and tries again by itself; the last failure: %v", b.cause.Load()),
	}
}
