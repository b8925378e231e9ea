// Package apiclient reads the customers of a Yativo card program.
//
// A [Client] walks the list page by page (walk.go), each page being one call
// (call.go) that waits for the rate limiter (ratelimit.go), passes the circuit
// breaker (breaker.go) and carries an access token (token.go). What comes back
// is read into declared fields (page.go, rowfields.go), of which a broken one
// spoils only itself. Every failure is an [*Error] with a [Reason], perhaps a
// [Hint], and without a word of what the API sent.
package apiclient
