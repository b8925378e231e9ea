package apiclient

import (
	"bytes"
	"encoding/json"
)

// errorOrigin is who wrote the body of an error.
type errorOrigin int

const (
	originUnknown   errorOrigin = iota // there is no body
	originAPI                          // an error in the API's own form
	originElsewhere                    // such as a proxy's or a CDN's web page
)

// parseErrorBody reads the body of an error, and how many seconds it asks to
// wait. The API's own forms have an error, a message or a success: false.
func parseErrorBody(raw []byte) (origin errorOrigin, retryAfter float64) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return originUnknown, 0
	}
	var body struct {
		Error, Message, Success json.RawMessage
		RetryAfter              json.RawMessage `json:"retry_after"`
	}
	if json.Unmarshal(raw, &body) != nil || body.Error == nil && body.Message == nil && body.Success == nil {
		origin = originElsewhere
	} else {
		origin = originAPI
	}
	_ = json.Unmarshal(body.RetryAfter, &retryAfter) // 0 if it is no number
	return origin, retryAfter
}
