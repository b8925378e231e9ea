package apiclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// transportError turns an error of the HTTP transport, or of reading a body,
// into an Error. The original text is dropped, because net/http quotes what
// the other side sent; only facts about the failure itself are kept.
func transportError(err error, waitsForProxy bool) *Error {
	if apiErr, ok := errors.AsType[*Error](err); ok {
		return apiErr // of the transport's own hooks
	}
	if waitsForProxy {
		e := describeNetworkError(err, "the proxy")
		if !strings.HasPrefix(e.Detail, "the proxy") {
			e.Detail = "the proxy: " + e.Detail
		}
		e.Detail += "; check HTTPS_PROXY and NO_PROXY"
		e.Hint = ""
		return e
	}
	return describeNetworkError(err, "the server")
}

// streamReset has the form of net/http's own error for a reset HTTP/2 stream,
// which it can be taken for.
type streamReset struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (streamReset) Error() string { return "HTTP/2 stream reset" }

// describeNetworkError says what went wrong between here and the peer.
func describeNetworkError(err error, peer string) *Error {
	var (
		netErr    net.Error
		errno     syscall.Errno
		dnsErr    *net.DNSError
		opErr     *net.OpError
		hostErr   x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		reset     streamReset
	)
	e := &Error{Reason: ReasonNetwork}
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout():
		e.Reason, e.Detail, e.Hint = ReasonTimeout, "no whole answer within the timeout", HintTimeout
	case errors.As(err, &dnsErr):
		e.Detail, e.Hint = "the host name cannot be resolved", HintHost
	case errors.As(err, &hostErr):
		e.Detail = peer + "'s certificate is for another host name"
	case errors.As(err, &authority):
		e.Detail = peer + "'s certificate is signed by an authority that this machine does not trust"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Detail = peer + "'s certificate has expired or is not yet valid"
	case errors.As(err, &invalid):
		e.Detail = peer + "'s certificate is not valid"
	case errors.As(err, &record):
		e.Detail, e.Hint = peer+" does not speak TLS", HintScheme
	case errors.As(err, &alert):
		e.Detail = "the TLS handshake failed: " + alert.Error()
	case errors.As(err, &opErr) && (opErr.Op == "remote error" || opErr.Op == "local error"):
		e.Detail = "the TLS handshake failed; check that this machine and the server agree on versions and certificates"
	case errors.As(err, &errno):
		e.Detail = errno.Error()
	case errors.As(err, &reset):
		e.Detail = peer + " reset the HTTP/2 stream"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		e.Detail = "the connection was closed in the middle of the answer"
	case errors.Is(err, errReplay), strings.Contains(err.Error(), "server closed idle connection"), strings.Contains(err.Error(), "GOAWAY"):
		e.Detail = "the connection was closed before the answer"
	default:
		e.Detail = "the HTTP exchange failed: the other side does not speak HTTP as expected"
	}
	return e
}
