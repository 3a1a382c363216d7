package secret

import (
	"html"
	"sort"
	"strings"
	"unicode/utf8"
)

// mostLevels bounds how often escapes are escaped that are followed.
const mostLevels = 8

// kind is a set of kinds of escapes.
type kind uint8

const (
	backslashes kind = 1 << iota // JSON, Go, C, shells
	percents                     // URLs
	entities                     // HTML, XML
	mails                        // quoted-printable, and bytes written 0x73
)

// view is a text in which escapes are written out.
type view struct {
	s       string
	anchors []anchor
}

// anchor says that what stands from here on stood from there on in the text at first.
type anchor struct{ here, there int }

// origin returns where in the text at first position p was.
func (v *view) origin(p int) int {
	i := sort.Search(len(v.anchors), func(i int) bool { return v.anchors[i].here > p })
	if i == 0 {
		return p
	}
	return v.anchors[i-1].there + p - v.anchors[i-1].here
}

// marks are the bytes with which escapes of each kind begin.
var marks = [256]kind{'\\': backslashes, '%': percents, '&': entities, '=': mails, '0': mails}

// unescape writes out, once, the escapes of some kinds, and says which kinds it found.
func (v *view) unescape(which kind) (next view, did kind) {
	s := v.s
	var out []byte
	c := carrier{from: v.anchors}
	done := 0
	for i := 0; i < len(s); {
		mark := marks[s[i]] & which
		if mark == 0 {
			i++
			continue
		}
		r, n := escape(s, i)
		if n == 0 {
			i++
			continue
		}
		if out == nil {
			out = make([]byte, 0, len(s))
		}
		did |= mark
		c.copied(done, i, len(out))
		out = append(out, s[done:i]...)
		c.anchor(len(out), i)
		if r < 0 { // a byte, not a character
			out = append(out, byte(-r-1))
		} else {
			out = utf8.AppendRune(out, r)
		}
		i += n
		done = i
	}
	if did == 0 {
		return *v, 0
	}
	c.copied(done, len(s)+1, len(out))
	return view{s: string(append(out, s[done:]...)), anchors: c.to}, did
}

// carrier makes the anchors of a view from those of the one before, from front to back.
type carrier struct {
	from []anchor
	seen int // so many of them are behind
	to   []anchor
}

// copied notes that what stood from lo to hi stands at here now.
func (c *carrier) copied(lo, hi, here int) {
	if lo >= hi {
		return
	}
	c.anchor(here, lo)
	for c.seen < len(c.from) && c.from[c.seen].here < hi {
		a := c.from[c.seen]
		c.seen++
		c.to = append(c.to, anchor{here + a.here - lo, a.there})
	}
}

// anchor notes that what stood at p stands at here now.
func (c *carrier) anchor(here, p int) {
	for c.seen < len(c.from) && c.from[c.seen].here <= p {
		c.seen++
	}
	there := p
	if c.seen > 0 {
		a := c.from[c.seen-1]
		there = a.there + p - a.here
	}
	c.to = append(c.to, anchor{here, there})
}

// escape reads the escape that begins at i: the character it stands for, or -1-b for a byte
// b, and its length; 0 where none begins there.
func escape(s string, i int) (r rune, n int) {
	rest := s[i+1 : min(i+40, len(s))]
	switch s[i] {
	case '\\':
		return backslash(s, i)
	case '%':
		if v, ok := number(rest, 2, 16); ok {
			return octet(v), 3
		}
		if len(rest) > 0 && rest[0]|0x20 == 'u' {
			if v, ok := number(rest[1:], 4, 16); ok {
				return v, 6
			}
		}
	case '&':
		return entity(rest)
	case '=':
		if v, ok := number(rest, 2, 16); ok {
			return octet(v), 3
		}
	case '0':
		if len(rest) > 2 && rest[0]|0x20 == 'x' {
			if v, ok := number(rest[1:], 2, 16); ok && (len(rest) == 3 || digit(rest[3]) < 0) {
				return octet(v), 4
			}
		}
	}
	return 0, 0
}

// octet makes the result of an escape that stands for one byte.
func octet(v rune) rune {
	if v < utf8.RuneSelf {
		return v
	}
	return -1 - v
}

// backslash reads an escape of JSON, Go, C or a shell. Several backslashes become one: they
// are an escape that was escaped.
func backslash(s string, i int) (r rune, n int) {
	at := i
	for at < len(s) && s[at] == '\\' {
		at++
	}
	switch {
	case at-i > 1:
		return '\\', at - i
	case at == len(s):
		return 0, 0
	}
	rest := s[at+1 : min(at+13, len(s))]
	switch c := s[at]; c {
	case 'u', 'U', 'x', 'X', 'o':
		if end := strings.IndexByte(rest, '}'); end > 1 && rest[0] == '{' {
			base := 16
			if c == 'o' {
				base = 8
			}
			if v, ok := number(rest[1:], end-1, base); ok {
				return v, end + 3
			}
		}
		for _, width := range map[byte][]int{'u': {4}, 'U': {8, 4}, 'x': {2}, 'X': {2}}[c] {
			if v, ok := number(rest, width, 16); ok {
				if width == 2 {
					v = octet(v)
				}
				return v, 2 + width
			}
		}
	case '0', '1', '2', '3', '4', '5', '6', '7':
		if v, ok := number(s[at:], 3, 8); ok && v <= 0xff {
			return octet(v), 4
		}
	case 'n', 'r', 't':
		return ' ', 2
	}
	if s[at] < utf8.RuneSelf {
		return rune(s[at]), 2
	}
	return 0, 0
}

// entity reads an entity of HTML or XML behind its ampersand.
func entity(rest string) (r rune, n int) {
	if rest == "" {
		return 0, 0
	}
	if rest[0] != '#' {
		end := strings.IndexByte(rest, ';')
		if end < 2 {
			return 0, 0
		}
		out := html.UnescapeString("&" + rest[:end+1])
		r, n := utf8.DecodeRuneInString(out)
		if n != len(out) || n == 0 {
			return 0, 0
		}
		return r, end + 2
	}
	digits, base, at := rest[1:], 10, 2
	if digits != "" && digits[0]|0x20 == 'x' {
		digits, base, at = digits[1:], 16, 3
	}
	width := 0
	for width < len(digits) && width < 20 && digit(digits[width]) < base && digit(digits[width]) >= 0 {
		width++
	}
	v, ok := number(digits, width, base)
	if !ok {
		return 0, 0
	}
	if width < len(digits) && digits[width] == ';' {
		width++
	}
	return v, at + width
}

// number reads just so many digits.
func number(s string, width, base int) (v rune, ok bool) {
	if width == 0 || len(s) < width {
		return 0, false
	}
	for i := range width {
		d := digit(s[i])
		if d < 0 || d >= base {
			return 0, false
		}
		if v = v*rune(base) + rune(d); v > utf8.MaxRune {
			return 0, false
		}
	}
	return v, true
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
