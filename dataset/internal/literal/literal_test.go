package literal

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// tree reads the next value whole.
func tree(s *Scanner) (any, error) {
	switch s.Kind() {
	case Object:
		m := map[string]any{}
		err := s.Object(func(key []byte) error {
			k := string(key)
			v, err := tree(s)
			if string(key) != k {
				return errors.New("key changed while its value was read")
			}
			m[k] = v
			return err
		})
		return m, err
	case Array:
		l := []any{}
		err := s.Array(func() error {
			v, err := tree(s)
			l = append(l, v)
			return err
		})
		return l, err
	case String:
		b, err := s.String()
		return string(b), err
	case Number:
		b, err := s.Number()
		if err != nil {
			return nil, err
		}
		v, err := strconv.ParseFloat(string(b), 64)
		if errors.Is(err, strconv.ErrRange) {
			err = nil
		}
		return v, err
	}
	w, err := s.Word()
	if w == "null" || w == "None" {
		return nil, err
	}
	return strings.EqualFold(w, "true"), err
}

func parse(text string, d Dialect) (any, error) {
	var s Scanner
	s.Reset([]byte(text), d)
	v, err := tree(&s)
	if err == nil {
		err = s.End()
	}
	return v, err
}

func TestPythonLiterals(t *testing.T) {
	type m = map[string]any
	type l = []any
	for text, want := range map[string]any{
		`{'asin': '0001', "title": "it's", 'price': 9.99}`:   m{"asin": "0001", "title": "it's", "price": 9.99},
		`{'a': [['x', u'y'], []], 'b': (1, -2L,), 'c': {},}`: m{"a": l{l{"x", "y"}, l{}}, "b": l{1.0, -2.0}, "c": m{}},
		`[True, False, None, 1e3, .5, 7.]`:                   l{true, false, nil, 1000.0, .5, 7.0},
		`'a\'b\"c\\d\n\t\a\v\q\x41\101\0'`:                   "a'b\"c\\d\n\t\a\v\\qAA\x00",
		`'\u2122\U0001F600\ud83d\ude00'`:                     "™😀😀",
		`'\ud83d x \ude00\ud83d'`:                            "\uFFFD x \uFFFD\uFFFD",
		`'Caf\xc3\xa9'`:                                      "Café", // Python 2 prints the bytes of UTF-8
		`'Caf\xe9 \x99'`:                                     "Café \u0099",
		`u'Caf\xc3\xa9'`:                                     "CafÃ©", // a text's code points are what they say
		`b'caf\303\251'`:                                     "café",
		`'\777'`:                                             "ǿ",
		` ( ) `:                                              l{},
		`'déjà'`:                                             "déjà",
	} {
		if got, err := parse(text, Python); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct {
		text   string
		d      Dialect
		offset int
		reason string
	}{
		{``, JSON, 0, "ends"}, {`{`, JSON, 1, "ends"}, {`{"a" 1}`, JSON, 5, "':'"}, {`{"a":1,}`, JSON, 7, "name"}, {`[1,]`, JSON, 3, "value"},
		{`{'a':1}`, JSON, 1, "name"}, {`"a`, JSON, 0, "closing quote"}, {`"a\"`, JSON, 0, "closing quote"}, {`"a\x41"`, JSON, 2, "unknown escape"},
		{`"\u12g4"`, JSON, 5, "hexadecimal"}, {`"\u12"`, JSON, 3, "cut short"}, {`tru`, JSON, 0, "value"}, {`True`, JSON, 0, "value"}, {`1x`, JSON, 1, "end of the number"},
		{`-`, JSON, 1, "digit"}, {`1e`, JSON, 2, "digit"}, {`.5`, JSON, 0, "value"}, {`5.`, JSON, 2, "digit"}, {`1 2`, JSON, 2, "the end"}, {`(1)`, JSON, 0, "value"},
		{`[1 2]`, JSON, 3, "','"}, {`[1)`, Python, 2, "','"}, {`{1: 2}`, Python, 1, "name"}, {`'a' 'b'`, Python, 4, "the end"}, {`'\N{DASH}'`, Python, 1, "\\N"},
		{`'\U00110000'`, Python, 1, "beyond"}, {`nulla`, Python, 0, "value"}, {`__import__('os')`, Python, 0, "value"}, {`open('x')`, Python, 0, "value"},
		{`lambda: 0`, Python, 0, "value"}, {`1+1`, Python, 1, "the end"}, {`r'x'`, Python, 0, "value"},
		{strings.Repeat("[", 100), JSON, 64, "deeper"}, {strings.Repeat("(", 100000), Python, 64, "deeper"},
	} {
		_, err := parse(c.text, c.d)
		var bad *SyntaxError
		if !errors.As(err, &bad) || bad.Offset != c.offset || !strings.Contains(bad.Reason, c.reason) {
			t.Errorf("%.40s: error %v, want offset %d, %q", c.text, err, c.offset, c.reason)
		}
	}
}

// Skipping must end where reading ends.
func skipsAlike(t *testing.T, text string, d Dialect) {
	t.Helper()
	var read, skip Scanner
	read.Reset([]byte(text), d)
	skip.Reset([]byte(text), d)
	if _, err := tree(&read); err != nil {
		_ = skip.Skip() // must come back, whatever it says
		return
	}
	if err := skip.Skip(); err != nil || skip.pos != read.pos {
		t.Fatalf("reading ends at %d, skipping at %d: %v", read.pos, skip.pos, err)
	}
}

func FuzzPythonLiteral(f *testing.F) {
	f.Add(`{'asin': '0001', "title": "it's \xe9", u'categories': [['A', 'B']], 'related': {'also_bought': ('x',)}, 'price': 9.99L}`)
	f.Add(`['\ud83d\ude00', '\N{DASH}', True, None, nan, -inf, 1e5, {}]`)
	f.Add(`{'a': b'\303\251'`)
	f.Fuzz(func(t *testing.T, text string) {
		skipsAlike(t, text, Python)
		if v, err := parse(text, Python); err == nil && utf8.ValidString(text) && !validText(v) {
			t.Fatalf("valid UTF-8 became invalid: %q", v)
		}
	})
}

func validText(v any) bool {
	switch v := v.(type) {
	case string:
		return utf8.ValidString(v)
	case []any:
		for _, e := range v {
			if !validText(e) {
				return false
			}
		}
	case map[string]any:
		for k, e := range v {
			if !utf8.ValidString(k) || !validText(e) {
				return false
			}
		}
	}
	return true
}

// Everything encoding/json accepts must come out the same here.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a\u00e9\n": [1, -2.5e3, true, null, "\ud83d\ude00\ud83d"], "b": {}}`)
	f.Add(`"\/\b\f\r\t\\\""`)
	f.Add(`[[[[]]], 0.1, 10]`)
	f.Fuzz(func(t *testing.T, text string) {
		skipsAlike(t, text, JSON)
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
			return
		}
		var want any
		if json.Unmarshal([]byte(text), &want) != nil {
			return // a number out of range
		}
		got, err := parse(text, JSON)
		var bad *SyntaxError
		if errors.As(err, &bad) && strings.Contains(bad.Reason, "deeper") {
			return
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	})
}
