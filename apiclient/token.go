package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
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
)

// tokenSource provides access tokens.
type tokenSource interface {
	// token returns a token that should work.
	token(ctx context.Context) (string, error)
	// renew returns a token other than the refused one, or refused itself if
	// there is no other.
	renew(ctx context.Context, refused string) (string, error)
}

// staticToken is a token that somebody else keeps fresh.
type staticToken struct{ secret Secret }

func (t staticToken) token(context.Context) (string, error) {
	token, err := t.secret.Reveal()
	if err != nil {
		return "", &Error{Op: "read the access token", Reason: ReasonClient, Detail: err.Error(), Hint: HintAccessToken}
	}
	return token, nil
}

func (t staticToken) renew(ctx context.Context, _ string) (string, error) { return t.token(ctx) }

// mintedToken mints tokens with the API key and keeps the latest.
type mintedToken struct {
	key, secret Secret
	mint        func(ctx context.Context, key, secret string) (minted, error)
	metrics     *metrics

	minting chan struct{} // guards what follows; held while a mint is in flight
	current minted
	renewAt time.Time
}

// minted is the answer of the token endpoint.
type minted struct {
	token   string
	expires time.Time
}

func newMintedToken(key, secret Secret, m *metrics, mint func(context.Context, string, string) (minted, error)) *mintedToken {
	return &mintedToken{key: key, secret: secret, mint: mint, metrics: m, minting: make(chan struct{}, 1)}
}

func (t *mintedToken) token(ctx context.Context) (string, error) {
	return t.currentOrNew(ctx, func(now time.Time) bool { return now.Before(t.renewAt) })
}

func (t *mintedToken) renew(ctx context.Context, refused string) (string, error) {
	return t.currentOrNew(ctx, func(time.Time) bool {
		if t.current.token == refused {
			t.current, t.renewAt = minted{}, time.Time{}
		}
		return t.current.token != "" // somebody else has renewed it meanwhile
	})
}

// currentOrNew returns the current token if isGood says so, else a new one. Those who come
// while one is minted wait for it, so there is never more than one mint.
func (t *mintedToken) currentOrNew(ctx context.Context, isGood func(now time.Time) bool) (string, error) {
	select {
	case t.minting <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-t.minting }()
	if isGood(time.Now()) {
		return t.current.token, nil
	}
	err := t.replace(ctx)
	if now := time.Now(); err != nil && now.Before(t.current.expires) {
		t.renewAt = now.Add(mintAgainAfter) // the old token has a while to live
		return t.current.token, nil
	}
	return t.current.token, err
}

func (t *mintedToken) replace(ctx context.Context) error {
	key, err := t.key.Reveal()
	if err != nil {
		return secretError(HintAPIKey, err)
	}
	secret, err := t.secret.Reveal()
	if err != nil {
		return secretError(HintAPISecret, err)
	}
	sent := time.Now()
	fresh, err := t.mint(ctx, key, secret)
	if err != nil {
		return err
	}
	t.current = fresh
	lifetime := fresh.expires.Sub(sent)
	t.renewAt = fresh.expires.Add(-min(refreshAhead, lifetime/5))
	t.metrics.tokenExpiry.WithLabelValues().Set(float64(fresh.expires.Unix()))
	return nil
}

func secretError(hint Hint, err error) error {
	return &Error{Op: opMint, Reason: ReasonClient, Detail: err.Error(), Hint: hint}
}

const opMint = "mint an access token"

// mintToken asks the token endpoint for a token.
func (c *Client) mintToken(ctx context.Context, key, secret string) (minted, error) {
	payload, err := json.Marshal(map[string]string{"api_key": key, "api_secret": secret})
	if err != nil {
		return minted{}, err
	}
	sent := time.Now()
	var answer minted
	err = c.call(ctx, request{
		op:       opMint,
		endpoint: endpointToken,
		build: func(ctx context.Context) (*http.Request, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.tokenURL, bytes.NewReader(payload))
			if err == nil {
				req.Header.Set("Content-Type", "application/json")
			}
			return req, err
		},
		decode: func(body io.Reader) (err error) {
			answer, err = decodeToken(body, sent)
			return err
		},
	})
	return answer, err
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
func decodeToken(body io.Reader, sent time.Time) (minted, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxTokenBody+1))
	if err != nil {
		return minted{}, err
	}
	if len(raw) > maxTokenBody {
		return minted{}, badResponse("the answer is larger than %d KiB, far beyond a token", maxTokenBody>>10)
	}
	var answer tokenAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return minted{}, &Error{Reason: ReasonBadResponse, Detail: "the answer is not the documented JSON object", Hint: HintTokenPath}
	}
	if answer.Success != nil && !*answer.Success {
		return minted{}, badResponse("the answer says success: false")
	}
	if answer.AccessToken == "" {
		return minted{}, &Error{Reason: ReasonBadResponse, Detail: "the answer holds no access_token", Hint: HintTokenPath}
	}
	if strings.ContainsFunc(answer.AccessToken, func(r rune) bool { return r <= 0x20 || r > 0x7e }) {
		return minted{}, badResponse("the answer's access_token is not one that an HTTP header can carry")
	}
	return minted{token: answer.AccessToken, expires: sent.Add(answer.lifetime(sent))}, nil
}

// maxTokenBody caps the token endpoint's answer.
const maxTokenBody = 256 << 10

// lifetime is how long the token lives from then on, by expires_in, else by
// expires_at, else as documented; at least a second, so that no answer makes
// every page mint. A token that is said to be dead already is
// taken to live as documented too: if it is dead, the API says so with a 401.
func (a tokenAnswer) lifetime(sent time.Time) time.Duration {
	var seconds float64
	var at time.Time
	lifetime := defaultLifetime
	if json.Unmarshal(a.ExpiresIn, &seconds) == nil && seconds > 0 {
		lifetime = time.Duration(max(1, min(seconds, maxLifetime.Seconds())) * float64(time.Second))
	} else if json.Unmarshal(a.ExpiresAt, &at) == nil && at.After(sent) {
		lifetime = min(at.Sub(sent), maxLifetime)
	}
	return lifetime
}

// refused reports whether err is the API's 401.
func refused(err error) bool {
	apiErr, ok := errors.AsType[*Error](err)
	return ok && apiErr.Status == http.StatusUnauthorized
}
