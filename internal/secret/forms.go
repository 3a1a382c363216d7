package secret

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// fewest is how many letters a form must have to be looked for with anything between them.
const fewest = 3

// form is one way in which a secret may be written, apart from escapes.
type form struct {
	text         string // folded, from its first letter to its last
	lead, trail  string // what is no letter in front of them and behind
	letters      int
	dense        bool   // nothing may stand between the letters
	cut          bool   // also where the text ends in its second half
	before, more string // the secret's first or last letters, which escapes of neighbours took in
}

// newForm makes a form of a text; ok is false where it has too few letters.
func newForm(text string) (f form, ok bool) {
	text = foldAll(text)
	from, to := 0, 0
	for i := 0; i < len(text); {
		c, n := letter(text, i)
		if c != 0 {
			if f.letters == 0 {
				from = i
			}
			f.letters++
			to = i + n
		}
		i += n
	}
	f.lead, f.text, f.trail = text[:from], text[from:to], text[to:]
	f.dense = strings.Trim(f.text, "0123456789") == ""
	return f, f.letters >= fewest
}

// formsOf lists the forms of a secret. Those that are not letters enough are left out.
func formsOf(v string) []form {
	var all []form
	add := func(text string, cut bool) {
		if f, ok := newForm(text); ok {
			f.cut = cut
			all = append(all, f)
		}
	}
	for _, w := range append(writtenOut(v), strings.ToUpper(v), strings.ToLower(v), latin(v), strings.ReplaceAll(wide(v), "\x00", "")) {
		add(w, true)
	}
	// An escape in the text around can take in the first or last letters: of %73abc… where
	// the secret begins with 73, say.
	for k := 1; k <= 5; k++ {
		if len(v) >= k+Shortest {
			if f, ok := newForm(v[k:]); ok && f.lead == "" {
				f.before = foldAll(v[:k])
				all = append(all, f)
			}
			if f, ok := newForm(v[:len(v)-k]); ok && f.trail == "" {
				f.more = foldAll(v[len(v)-k:])
				all = append(all, f)
			}
		}
	}
	backwards := []byte(v)
	slices.Reverse(backwards)
	codes := ""
	for _, c := range []byte(v) {
		codes += strconv.Itoa(int(c))
	}
	add(string(backwards), false)
	add(codes, false)
	all[len(all)-1].dense = false
	for _, plain := range []string{v, wide(v)} {
		add(hex.EncodeToString([]byte(plain)), true)
		all[len(all)-1].dense = false
		for before := range 3 {
			for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				add(inner(enc.EncodeToString(append(make([]byte, before), plain...)), before, len(plain), 6), true)
			}
		}
		for before := range 5 {
			add(inner(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(make([]byte, before), plain...)), before, len(plain), 5), false)
		}
	}
	slices.SortFunc(all, func(a, b form) int { return strings.Compare(a.key(), b.key()) })
	return slices.CompactFunc(all, func(a, b form) bool { return a.key() == b.key() })
}

func (f form) key() string {
	return f.text + "\x00" + f.before + "\x00" + f.more + "\x00" + f.lead + "\x00" + f.trail
}

// inner are the letters that depend on a secret of n bytes alone, whatever stands before and
// behind it, of an encoding with so many bits a letter.
func inner(encoded string, before, n, bits int) string {
	return encoded[(before*8+bits-1)/bits : (before+n)*8/bits]
}

// latin is what becomes of a secret whose bytes are taken for characters.
func latin(v string) string {
	var b strings.Builder
	for _, c := range []byte(v) {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// wide is UTF-16, of which some systems make base64.
func wide(v string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(v)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// writtenOut lists a secret and what it becomes when what looks like an escape in it is
// written out, as it is in a text.
func writtenOut(v string) []string {
	all := []string{v}
	if bare := strings.ReplaceAll(v, `\`, ""); bare != v {
		all = append(all, bare)
	}
	v0 := view{s: v}
	for _, kinds := range []kind{backslashes | percents | entities, backslashes, percents, entities, mails} {
		at := v0
		for range mostLevels {
			next, did := at.unescape(kinds)
			if did == 0 {
				break
			}
			if !slices.Contains(all, next.s) && len(next.s) >= Shortest-2 {
				all = append(all, next.s)
			}
			at = next
		}
	}
	return all
}
