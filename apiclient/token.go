package apiclient

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"
)

const (
	// refreshAhead is how long before its expiry a token is replaced.
	refreshAhead = 5 * time.Minute
	// defaultLifetime is that of a token whose answer names none, as the
	// API documents it; maxLifetime caps one that names an absurd one.
	defaultLifetime = time.Hour
	maxLifetime     = 24 * time.Hour
	// mintAgainAfter spaces attempts to replace a token that still works.
	mintAgainAfter = 30 * time.Second
	// maxTokenBody caps the token endpoint's answer.
	maxTokenBody = 256 << 10
)

// tokenSource hands out access tokens: the static one that somebody else keeps
// fresh, or else the latest that was minted with the API key.
type tokenSource struct {
	client *Client

	minting chan struct{} // guards what follows; held while a mint is in flight
	minted  mintedToken
	renewAt time.Time
}

type mintedToken struct {
	text    string
	expires time.Time
}

// get returns a token other than the refused one, or that itself if there is no
// other. Those who come while one is minted wait for it, so there is never more
// than one mint.
func (t *tokenSource) get(ctx context.Context, refused string) (string, error) {
	if static := t.client.options.AccessToken; static.IsSet() {
		return reveal("read the access token", static, HintAccessToken)
	}
	select {
	case t.minting <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-t.minting }()
	if refused != "" && refused == t.minted.text {
		t.minted, t.renewAt = mintedToken{}, time.Time{}
	}
	if time.Now().Before(t.renewAt) {
		return t.minted.text, nil
	}
	fresh, err := t.client.mint(ctx)
	now := time.Now()
	switch {
	case err == nil:
		t.minted = fresh
		t.renewAt = fresh.expires.Add(-min(refreshAhead, fresh.expires.Sub(now)/5))
		t.client.metrics.tokenExpiry.WithLabelValues().Set(float64(fresh.expires.Unix()))
	case now.Before(t.minted.expires):
		t.renewAt = now.Add(mintAgainAfter) // the old token has a while to live
	default:
		return "", err
	}
	return t.minted.text, nil
}

func reveal(op string, secret Secret, hint Hint) (string, error) {
	text, err := secret.Reveal()
	if err != nil {
		return "", &Error{Op: op, Reason: ReasonClient, Detail: err.Error(), Hint: hint}
	}
	return text, nil
}

// mint asks the token endpoint for a token.
func (c *Client) mint(ctx context.Context) (fresh mintedToken, err error) {
	const op = "mint an access token"
	key, err := reveal(op, c.options.APIKey, HintAPIKey)
	if err != nil {
		return fresh, err
	}
	secret, err := reveal(op, c.options.APISecret, HintAPISecret)
	if err != nil {
		return fresh, err
	}
	payload, err := json.Marshal(map[string]string{"api_key": key, "api_secret": secret})
	if err != nil {
		return fresh, err
	}
	sent := time.Now()
	err = c.call(ctx, request{
		op:       op,
		endpoint: endpointToken,
		url:      c.options.BaseURL.JoinPath(c.options.TokenPath).String(),
		payload:  payload,
		decode: func(body io.Reader) (err error) {
			fresh, err = decodeToken(body, sent)
			return err
		},
	})
	return fresh, err
}

// tokenAnswer is what is read of the token endpoint's answer. What only tells
// the lifetime is kept raw, because a token without it is still a token.
type tokenAnswer struct {
	Success     *bool           `json:"success"`
	AccessToken string          `json:"access_token"`
	ExpiresIn   json.RawMessage `json:"expires_in"`
	ExpiresAt   json.RawMessage `json:"expires_at"`
}

// decodeToken reads the token endpoint's answer to a request sent then.
func decodeToken(body io.Reader, sent time.Time) (token mintedToken, err error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxTokenBody+1))
	if err != nil {
		return token, err
	}
	if len(raw) > maxTokenBody {
		return token, badResponse("the answer is larger than %d KiB, far beyond a token", maxTokenBody>>10)
	}
	var answer tokenAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return token, &Error{Reason: ReasonBadResponse, Detail: "the answer is not the documented JSON object", Hint: HintTokenPath}
	}
	if answer.Success != nil && !*answer.Success {
		return token, badResponse("the answer says success: false")
	}
	if answer.AccessToken == "" {
		return token, &Error{Reason: ReasonBadResponse, Detail: "the answer holds no access_token", Hint: HintTokenPath}
	}
	if strings.ContainsFunc(answer.AccessToken, func(r rune) bool { return r <= 0x20 || r > 0x7e }) {
		return token, badResponse("the answer's access_token is not one that an HTTP header can carry")
	}
	return mintedToken{answer.AccessToken, sent.Add(answer.lifetime(sent))}, nil
}

// lifetime is how long the token lives from then on, by expires_in, else by
// expires_at, else as documented; at least a second, so that no answer makes
// every page mint. A token that is said to be dead already is taken to live as
// documented too: if it is dead, the API says so with a 401.
func (a tokenAnswer) lifetime(sent time.Time) time.Duration {
	var seconds float64
	if json.Unmarshal(a.ExpiresIn, &seconds) == nil && seconds > 0 {
		return time.Duration(max(1, min(seconds, maxLifetime.Seconds())) * float64(time.Second))
	}
	var at time.Time
	if json.Unmarshal(a.ExpiresAt, &at) == nil && at.After(sent) {
		return min(at.Sub(sent), maxLifetime)
	}
	return defaultLifetime
}
