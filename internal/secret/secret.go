// Package secret keeps keys and passwords out of what is stored, logged and shown. Whoever
// takes one in registers it; what a server or a library says passes [Redact] or [Clean]
// before anything else sees it.
//
// A secret is found however it is written: as it is, in escapes of JSON (also of JSON within
// JSON), URLs, HTML or mail or a mixture of these, in other case, with white space,
// separators or invisible characters between its letters, backwards, in base64 of either
// alphabet at any alignment, base32, hexadecimal, as the codes of its letters, and where the
// text breaks off in its second half. What is compressed or encrypted is not looked into.
package secret

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Redacted stands where a secret stood.
const Redacted = "[redacted]"

// Shortest is the length in bytes from which a secret is looked for. A shorter one may be
// an ordinary word: servers without authorisation are often given "EMPTY".
const Shortest = 8

// words are what databases and servers are set up with where nothing is secret; looked for
// everywhere, they would spoil messages and texts.
var words = []string{"password", "postgres", "postgresql", "changeme"}

var (
	registering sync.Mutex
	registry    atomic.Pointer[matcher] // nil: nothing is registered
)

// Register has a secret be redacted from now on, in this process. One that is shorter than
// [Shortest] or a common word is left out: [Line] hides it by the place where it stands.
func Register(value string) {
	if len(value) < Shortest || slices.Contains(words, strings.ToLower(value)) {
		return
	}
	registering.Lock()
	defer registering.Unlock()
	old := registry.Load()
	var values []string
	if old != nil {
		values = old.values
	}
	if slices.Contains(values, value) {
		return
	}
	registry.Store(newMatcher(append(slices.Clone(values), value)))
}

// Redact returns s with every registered secret replaced, in whatever form it stands there.
// It takes time in proportion to the length of s.
func Redact(s string) string {
	if m := registry.Load(); m != nil {
		return m.redact(s)
	}
	return s
}
