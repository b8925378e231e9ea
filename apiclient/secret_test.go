package apiclient_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yativo-card-exporter/apiclient"
)

const planted = "planted-s3cret"

// White space around a secret is not part of it, wherever it comes from.
func TestSecretIsTrimmed(t *testing.T) {
	if secret, err := apiclient.SecretValue(" " + planted + "\r\n").Reveal(); secret != planted || err != nil {
		t.Errorf("it is %q, %v", secret, err)
	}
	if apiclient.SecretValue(" \n").IsSet() {
		t.Error("a blank value is a secret")
	}
}

func TestSecretShowsItselfNowhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "planted-path")
	if err := os.WriteFile(path, []byte(planted), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]apiclient.Secret{
		"value": apiclient.SecretValue(planted), "file": apiclient.SecretFile(path),
	} {
		t.Run(name, func(t *testing.T) {
			exported := struct{ Secret apiclient.Secret }{secret}
			// fmt reads an unexported field's fields without asking its methods.
			unexported := struct{ secret apiclient.Secret }{secret}
			var shown []string
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%p", "%T", "%b", "%t", "%c"} {
				for _, value := range []any{secret, &secret, exported, &exported, unexported, &unexported, []any{secret}, map[string]any{"k": secret}} {
					shown = append(shown, fmt.Sprintf(verb, value))
				}
			}
			for _, value := range []any{secret, &secret, exported, unexported} {
				text, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				shown = append(shown, string(text))
				var b bytes.Buffer
				slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "secret", value)
				slog.New(slog.NewTextHandler(&b, nil)).Info("m", "secret", value, slog.Group("g", "s", value))
				shown = append(shown, b.String())
			}
			for _, text := range shown {
				for _, leak := range []string{planted, fmt.Sprintf("%x", planted), fmt.Sprintf("%X", planted), "planted-path"} {
					if strings.Contains(text, leak) {
						t.Errorf("the secret shows itself: %s", text)
					}
				}
			}
		})
	}
}

func TestSecretIsReadWhenNeeded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	secret := apiclient.SecretFile(path)
	if _, err := secret.Reveal(); err == nil || strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
	for _, c := range []struct{ content, want, problem string }{
		{"one\n", "one", ""},
		{"  two \r\n", "two", ""},
		{" \n", "", "is empty"},
		{"three\nfour", "", "line break"},
		{"f\x00", "", "line break"},
		{"schlüssel", "", "beyond ASCII"},
	} {
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := secret.Reveal()
		if got != c.want || (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%q: got %q and %v, want %q and %q", c.content, got, err, c.want, c.problem)
		}
		if err != nil && strings.Contains(err.Error(), "schl") {
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
	if apiclient.SecretValue("").IsSet() || !secret.IsSet() || !apiclient.SecretValue("x").IsSet() {
		t.Error("IsSet is wrong")
	}
}
