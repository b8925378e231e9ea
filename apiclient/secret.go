package apiclient

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

const redacted = "[redacted]"

// Secret is a credential, given as a value or as the path of a file that holds
// it. It shows itself as "[redacted]" in every format, JSON and log, so that a
// printed configuration cannot leak it. It is behind a function, because fmt
// prints the unexported fields of structs without asking them. The zero value
// is no secret.
type Secret struct {
	read func() (string, error)
}

// SecretValue is a secret that is known now; a blank one is no secret.
func SecretValue(value string) Secret {
	if value = strings.TrimSpace(value); value == "" {
		return Secret{}
	}
	return Secret{func() (string, error) { return value, nil }}
}

// SecretFile is a secret that is read from a file whenever it is needed, so
// that a rotation needs no restart.
func SecretFile(path string) Secret {
	return Secret{func() (string, error) { return readSecret(path) }}
}

func readSecret(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err
		}
		return "", fmt.Errorf("the secret's file cannot be read: %w", err)
	}
	value := strings.TrimSpace(string(raw))
	if value == "" {
		return "", errors.New("the secret's file is empty")
	}
	return value, nil
}

// IsSet reports whether there is a secret at all.
func (s Secret) IsSet() bool { return s.read != nil }

// Reveal returns the secret itself. The error names the failure of its file,
// never what is in it.
func (s Secret) Reveal() (string, error) {
	if s.read == nil {
		return "", errors.New("there is no secret")
	}
	value, err := s.read()
	if err != nil {
		return "", err
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return "", errors.New("the secret holds a line break or a character beyond ASCII, which no HTTP header can carry")
	}
	return value, nil
}

// Format implements fmt.Formatter, so that no verb shows the fields.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler, which JSON and logs use too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
