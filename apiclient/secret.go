package apiclient

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
)

const redacted = "[redacted]"

// Secret is a credential, given as a value or as the path of a file that holds
// it. It shows itself as "[redacted]" in every format, JSON and log, so that a
// printed configuration cannot leak it. The zero value is no secret.
type Secret struct {
	value string
	path  string
}

// SecretValue is a secret that is known now.
func SecretValue(value string) Secret { return Secret{value: value} }

// SecretFile is a secret that is read from a file whenever it is needed, so
// that a rotation needs no restart.
func SecretFile(path string) Secret { return Secret{path: path} }

// IsSet reports whether there is a secret at all.
func (s Secret) IsSet() bool { return s.value != "" || s.path != "" }

// Reveal returns the secret itself, reading and trimming the file if it comes
// from one. The error names the file's failure, never what is in it.
func (s Secret) Reveal() (string, error) {
	value := s.value
	if s.path != "" {
		raw, err := os.ReadFile(s.path)
		if err != nil {
			var pathErr *fs.PathError
			if errors.As(err, &pathErr) {
				err = pathErr.Err
			}
			return "", fmt.Errorf("the secret's file cannot be read: %w", err)
		}
		value = strings.TrimSpace(string(raw))
		if value == "" {
			return "", errors.New("the secret's file is empty")
		}
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return "", errors.New("the secret holds a line break or a character beyond ASCII, which no HTTP header can carry")
	}
	return value, nil
}

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// Format implements fmt.Formatter, so that no verb shows the fields.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler, which JSON uses too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
