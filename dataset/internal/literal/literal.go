// Package literal reads one value written as JSON or as a Python literal, the form that
// Python's repr prints. The Amazon metadata of 2014 are one Python 2 dict a line. The
// [Scanner] evaluates nothing and builds no tree: callers read the members that they need,
// and everything else is skipped at the speed of a byte search.
package literal

import (
	"bytes"
	"fmt"
)

// Dialect is the notation of a value.
type Dialect uint8

// The dialects. Both also have the words that Python writes for NaN and infinities (NaN,
// Infinity; nan, inf).
const (
	JSON   Dialect = iota
	Python         // quotes of either kind, u'' and b'' prefixes, tuples, trailing commas, True, False, None
)

// NotationOf tells JSON from Python by the first key's quotes in the line of an object; ok
// is false where the line is no object.
func NotationOf(line []byte) (d Dialect, ok bool) {
	inner, ok := bytes.CutPrefix(bytes.TrimLeft(line, " \t"), []byte("{"))
	if !ok {
		return JSON, false
	}
	if inner = bytes.TrimLeft(inner, " \t\r\n"); len(inner) == 0 || inner[0] == '"' || inner[0] == '}' {
		return JSON, true
	}
	return Python, true
}

// maxDepth bounds the nesting of containers.
const maxDepth = 64

// SyntaxError says where and why a text is not a value.
type SyntaxError struct {
	Offset int // 0-based byte
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset+1, e.Reason) }

// Kind is the kind of a value, which its first byte shows.
type Kind uint8

// The kinds.
const (
	invalid Kind = iota
	Object
	Array // tuples too
	String
	Number
	Word // true, None, NaN, …
)

// Scanner reads one text. The zero value is ready for Reset.
type Scanner struct {
	data    []byte
	pos     int
	depth   int
	dialect Dialect
	buf     []byte // the last string that had escapes, decoded
}

// Reset starts on data, which must stay as it is while the scanner is in use.
func (s *Scanner) Reset(data []byte, d Dialect) { s.data, s.dialect, s.pos, s.depth = data, d, 0, 0 }

// Offset returns the position of the next value, for Seek.
func (s *Scanner) Offset() int {
	s.space()
	return s.pos
}

// Seek moves to the offset of a value seen before.
func (s *Scanner) Seek(offset int) { s.pos = offset }

func (s *Scanner) fail(format string, args ...any) error {
	return &SyntaxError{s.pos, fmt.Sprintf(format, args...)}
}

func (s *Scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is not white space, or 0.
func (s *Scanner) peek() byte {
	s.space()
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

func (s *Scanner) unexpected(want string) error {
	if s.pos >= len(s.data) {
		return s.fail("text ends where %s is expected", want)
	}
	return s.fail("%q where %s is expected", s.data[s.pos], want)
}

// Kind returns the kind of the next value.
func (s *Scanner) Kind() Kind {
	switch c := s.peek(); {
	case c == '{':
		return Object
	case c == '[', c == '(' && s.dialect == Python:
		return Array
	case c == '"', s.quoted(c):
		return String
	case c >= '0' && c <= '9', c == '.' && s.dialect == Python:
		return Number
	case c == '-':
		if s.pos+1 < len(s.data) && (s.data[s.pos+1] == 'I' || s.data[s.pos+1] == 'i') {
			return Word
		}
		return Number
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return Word
	}
	return invalid
}

// quoted reports whether a Python string other than "…" starts here with byte c.
func (s *Scanner) quoted(c byte) bool {
	if s.dialect != Python {
		return false
	}
	switch c {
	case '\'':
		return true
	case 'u', 'U', 'b', 'B':
		return s.pos+1 < len(s.data) && (s.data[s.pos+1] == '\'' || s.data[s.pos+1] == '"')
	}
	return false
}

// Object reads an object. It calls member for each member, and member must read the value by
// one of the scanner's methods. The key is valid during the call.
func (s *Scanner) Object(member func(key []byte) error) error {
	if s.peek() != '{' {
		return s.unexpected("an object")
	}
	return s.container('}', func() error {
		if k := s.Kind(); k != String {
			return s.unexpected("a member's name in quotes")
		}
		key, err := s.String()
		if err != nil {
			return err
		}
		if len(key) > 0 && len(s.buf) > 0 && &key[0] == &s.buf[0] {
			key = bytes.Clone(key)
		}
		if s.peek() != ':' {
			return s.unexpected("':'")
		}
		s.pos++
		return member(key)
	})
}

// Array reads a list or tuple. It calls element for each element, and element must read it.
func (s *Scanner) Array(element func() error) error {
	switch {
	case s.peek() == '[':
		return s.container(']', element)
	case s.Kind() == Array:
		return s.container(')', element)
	}
	return s.unexpected("a list")
}

// container reads from an opening bracket to the closing one, end.
func (s *Scanner) container(end byte, next func() error) error {
	if s.depth == maxDepth {
		return s.fail("nested deeper than %d", maxDepth)
	}
	s.depth++
	s.pos++
	if s.peek() == end {
		s.pos++
		s.depth--
		return nil
	}
	for {
		if err := next(); err != nil {
			return err
		}
		switch s.peek() {
		case end:
			s.pos++
			s.depth--
			return nil
		case ',':
			s.pos++
			if s.dialect == Python && s.peek() == end {
				s.pos++
				s.depth--
				return nil
			}
		default:
			return s.unexpected(fmt.Sprintf("',' or '%c'", end))
		}
	}
}

// Skip skips one value. It checks brackets, quotes, commas, numbers and words, but not the
// inside of strings.
func (s *Scanner) Skip() error {
	switch s.Kind() {
	case Object:
		return s.container('}', func() error {
			if s.Kind() != String {
				return s.unexpected("a member's name in quotes")
			}
			if err := s.skipString(); err != nil {
				return err
			}
			if s.peek() != ':' {
				return s.unexpected("':'")
			}
			s.pos++
			return s.Skip()
		})
	case Array:
		return s.Array(s.Skip)
	case String:
		return s.skipString()
	case Number:
		_, err := s.Number()
		return err
	case Word:
		_, err := s.Word()
		return err
	}
	return s.unexpected("a value")
}

// End checks that nothing but white space is left.
func (s *Scanner) End() error {
	if s.peek(); s.pos < len(s.data) {
		return s.unexpected("the end")
	}
	return nil
}

// Word reads a word and returns it.
func (s *Scanner) Word() (string, error) {
	s.space()
	words := [...]string{"true", "false", "null", "NaN", "Infinity", "-Infinity"}
	if s.dialect == Python {
		words = [...]string{"True", "False", "None", "nan", "inf", "-inf"}
	}
	rest := s.data[s.pos:]
	for _, w := range words {
		if len(rest) >= len(w) && string(rest[:len(w)]) == w && (len(rest) == len(w) || !alphanumeric(rest[len(w)])) {
			s.pos += len(w)
			return w, nil
		}
	}
	return "", s.unexpected("a value")
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

// Number reads a number and returns it as written (without Python 2's suffix L).
func (s *Scanner) Number() ([]byte, error) {
	s.space()
	start := s.pos
	if s.at('-') {
		s.pos++
	}
	digits := s.digits()
	if s.at('.') {
		s.pos++
		fraction := s.digits()
		if s.dialect == JSON && (digits == 0 || fraction == 0) {
			return nil, s.unexpected("a digit")
		}
		digits += fraction
	}
	if digits == 0 {
		return nil, s.unexpected("a digit")
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if s.digits() == 0 {
			return nil, s.unexpected("a digit")
		}
	}
	number := s.data[start:s.pos]
	if s.dialect == Python && s.at('L') {
		s.pos++
	}
	if s.pos < len(s.data) && alphanumeric(s.data[s.pos]) {
		return nil, s.unexpected("the end of the number")
	}
	return number, nil
}

func (s *Scanner) at(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }

func (s *Scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - start
}
