package mllm

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const redacted = secret.Redacted

// Key is an API key. Whatever prints, formats, logs or marshals it gets "[redacted]"; only
// Authorize writes the key itself, into the header of a request.
type Key struct{ secret string }

// KeyFromEnv reads the key from the named environment variable. An empty name means no key.
// A named variable that is unset or empty is an error of the user.
func KeyFromEnv(name string) (Key, error) {
	if name == "" {
		return Key{}, nil
	}
	value := strings.TrimSpace(os.Getenv(name))
	if value == "" {
		return Key{}, usererr.New("Set "+name+" to the API key of the server. Keys are read from the environment only.",
			"environment variable %s is not set", name)
	}
	for _, c := range []byte(value) {
		if c <= ' ' || c >= 0x7f {
			return Key{}, usererr.New("Copy the key again, without spaces, quotes or line breaks.",
				"environment variable %s holds a character that no API key may have", name)
		}
	}
	secret.Register(value)
	return Key{value}, nil
}

// Authorize adds the key to h as a bearer token; without a key it does nothing.
func (k Key) Authorize(h http.Header) {
	if k.secret != "" {
		h.Set("Authorization", "Bearer "+k.secret)
	}
}

// Redact returns s with every occurrence of the key replaced, however it is written. Of a
// key too short to be looked for everywhere it replaces the letters as they are: that is for
// errors, not for answers, of which it may be a word.
func (k Key) Redact(s string) string {
	s = secret.Redact(s)
	if k.secret != "" && len(k.secret) < secret.Shortest {
		s = strings.ReplaceAll(s, k.secret, redacted)
	}
	return s
}

// String returns "[redacted]", never the key.
func (k Key) String() string { return redacted }

// Format writes "[redacted]" for every verb, %#v and %x included.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue keeps the key out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the key out of JSON and YAML.
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
