package apiclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
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

// Hint is what may mend an error. Its words belong to whoever knows what the
// settings are called: see [Options.Advice].
type Hint string

// The hints, each with the [Options] to look at.
const (
	HintCredentials Hint = "credentials"  // APIKey, APISecret, AccessToken
	HintAPIKey      Hint = "api_key"      // APIKey cannot be read
	HintAPISecret   Hint = "api_secret"   // APISecret cannot be read
	HintAccessToken Hint = "access_token" // AccessToken cannot be read
	HintBaseURL     Hint = "base_url"     // BaseURL
	HintScheme      Hint = "scheme"       // the scheme and port of BaseURL
	HintHost        Hint = "host"         // the host of BaseURL, and who resolves it
	HintBetween     Hint = "between"      // BaseURL, and what stands between here and there
	HintTokenPath   Hint = "token_path"   // TokenPath
	HintPaths       Hint = "paths"        // BaseURL and TokenPath
	HintTimeout     Hint = "timeout"      // Timeout
)

// Hints lists every Hint.
func Hints() []Hint {
	return []Hint{
		HintCredentials, HintAPIKey, HintAPISecret, HintAccessToken, HintBaseURL, HintScheme,
		HintHost, HintBetween, HintTokenPath, HintPaths, HintTimeout,
	}
}

// Error is a failed operation on the API. Its text names the operation, what
// was wrong and, where somebody can act, what to do. It never quotes the
// answer, a token or a key.
type Error struct {
	Op     string // the operation, such as "list card customers, page 3"
	Reason Reason
	Status int           // the HTTP status, or 0 if there was none
	Wait   time.Duration // that the API asks for, or 0
	Detail string        // what was wrong
	Hint   Hint          // what may mend it, or ""
	Advice string        // the words for Hint, or ""
}

func (e *Error) Error() string {
	text := e.Detail
	if e.Op != "" {
		text = e.Op + ": " + text
	}
	if e.Advice != "" {
		text += "; " + e.Advice
	}
	return text
}

// ReasonOf returns the reason of a failed refresh: that of the *Error in err's
// chain, ReasonTimeout for a deadline, ReasonClient for anything else.
func ReasonOf(err error) Reason {
	if apiErr, ok := errors.AsType[*Error](err); ok {
		return apiErr.Reason
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return ReasonTimeout
	}
	return ReasonClient
}

// badResponse is an answer that breaks the documented envelope.
func badResponse(format string, args ...any) *Error {
	return &Error{Reason: ReasonBadResponse, Detail: fmt.Sprintf(format, args...)}
}

// statusError turns an HTTP status other than 2xx into an error. Only the API
// itself can say that the credentials or their permissions are at fault.
func statusError(status int, origin errorOrigin, wait time.Duration) *Error {
	e := &Error{Status: status, Wait: wait, Detail: fmt.Sprintf("the API answered %d", status)}
	meaning := ""
	switch {
	case status == http.StatusTooManyRequests:
		e.Reason, meaning = ReasonRateLimited, ": the key's quota is used up"
	case status == http.StatusForbidden && wait > 0:
		e.Reason, meaning = ReasonRateLimited, " and asks to wait"
	case status == http.StatusForbidden && origin != originAPI, status == http.StatusUnauthorized && origin == originElsewhere:
		e.Reason, e.Hint, meaning = ReasonBadResponse, HintBetween, ", but not in its own form"
	case status == http.StatusUnauthorized:
		e.Reason, e.Hint, meaning = ReasonAuth, HintCredentials, ": the credentials are refused"
	case status == http.StatusForbidden:
		e.Reason, meaning = ReasonForbidden, ": the key lacks a permission; grant it \"read\""
	case status == http.StatusNotFound:
		e.Reason, e.Hint, meaning = ReasonClient, HintPaths, ": the program or the path does not exist"
	case status == http.StatusRequestTimeout: // of what stands between, as a rule
		e.Reason = ReasonTimeout
	case status >= 500:
		e.Reason = ReasonServer
	case status >= 400:
		e.Reason, meaning = ReasonClient, ": it does not accept the request"
	case status >= 300:
		e.Reason, e.Hint, meaning = ReasonBadResponse, HintBaseURL, ": a redirect, which is never followed"
	default:
		e.Reason, meaning = ReasonBadResponse, ": a status that carries no answer"
	}
	e.Detail += meaning
	return e
}
