package mllm

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

const redacted = "[redacted]"

// Key is an API key. Whatever prints, formats, logs or marshals it gets "[redacted]"; only
// Authorize writes the key itself, into the header of a request.
type Key struct{ secret string }

// KeyFromEnv reads the key from the named environment variable. An empty name means no key.
// A named variable that is unset or empty is an error of the user.
func KeyFromEnv(name string) (Key, error) {
	if name == "" {
		return Key{}, nil
	}
	secret := strings.TrimSpace(os.Getenv(name))
	if secret == "" {
		return Key{}, usererr.New("Set "+name+" to the API key of the server. Keys are read from the environment only.",
			"environment variable %s is not set", name)
	}
	for _, c := range []byte(secret) {
		if c <= ' ' || c >= 0x7f {
			return Key{}, usererr.New("Copy the key again, without spaces, quotes or line breaks.",
				"environment variable %s holds a character that no API key may have", name)
		}
	}
	return Key{secret}, nil
}

// Authorize adds the key to h as a bearer token; without a key it does nothing.
func (k Key) Authorize(h http.Header) {
	if k.secret != "" {
		h.Set("Authorization", "Bearer "+k.secret)
	}
}

// Redact returns s with every occurrence of the key replaced, also where it is escaped for
// JSON or for a URL.
func (k Key) Redact(s string) string {
	if k.secret == "" {
		return s
	}
	quoted, _ := json.Marshal(k.secret) // a string always marshals
	for _, form := range []string{k.secret, string(quoted[1 : len(quoted)-1]), url.QueryEscape(k.secret), url.PathEscape(k.secret)} {
		s = strings.ReplaceAll(s, form, redacted)
	}
	return s
}

// RedactAnswer replaces the key in an answer, which will be stored. It leaves short keys,
// which may be ordinary words: servers without authorisation are often given "EMPTY".
func (k Key) RedactAnswer(answer []byte) []byte {
	const wordLike = 8
	if len(k.secret) < wordLike {
		return answer
	}
	return []byte(k.Redact(string(answer)))
}

// String returns "[redacted]", never the key.
func (k Key) String() string { return redacted }

// Format writes "[redacted]" for every verb, %#v and %x included.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue keeps the key out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the key out of JSON and YAML.
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
