package sandbox

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// tokens are the access tokens that are alive, and the key that mints them.
type tokens struct {
	seed, minted uint64
	key, secret  string
	expiry       map[string]time.Duration // since New
}

// mint makes a token, and forgets those that have expired.
func (t *tokens) mint(now, ttl time.Duration) string {
	maps.DeleteFunc(t.expiry, func(_ string, at time.Duration) bool { return at <= now })
	t.minted++
	var random [24]byte
	for i := range 3 {
		binary.BigEndian.PutUint64(random[8*i:], mix(t.seed+uint64(3+i), t.minted))
	}
	token := "eyJ" + base64.RawURLEncoding.EncodeToString(random[:])
	t.expiry[token] = now + ttl
	return token
}

// authorized reports whether the request bears a token that is alive.
func (s *Sandbox) authorized(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.advance()
	return s.tokens.expiry[bearer(r)] > now
}

func (s *Sandbox) serveToken(w http.ResponseWriter, r *http.Request) {
	var credentials struct {
		Key    string `json:"api_key"`
		Secret string `json:"api_secret"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&credentials); err != nil {
		fail(w, http.StatusBadRequest, "invalid_request", "The body must be a JSON object with api_key and api_secret.")
		return
	}
	s.mu.Lock()
	valid := credentials.Key == s.tokens.key && credentials.Secret == s.tokens.secret
	var token string
	var expires time.Time
	if valid {
		now := s.advance()
		token = s.tokens.mint(now, s.options.TokenTTL)
		expires = s.start.Add(now + s.options.TokenTTL)
	}
	s.mu.Unlock()
	if !valid {
		fail(w, http.StatusUnauthorized, "invalid_credentials", "The API key or secret is wrong.")
		return
	}
	send(w, http.StatusOK, fmt.Appendf(nil, `{"success":true,"access_token":"%s","token_type":"Bearer","expires_in":%d,`+
		`"expires_at":"%s","scopes":["read"],"refresh_recommendation":{"refresh_before_seconds":300,"auto_refresh_enabled":true}}`,
		token, int(s.options.TokenTTL.Seconds()), expires.UTC().Format(createdLayout)))
}
