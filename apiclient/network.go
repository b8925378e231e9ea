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
func transportError(err error) *Error {
	if apiErr, ok := errors.AsType[*Error](err); ok {
		return apiErr // of the transport's own hooks
	}
	var netErr net.Error
	if errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &netErr) && netErr.Timeout()) {
		return &Error{Reason: ReasonTimeout, Detail: "no whole answer within the timeout", Hint: HintTimeout}
	}
	detail, hint := describeNetworkError(err)
	return &Error{Reason: ReasonNetwork, Detail: detail, Hint: hint}
}

func describeNetworkError(err error) (detail string, hint Hint) {
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
		return "the host name cannot be resolved", HintHost
	case errors.As(err, &hostErr):
		return "the server's certificate is for another host name", ""
	case errors.As(err, &authority):
		return "the server's certificate is signed by an authority that this machine does not trust", ""
	case errors.As(err, &invalid):
		if invalid.Reason == x509.Expired {
			return "the server's certificate has expired or is not yet valid", ""
		}
		return "the server's certificate is not valid", ""
	case errors.As(err, &record):
		return "the server does not speak TLS", HintScheme
	case errors.As(err, &alert):
		return "the TLS handshake failed: " + alert.Error(), ""
	case errors.As(err, &opErr) && (opErr.Op == "remote error" || opErr.Op == "local error"):
		return "the TLS handshake failed; check that this machine and the server agree on versions and certificates", ""
	case errors.As(err, &errno):
		what := errno.Error()
		if errors.As(err, &opErr) && opErr.Op == "proxyconnect" {
			what = "the proxy: " + what
		}
		return what, ""
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection was closed in the middle of the answer", ""
	case errors.As(err, &opErr) && opErr.Op == "proxyconnect":
		return "the proxy cannot be used; check HTTPS_PROXY and NO_PROXY", ""
	case errors.Is(err, errReplay), strings.Contains(err.Error(), "server closed idle connection"):
		return "the connection was closed before the answer", ""
	default:
		return "the HTTP exchange failed: the other side does not speak HTTP as expected", ""
	}
}
