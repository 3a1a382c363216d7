// Package secret keeps keys and passwords out of what is stored, logged and shown. Whoever
// takes one in registers it; what a server or a library says passes [Redact] or [Clean]
// before anything else sees it.
//
// A secret is found however it is written: letter by letter as it is, in escapes of JSON
// (also of JSON within JSON), URLs or HTML or any mixture of these, in other case, with
// spaces, line breaks or invisible characters between its letters, backwards, in base64 of
// either alphabet at any alignment, in hexadecimal, and as the codes of its letters.
package secret

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Redacted stands where a secret stood.
const Redacted = "[redacted]"

// Shortest is the length in bytes from which a secret is looked for. A shorter one may be
// an ordinary word: servers without authorisation are often given "EMPTY".
const Shortest = 8

var (
	registering sync.Mutex
	registry    atomic.Pointer[matcher] // nil: nothing is registered
)

// Register has a secret be redacted from now on, in this process. One that is shorter than
// [Shortest] is left out.
func Register(value string) {
	if len(value) < Shortest {
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
func Redact(s string) string {
	if m := registry.Load(); m != nil {
		return m.redact(s)
	}
	return s
}

// matcher finds secrets.
type matcher struct {
	values  []string
	forms   []string      // in lower case
	byStart [256][]string // those of the forms that may begin with a byte
}

func newMatcher(values []string) *matcher {
	m := &matcher{values: values}
	for _, v := range values {
		m.forms = append(m.forms, forms(v)...)
	}
	for _, f := range m.forms {
		m.byStart[f[0]] = append(m.byStart[f[0]], f)
		if u := upper(f[0]); u != f[0] {
			m.byStart[u] = append(m.byStart[u], f)
		}
	}
	for _, c := range []byte(`\%&`) { // an escape may stand for any letter
		m.byStart[c] = m.forms
	}
	return m
}

// forms are the ways in which the letters of a secret may be written, in lower case; how
// each letter is written is for [matcher.at].
func forms(v string) []string {
	backwards := []byte(v)
	slices.Reverse(backwards)
	codes := ""
	for _, c := range []byte(v) {
		codes += strconv.Itoa(int(c))
	}
	all := []string{v, string(backwards), hex.EncodeToString([]byte(v)), codes}
	for before := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			// The letters that depend on the secret alone, whatever stands before and behind it.
			whole := enc.EncodeToString(append(make([]byte, before), v...))
			from, to := (before*8+5)/6, (before+len(v))*8/6
			all = append(all, whole[from:to])
		}
	}
	for i := range all {
		all[i] = lowerASCII(all[i])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (m *matcher) redact(s string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); {
		if m.byStart[s[i]] == nil {
			i++
			continue
		}
		end := m.match(s, i)
		if end < 0 {
			i++
			continue
		}
		b.WriteString(s[done:i])
		b.WriteString(Redacted)
		i, done = end, end
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// match returns where the longest form that begins at i ends; below 0 if none does.
func (m *matcher) match(s string, i int) int {
	longest := -1
	for _, f := range m.byStart[s[i]] {
		longest = max(longest, follow(s, i, f))
	}
	return longest
}

// mostFill is how many bytes may stand between two letters of a secret.
const mostFill = 16

// follow reads form from i on and returns where it ends; below 0 where it does not stand
// there. A letter that can end in several places, since it also begins escapes, is tried in
// each way.
func follow(s string, i int, form string) int {
	for at := range len(form) {
		if at > 0 {
			if i = skip(s, i, form[at]); i < 0 {
				return -1
			}
		}
		e := letter(s, i, form[at])
		switch {
		case e.n == 0:
			return -1
		case e.n == 1:
			i = e.at[0]
			continue
		}
		best := -1
		for _, end := range e.at[:e.n] {
			if at+1 == len(form) {
				best = max(best, end)
			} else if next := skip(s, end, form[at+1]); next >= 0 {
				best = max(best, follow(s, next, form[at+1:]))
			}
		}
		return best
	}
	return i
}

// skip steps over what may stand between two letters, to where c begins; below 0 where it
// does not.
func skip(s string, i int, c byte) int {
	for most := i + mostFill; ; {
		if e := letter(s, i, c); e.n > 0 {
			return i
		}
		next := fill(s, i)
		if next == i || next > most {
			return -1
		}
		i = next
	}
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}
