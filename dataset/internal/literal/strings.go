package literal

import (
	"bytes"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// open reads a string's prefix and opening quote. text says that it is a u” string.
func (s *Scanner) open() (quote byte, text bool) {
	s.space()
	quote = s.data[s.pos]
	if quote != '"' && quote != '\'' {
		text = quote == 'u' || quote == 'U'
		s.pos++
		quote = s.data[s.pos]
	}
	s.pos++
	return quote, text
}

// skipString skips a string, of which Kind has returned String.
func (s *Scanner) skipString() error {
	start := s.pos
	quote, _ := s.open()
	_, err := s.body(start, quote)
	return err
}

// body reads the text up to the closing quote, and the quote.
func (s *Scanner) body(start int, quote byte) ([]byte, error) {
	from := s.pos
	for {
		i := bytes.IndexByte(s.data[s.pos:], quote)
		if i < 0 {
			s.pos = start
			return nil, s.fail("string without a closing quote")
		}
		end := s.pos + i
		s.pos = end + 1
		back := 0
		for end-1-back >= from && s.data[end-1-back] == '\\' {
			back++
		}
		if back%2 == 0 {
			return s.data[from:end], nil
		}
	}
}

// String reads a string and returns it without quotes and with its escapes decoded. The result
// is valid until the next String. Lone surrogates become U+FFFD; bytes that are not UTF-8 are
// kept. In a Python string without the prefix u, escapes of single bytes from \x80 on are
// UTF-8 if they make valid UTF-8 (as Python 2 prints its byte strings), else Latin-1.
func (s *Scanner) String() ([]byte, error) {
	if s.Kind() != String {
		return nil, s.unexpected("a string")
	}
	start := s.pos
	quote, text := s.open()
	from := s.pos
	body, err := s.body(start, quote)
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(body, '\\') < 0 {
		return body, nil
	}
	d := decoder{in: body, out: s.buf[:0], latin: text}
	if s.dialect == JSON {
		err = d.run(d.jsonEscape)
	} else {
		err = d.run(d.pythonEscape)
		if err == nil && d.high && !utf8.Valid(d.out) {
			d = decoder{in: body, out: d.out[:0], latin: true}
			err = d.run(d.pythonEscape)
		}
	}
	s.buf = d.out
	var bad *SyntaxError
	if errors.As(err, &bad) {
		bad.Offset += from
		return nil, bad
	}
	return s.buf, nil
}

// decoder decodes the escapes of one string.
type decoder struct {
	in, out []byte
	pos     int
	latin   bool // byte escapes are code points
	high    bool // a byte escape from 0x80 on was kept as a byte
}

func (d *decoder) fail(reason string) error { return &SyntaxError{d.pos, reason} }

// run copies the text and calls escape at each backslash, with pos after it.
func (d *decoder) run(escape func(c byte) error) error {
	for {
		i := bytes.IndexByte(d.in[d.pos:], '\\')
		if i < 0 {
			d.out = append(d.out, d.in[d.pos:]...)
			return nil
		}
		d.out = append(d.out, d.in[d.pos:d.pos+i]...)
		d.pos += i + 1
		if d.pos == len(d.in) {
			return d.fail("escape without a character")
		}
		c := d.in[d.pos]
		d.pos++
		if err := escape(c); err != nil {
			return err
		}
	}
}

func (d *decoder) jsonEscape(c byte) error {
	switch c {
	case '"', '\\', '/':
		d.out = append(d.out, c)
	case 'b':
		d.out = append(d.out, '\b')
	case 'f':
		d.out = append(d.out, '\f')
	case 'n':
		d.out = append(d.out, '\n')
	case 'r':
		d.out = append(d.out, '\r')
	case 't':
		d.out = append(d.out, '\t')
	case 'u':
		return d.utf16()
	default:
		d.pos -= 2
		return d.fail("unknown escape \\" + string(rune(c)))
	}
	return nil
}

func (d *decoder) pythonEscape(c byte) error {
	switch c {
	case '\'', '"', '\\':
		d.out = append(d.out, c)
	case 'a':
		d.out = append(d.out, '\a')
	case 'b':
		d.out = append(d.out, '\b')
	case 'f':
		d.out = append(d.out, '\f')
	case 'n':
		d.out = append(d.out, '\n')
	case 'r':
		d.out = append(d.out, '\r')
	case 't':
		d.out = append(d.out, '\t')
	case 'v':
		d.out = append(d.out, '\v')
	case 'x':
		v, err := d.hex(2)
		if err != nil {
			return err
		}
		d.byte(v)
	case 'u':
		return d.utf16()
	case 'U':
		v, err := d.hex(8)
		if err != nil {
			return err
		}
		if v > utf8.MaxRune {
			d.pos -= 10
			return d.fail("code point beyond U+10FFFF")
		}
		d.out = utf8.AppendRune(d.out, rune(v))
	case 'N':
		d.pos -= 2
		return d.fail("characters by name (\\N) are not supported")
	case '0', '1', '2', '3', '4', '5', '6', '7':
		v := uint32(c - '0')
		for n := 1; n < 3 && d.pos < len(d.in) && d.in[d.pos] >= '0' && d.in[d.pos] <= '7'; n++ {
			v = 8*v + uint32(d.in[d.pos]-'0')
			d.pos++
		}
		d.byte(v)
	default: // Python leaves unknown escapes as they are
		d.out = append(d.out, '\\', c)
	}
	return nil
}

// byte appends the value of an escape of one byte, or of an octal escape above one byte.
func (d *decoder) byte(v uint32) {
	switch {
	case v < 0x80:
		d.out = append(d.out, byte(v))
	case d.latin || v > 0xff:
		d.out = utf8.AppendRune(d.out, rune(v))
	default:
		d.high = true
		d.out = append(d.out, byte(v))
	}
}

// utf16 reads the digits of a \u escape, and of a second one if the two are a surrogate pair.
func (d *decoder) utf16() error {
	v, err := d.hex(4)
	if err != nil {
		return err
	}
	r := rune(v)
	if utf16.IsSurrogate(r) {
		rest := d.in[d.pos:]
		if len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
			before := d.pos
			d.pos += 2
			low, err := d.hex(4)
			if err != nil {
				return err
			}
			if pair := utf16.DecodeRune(r, rune(low)); pair != utf8.RuneError {
				d.out = utf8.AppendRune(d.out, pair)
				return nil
			}
			d.pos = before
		}
		r = utf8.RuneError
	}
	d.out = utf8.AppendRune(d.out, r)
	return nil
}

func (d *decoder) hex(n int) (uint32, error) {
	if d.pos+n > len(d.in) {
		return 0, d.fail("escape cut short")
	}
	var v uint32
	for range n {
		c := d.in[d.pos]
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint32(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint32(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | uint32(c-'A'+10)
		default:
			return 0, d.fail("no hexadecimal digit")
		}
		d.pos++
	}
	return v, nil
}
