package apiclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Reason says why a refresh failed. Its values are the label values of
// yativo_exporter_refresh_failures_total.
type Reason string

// The reasons, each with who can mend it.
const (
	ReasonAuth        Reason = "auth"         // the key or token is refused: the operator
	ReasonForbidden   Reason = "forbidden"    // the key lacks the permission: the operator
	ReasonRateLimited Reason = "rate_limited" // the API's quota is used up: time
	ReasonBreakerOpen Reason = "breaker_open" // too many failures before: time
	ReasonTimeout     Reason = "timeout"      // no whole answer within the timeout
	ReasonNetwork     Reason = "network"      // no connection, or a broken one
	ReasonServer      Reason = "server"       // 5xx
	ReasonBadResponse Reason = "bad_response" // an answer that is not the documented one
	ReasonIncomplete  Reason = "incomplete"   // the pages do not add up to the API's total
	ReasonClient      Reason = "client"       // the request or this machine is wrong: the operator
)

// Reasons lists every Reason, so that each is exported from 0.
func Reasons() []Reason {
	return []Reason{
		ReasonAuth, ReasonForbidden, ReasonRateLimited, ReasonBreakerOpen, ReasonTimeout,
		ReasonNetwork, ReasonServer, ReasonBadResponse, ReasonIncomplete, ReasonClient,
	}
}

// Error is a failed operation on the API. Its text names the operation, what
// was wrong and, where somebody can act, what to do. It never quotes the
// answer, a token or a key.
type Error struct {
	Op     string // the operation, such as "list card customers, page 3"
	Reason Reason
	Status int    // the HTTP status, or 0 if there was none
	Detail string // what was wrong
}

func (e *Error) Error() string {
	if e.Op == "" {
		return e.Detail
	}
	return e.Op + ": " + e.Detail
}

// ReasonOf returns the reason of a failed refresh: that of the *Error in err's
// chain, ReasonTimeout for a deadline, ReasonClient for anything else.
func ReasonOf(err error) Reason {
	var apiErr *Error
	switch {
	case errors.As(err, &apiErr):
		return apiErr.Reason
	case errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	default:
		return ReasonClient
	}
}

// badResponse is an answer that breaks the documented envelope.
func badResponse(format string, args ...any) *Error {
	return &Error{Reason: ReasonBadResponse, Detail: fmt.Sprintf(format, args...)}
}

// statusError turns an HTTP status other than 2xx into an error.
func statusError(status int) *Error {
	answered := fmt.Sprintf("the API answered %d", status)
	e := &Error{Status: status, Detail: answered}
	switch {
	case status == http.StatusUnauthorized:
		e.Reason = ReasonAuth
		e.Detail += ": the credentials are refused; check YATIVO_API_KEY and YATIVO_API_SECRET, or YATIVO_ACCESS_TOKEN"
	case status == http.StatusForbidden:
		e.Reason = ReasonForbidden
		e.Detail += ": the key lacks a permission; grant it \"read\""
	case status == http.StatusTooManyRequests:
		e.Reason = ReasonRateLimited
		e.Detail += ": the key's quota is used up"
	case status == http.StatusNotFound:
		e.Reason = ReasonClient
		e.Detail += ": the program or the path does not exist; check YATIVO_BASE_URL and YATIVO_TOKEN_PATH"
	case status >= 500:
		e.Reason = ReasonServer
	case status >= 400:
		e.Reason = ReasonClient
		e.Detail += ": it does not accept the request"
	case status >= 300:
		e.Reason = ReasonBadResponse
		e.Detail += ": a redirect, which is never followed with a token; check YATIVO_BASE_URL"
	default:
		e.Reason = ReasonBadResponse
		e.Detail += ": not a status that carries an answer"
	}
	return e
}

// transportError turns an error of the HTTP transport, or of reading a body,
// into an Error. The original text is dropped, because net/http quotes what
// the other side sent; only facts about the failure itself are kept.
func transportError(err error) *Error {
	if apiErr, ok := errors.AsType[*Error](err); ok {
		return apiErr // of the transport's own hooks
	}
	var netErr net.Error
	if errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &netErr) && netErr.Timeout()) {
		return &Error{Reason: ReasonTimeout, Detail: "no whole answer within YATIVO_TIMEOUT"}
	}
	return &Error{Reason: ReasonNetwork, Detail: describeNetworkError(err)}
}

func describeNetworkError(err error) string {
	var (
		errno     syscall.Errno
		dnsErr    *net.DNSError
		opErr     *net.OpError
		hostErr   x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &dnsErr):
		return "the host name cannot be resolved; check YATIVO_BASE_URL and the DNS of this machine"
	case errors.As(err, &hostErr):
		return "the server's certificate is for another host name"
	case errors.As(err, &authority):
		return "the server's certificate is signed by an authority that this machine does not trust"
	case errors.As(err, &invalid):
		if invalid.Reason == x509.Expired {
			return "the server's certificate has expired or is not yet valid"
		}
		return "the server's certificate is not valid"
	case errors.As(err, &record):
		return "the server does not speak TLS; check the scheme and port of YATIVO_BASE_URL"
	case errors.As(err, &alert):
		return "the TLS handshake failed: " + alert.Error()
	case errors.As(err, &opErr) && (opErr.Op == "remote error" || opErr.Op == "local error"):
		return "the TLS handshake failed; check that this machine and the server agree on versions and certificates"
	case errors.As(err, &errno):
		what := errno.Error()
		if errors.As(err, &opErr) && opErr.Op == "proxyconnect" {
			what = "the proxy: " + what
		}
		return what
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection was closed in the middle of the answer"
	case errors.As(err, &opErr) && opErr.Op == "proxyconnect":
		return "the proxy cannot be used; check HTTPS_PROXY and NO_PROXY"
	case errors.Is(err, errReplay), strings.Contains(err.Error(), "server closed idle connection"):
		return "the connection was closed before the answer"
	default:
		return "the HTTP exchange failed: the other side does not speak HTTP as expected"
	}
}
