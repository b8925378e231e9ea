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

// errorBody is what is read of an error's body.
type errorBody struct {
	origin     errorOrigin
	retryAfter float64 // seconds, or 0
}

// parseErrorBody reads the body of an error. The API's own forms have an error,
// a message or a success: false.
func parseErrorBody(raw []byte) errorBody {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return errorBody{}
	}
	body := errorBody{origin: originElsewhere}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return body
	}
	for _, name := range []string{"error", "message", "success"} {
		if _, ok := members[name]; ok {
			body.origin = originAPI
		}
	}
	if json.Unmarshal(members["retry_after"], &body.retryAfter) != nil {
		body.retryAfter = 0
	}
	return body
}
