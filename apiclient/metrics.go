package apiclient

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/sony/gobreaker/v2"
)

// The API's two endpoints, as label values.
const (
	endpointCustomers = "customers"
	endpointToken     = "token"
)

// What a request waits for, as label values.
const (
	causeOwnLimit   = "own_limit"
	causeReserve    = "reserve"
	causeRetryAfter = "retry_after"
)

// codeError is the label value of an exchange that brought no HTTP status.
const codeError = "error"

// metrics are the series of the upstream client. Gauges without labels are
// vectors, because a vector exports nothing before its first value is known.
type metrics struct {
	requests           *prometheus.CounterVec
	duration           *prometheus.HistogramVec
	retries            *prometheus.CounterVec
	throttled          *prometheus.CounterVec
	rateLimit          *prometheus.GaugeVec
	rateLimitRemaining *prometheus.GaugeVec
	rateLimitReset     *prometheus.GaugeVec
	tokenExpiry        *prometheus.GaugeVec
	breakerState       atomic.Int32 // a gobreaker.State; the zero value is closed
	breakerTransitions *prometheus.CounterVec
	breakerRejections  prometheus.Counter
}

// newMetrics registers the metrics, with every label value that can occur, so
// that the first failure is an increase and not a new series.
func newMetrics(registerer prometheus.Registerer) *metrics {
	auto := promauto.With(registerer)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return auto.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return auto.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, nil)
	}
	m := &metrics{
		requests: counter("yativo_api_requests_total",
			"Requests sent to the Yativo API, including retries and token mints, by endpoint and HTTP status (\"error\": no status came back).", "endpoint", "code"),
		duration: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name:                            "yativo_api_request_duration_seconds",
			Help:                            "Time from sending a request to the Yativo API to the end of its answer or to its failure, without waits for quota and between retries.",
			Buckets:                         []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"endpoint"}),
		retries: counter("yativo_api_retries_total",
			"Requests to the Yativo API that were repeated, by what went wrong (\"auth\": repeated once with a new token).", "reason"),
		throttled: counter("yativo_api_throttled_seconds_total",
			"Time for which requests were held back, by cause: the exporter's own limit, the share of the API's quota left to production traffic, or a wait that the API asked for.", "cause"),
		rateLimit: gauge("yativo_api_rate_limit",
			"Requests that the Yativo API grants this key in its window, as it last said."),
		rateLimitRemaining: gauge("yativo_api_rate_limit_remaining",
			"Requests that this key had left at the Yativo API when it last answered."),
		rateLimitReset: gauge("yativo_api_rate_limit_reset_timestamp_seconds",
			"Unix time at which the quota of this key resets, as the Yativo API last said."),
		tokenExpiry: gauge("yativo_api_token_expiry_timestamp_seconds",
			"Unix time at which the access token in use expires; absent for a static token."),
		breakerTransitions: counter("yativo_api_circuit_breaker_transitions_total",
			"Changes of the circuit breaker's state, by the new state.", "to"),
		breakerRejections: auto.NewCounter(prometheus.CounterOpts{
			Name: "yativo_api_circuit_breaker_rejections_total",
			Help: "Requests to the Yativo API that were not sent because the circuit breaker was open.",
		}),
	}
	breakerState := prometheus.NewDesc("yativo_api_circuit_breaker_state",
		"State of the circuit breaker in front of the Yativo API: 1 for the state it is in, else 0.", []string{"state"}, nil)
	// One-hot, all of it as of one moment.
	registerer.MustRegister(prometheus.CollectorFunc(func(ch chan<- prometheus.Metric) {
		now := gobreaker.State(m.breakerState.Load())
		for _, state := range breakerStates() {
			ch <- prometheus.MustNewConstMetric(breakerState, prometheus.GaugeValue, map[bool]float64{true: 1}[state == now], stateLabel(state))
		}
	}))
	for _, endpoint := range []string{endpointCustomers, endpointToken} {
		m.duration.WithLabelValues(endpoint)
		for _, code := range []string{"200", "401", "403", "429", "500", "502", "503", "504", codeError} {
			m.requests.WithLabelValues(endpoint, code)
		}
	}
	for _, r := range []Reason{ReasonAuth, ReasonRateLimited, ReasonTimeout, ReasonNetwork, ReasonServer} {
		m.retries.WithLabelValues(string(r))
	}
	for _, cause := range []string{causeOwnLimit, causeReserve, causeRetryAfter} {
		m.throttled.WithLabelValues(cause)
	}
	for _, s := range breakerStates() {
		m.breakerTransitions.WithLabelValues(stateLabel(s))
	}
	return m
}

func (m *metrics) observeRequest(endpoint string, status int, took time.Duration) {
	code := codeError
	if status != 0 {
		code = strconv.Itoa(status)
	}
	m.requests.WithLabelValues(endpoint, code).Inc()
	m.duration.WithLabelValues(endpoint).Observe(took.Seconds())
}

func (m *metrics) observeQuota(q quotaHeaders) {
	m.rateLimit.WithLabelValues().Set(float64(q.limit))
	m.rateLimitRemaining.WithLabelValues().Set(float64(q.remaining))
	if !q.resetAt.IsZero() {
		m.rateLimitReset.WithLabelValues().Set(float64(q.resetAt.Unix()))
	}
}

func breakerStates() []gobreaker.State {
	return []gobreaker.State{gobreaker.StateClosed, gobreaker.StateHalfOpen, gobreaker.StateOpen}
}

func stateLabel(s gobreaker.State) string { return strings.ReplaceAll(s.String(), "-", "_") }
