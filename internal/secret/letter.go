package secret

import (
	"strings"
	"unicode/utf8"
)

// ends collects where a letter may end: as it is, and behind an escape of it, of which
// there can be several readings where escapes are escaped.
type ends struct {
	at [6]int
	n  int
}

func (e *ends) add(at int) {
	if e.n < len(e.at) {
		e.at[e.n] = at
		e.n++
	}
}

// letter finds where the letter c that begins at i ends, in either case and however it is
// escaped.
func letter(s string, i int, c byte) (e ends) {
	if i >= len(s) {
		return e
	}
	if lower(s[i]) == c {
		e.add(i + 1)
	}
	if s[i] == '\\' || s[i] == '%' || s[i] == '&' {
		escape(s, i, c, 0, 0, &e)
	}
	return e
}

// mostNesting bounds how often an escape may be escaped itself.
const mostNesting = 6

// mostBackslashes is how many before one letter are read: JSON within JSON within JSON needs
// seven.
const mostBackslashes = 24

// escape reads an escape that begins at i and adds where it ends, if it stands for c. Ends
// are counted with shift added, for escapes that were written out.
func escape(s string, i int, c byte, depth, shift int, e *ends) {
	switch s[i] {
	case '\\':
		backslash(s, i, c, depth, shift, e)
	case '%':
		if v, ok := number(s, i+1, 2, 2, 16); ok {
			decoded(s, i+3, v, c, depth, shift, e)
		}
	case '&':
		entity(s, i, c, depth, shift, e)
	}
}

// decoded goes on behind an escape that stands for v: v is the letter, or begins another
// escape, of which the rest is read as if the first had been written out.
func decoded(s string, end, v int, c byte, depth, shift int, e *ends) {
	if v > 0x7f {
		return
	}
	if lower(byte(v)) == c {
		e.add(end + shift)
	}
	if (v == '\\' || v == '%' || v == '&') && depth < mostNesting {
		escape(string(rune(v))+s[end:min(end+32, len(s))], 0, c, depth+1, shift+end-1, e)
	}
}

// backslash reads an escape of JSON, Go, C or a shell; many backslashes are an escape that
// was escaped.
func backslash(s string, i int, c byte, depth, shift int, e *ends) {
	from := i
	for i < len(s) && s[i] == '\\' && i-from < mostBackslashes {
		i++
	}
	if c == '\\' && i-from > 1 { // escaped themselves
		e.add(i + shift)
		if (i-from)%2 == 0 && i-from > 2 {
			e.add(from + 2 + shift)
		}
	}
	if i == len(s) || s[i] == '\\' {
		return
	}
	for _, form := range []struct {
		mark  byte
		width int
	}{{'u', 4}, {'U', 8}, {'x', 2}} {
		if s[i] != form.mark {
			continue
		}
		if v, ok := number(s, i+1, form.width, form.width, 16); ok {
			decoded(s, i+1+form.width, v, c, depth, shift, e)
		}
		if end := strings.IndexByte(s[i:min(i+12, len(s))], '}'); i+1 < len(s) && s[i+1] == '{' && end > 2 { // \u{73}
			if v, ok := number(s, i+2, end-2, end-2, 16); ok {
				decoded(s, i+end+1, v, c, depth, shift, e)
			}
		}
	}
	if v, ok := number(s, i, 3, 3, 8); ok && v <= 0x7f {
		decoded(s, i+3, v, c, depth, shift, e)
	}
	if lower(s[i]) == c {
		e.add(i + 1 + shift)
	}
	if (s[i] == '%' || s[i] == '&') && depth < mostNesting {
		escape(s, i, c, depth+1, shift, e)
	}
}

// entity reads an entity of HTML or XML.
func entity(s string, i int, c byte, depth, shift int, e *ends) {
	end := strings.IndexByte(s[i:min(i+16, len(s))], ';')
	if end < 2 {
		return
	}
	name, next := s[i+1:i+end], i+end+1
	if name[0] != '#' {
		if v, ok := entities[name]; ok {
			decoded(s, next, int(v), c, depth, shift, e)
		}
		return
	}
	digits, base := name[1:], 10
	if digits != "" && lower(digits[0]) == 'x' {
		digits, base = digits[1:], 16
	}
	if v, ok := number(digits, 0, 1, 10, base); ok {
		decoded(s, next, v, c, depth, shift, e)
	}
}

// entities are the named ones of printable ASCII.
var entities = map[string]byte{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\'', "excl": '!', "num": '#', "dollar": '$', "percnt": '%', "lpar": '(', "rpar": ')',
	"ast": '*', "plus": '+', "comma": ',', "period": '.', "sol": '/', "colon": ':', "semi": ';', "equals": '=', "quest": '?', "commat": '@', "lsqb": '[', "lbrack": '[',
	"bsol": '\\', "rsqb": ']', "rbrack": ']', "Hat": '^', "lowbar": '_', "grave": '`', "lcub": '{', "lbrace": '{', "vert": '|', "verbar": '|', "rcub": '}', "rbrace": '}', "hyphen": '-'}

// number reads least to most digits of s from i on; ok is false where fewer stand there,
// and, where least is most, it reads just as many.
func number(s string, i, least, most, base int) (v int, ok bool) {
	n := 0
	for ; n < most && i+n < len(s); n++ {
		d := digit(s[i+n])
		if d < 0 || d >= base {
			break
		}
		if v = v*base + d; v > utf8.MaxRune {
			return 0, false
		}
	}
	return v, n >= least && n > 0
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// fill returns where what may stand between two letters and is none itself ends: white
// space, also escaped, invisible characters, and what separates the bytes of a hex dump.
func fill(s string, i int) int {
	if i >= len(s) {
		return i
	}
	switch c := s[i]; {
	case c == 0 || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ':' || c == '-' || c == ',' || c == '_' || c == '.' || c == '+' || c == '"' || c == '\'':
		return i + 1
	case c == '0' && i+1 < len(s) && lower(s[i+1]) == 'x':
		return i + 2
	case c == '\\':
		at := i
		for at < len(s) && s[at] == '\\' {
			at++
		}
		if at < len(s) && strings.IndexByte("nrtx\"'", s[at]) >= 0 {
			return at + 1
		}
		if strings.HasPrefix(s[at:], "u200") && at+5 <= len(s) || strings.HasPrefix(s[at:], "u00ad") || strings.HasPrefix(s[at:], "ufeff") || strings.HasPrefix(s[at:], "u2060") {
			return at + 5
		}
		return i
	case c == '%':
		if v, ok := number(s, i+1, 2, 2, 16); ok && (v == ' ' || v == '\n' || v == '\r' || v == '\t') {
			return i + 3
		}
		return i
	case c >= utf8.RuneSelf:
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r >= 0x200b && r <= 0x200f, r == 0xad, r == 0xfeff, r >= 0x2060 && r <= 0x2064, r == 0xa0, r >= 0x2000 && r <= 0x200a, r == 0x2028, r == 0x2029, r == 0x3000:
			return i + n
		}
	}
	return i
}
