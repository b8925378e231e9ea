package apiclient

import (
	"bytes"
	"encoding/json"
	"strings"
)

// errorOrigin is who wrote the body of an error.
type errorOrigin int

const (
	originUnknown   errorOrigin = iota // nothing tells it
	originAPI                          // an error in the API's own form
	originElsewhere                    // such as a proxy's or a CDN's web page
)

// parseErrorBody reads the body of an error, and how many seconds it asks to
// wait. The API's own forms have an error, a success: false, or a status:
// "error". A message alone is what gateways send too.
func parseErrorBody(raw []byte) (origin errorOrigin, retryAfter float64) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return originUnknown, 0
	}
	var body struct {
		Error, Message, Success, Status json.RawMessage
		RetryAfter                      json.RawMessage `json:"retry_after"`
	}
	switch err := json.Unmarshal(raw, &body); {
	case err == nil && (body.Error != nil || body.Success != nil || string(body.Status) == `"error"`):
		origin = originAPI
	case err != nil || body.Message == nil:
		origin = originElsewhere
	}
	if seconds, ok := parseNumber(strings.Trim(string(body.RetryAfter), `"`)); ok {
		retryAfter = seconds
	}
	return origin, retryAfter
}
