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

// Key is an API key. It prints, formats, logs and marshals as "[redacted]" whatever
// the verb; only Authorize gives it away, to a request's header.
type Key struct{ secret string }

// KeyFromEnv reads the key from the named environment variable. An empty name means
// no key; a named variable that is unset or empty is a user's mistake.
func KeyFromEnv(name string) (Key, error) {
	if name == "" {
		return Key{}, nil
	}
	secret := strings.TrimSpace(os.Getenv(name))
	if secret == "" {
		return Key{}, usererr.New("Export "+name+" with the API key of the server; keys are read from the environment only",
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

// Redact returns s with every occurrence of the key removed, also where it was
// escaped for JSON or for a URL.
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

// Scrub does the same to an answer, which is kept, unless the key is so short that it may
// be a word of it: servers that want no key are often given "EMPTY".
func (k Key) RedactAnswer(answer []byte) []byte {
	const wordLike = 8
	if len(k.secret) < wordLike {
		return answer
	}
	return []byte(k.Redact(string(answer)))
}

// String returns a fixed mark, never the key.
func (k Key) String() string { return redacted }

// Format writes a fixed mark for every verb, so that %#v and %x show nothing either.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue keeps the key out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the key out of JSON and YAML.
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
