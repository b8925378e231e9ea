package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"yativo-card-exporter/internal/sandbox"
)

// mint asks for a token.
func mint(t *testing.T, s *sandbox.Sandbox, key, secret string) reply {
	t.Helper()
	body := fmt.Sprintf(`{"api_key":%q,"api_secret":%q}`, key, secret)
	return do(t, s, http.MethodPost, sandbox.BasePath+"/auth/token", "", body)
}

func token(t *testing.T, r reply) string {
	t.Helper()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil || r.code != 200 || answer.Token == "" {
		t.Fatalf("no token: status %d, %v: %s", r.code, err, r.body)
	}
	return answer.Token
}

func TestTokenAnswer(t *testing.T) {
	c := newClock()
	s := sandbox.New(sandbox.Options{Now: c.Now, TokenTTL: 30 * time.Minute})
	r := mint(t, s, sandbox.DefaultAPIKey, sandbox.DefaultAPISecret)
	want := `{"success":true,"access_token":"` + token(t, r) + `","token_type":"Bearer","expires_in":1800,` +
		`"expires_at":"2026-05-01T12:30:00.000Z","scopes":["read"],` +
		`"refresh_recommendation":{"refresh_before_seconds":300,"auto_refresh_enabled":true}}`
	if r.body != want {
		t.Errorf("got\n%s\nwant\n%s", r.body, want)
	}
}

func TestTokensLiveAndDie(t *testing.T) {
	c := newClock()
	s := sandbox.New(sandbox.Options{Now: c.Now, APIKey: "k", APISecret: "s"})
	first := token(t, mint(t, s, "k", "s"))
	second := token(t, mint(t, s, "k", "s"))
	if first == second {
		t.Fatal("a token was minted twice")
	}
	expect := func(what, bearer string, want int) {
		t.Helper()
		if r := do(t, s, http.MethodGet, customersPath, bearer, ""); r.code != want {
			t.Errorf("%s: status %d, want %d: %s", what, r.code, want, r.body)
		}
	}
	expect("no token", "", 401)
	expect("a token that was never minted", "eyJx", 401)
	expect("a live token", first, 200)
	c.add(time.Hour - time.Nanosecond)
	expect("a token in its last moment", first, 200)
	c.add(time.Nanosecond)
	expect("an expired token", first, 401)

	third := token(t, mint(t, s, "k", "s"))
	s.RotateKey("k2", "s2")
	expect("a token of a rotated key", third, 200)
	if r := mint(t, s, "k", "s"); r.code != 401 {
		t.Errorf("the former key mints: status %d", r.code)
	}
	s.RevokeTokens()
	expect("a revoked token", third, 401)
	expect("a token of the new key", token(t, mint(t, s, "k2", "s2")), 200)
	expect("a token without a request", s.MintToken(), 200)
}

func TestTokenRequestIsChecked(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	for body, want := range map[string]int{
		"": 400, "x": 400, `[]`: 400, `{}`: 401,
		`{"api_key":"yativo_sandbox_key","api_secret":"wrong"}`:    401,
		`{"api_key":"wrong","api_secret":"yativo_sandbox_secret"}`: 401,
	} {
		if r := do(t, s, http.MethodPost, sandbox.BasePath+"/auth/token", "", body); r.code != want {
			t.Errorf("%q: status %d, want %d: %s", body, r.code, want, r.body)
		}
	}
}
