package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func writeFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func packed(parts ...string) string {
	var b bytes.Buffer
	for _, p := range parts {
		z := gzip.NewWriter(&b)
		z.Write([]byte(p))
		z.Close()
	}
	return b.String()
}

func encoded(t testing.TB, e encoding.Encoding, s string) string {
	t.Helper()
	out, err := e.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// linesOf reads a file to its end.
func linesOf(path, encoding string) (lines []string, err error) {
	f, err := OpenAs(path, encoding)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for l := NewLines(f); ; {
		line, err := l.Next()
		if errors.Is(err, io.EOF) {
			return lines, nil
		} else if err != nil {
			return lines, err
		}
		lines = append(lines, string(line))
	}
}

func TestEncodings(t *testing.T) {
	const text = "id,titel\n1,Müsli „Café“\n"
	const kana = "id,title\n1,青いマグカップ\n"
	u16 := func(e unicode.Endianness, b unicode.BOMPolicy) encoding.Encoding { return unicode.UTF16(e, b) }
	for name, c := range map[string]struct{ content, encoding, want string }{
		"UTF-8 with a mark":        {"\ufeff" + text, "", text},
		"marked, named otherwise":  {"\ufeff" + text, "windows-1252", text},
		"UTF-16 LE with a mark":    {encoded(t, u16(unicode.LittleEndian, unicode.UseBOM), text), "", text},
		"UTF-16 BE with a mark":    {encoded(t, u16(unicode.BigEndian, unicode.UseBOM), text), "", text},
		"UTF-32 with a mark":       {encoded(t, utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), text), "", text},
		"UTF-16 named":             {encoded(t, u16(unicode.LittleEndian, unicode.IgnoreBOM), text), "utf-16le", text},
		"UTF-16 named, with mark":  {encoded(t, u16(unicode.BigEndian, unicode.UseBOM), text), "utf16", text},
		"UTF-16, gzip":             {packed(encoded(t, u16(unicode.LittleEndian, unicode.UseBOM), kana)), "", kana},
		"Windows-1252":             {encoded(t, charmap.Windows1252, text), "windows-1252", text},
		"by Python's name":         {encoded(t, charmap.Windows1252, text), "cp1252", text},
		"Latin-1":                  {encoded(t, charmap.Windows1252, "é\n"), "latin-1", "é\n"},
		"Latin-2":                  {encoded(t, charmap.ISO8859_2, "Łódź\n"), "ISO-8859-2", "Łódź\n"},
		"Cyrillic":                 {encoded(t, charmap.Windows1251, "чашка\n"), "cp1251", "чашка\n"},
		"KOI8-R":                   {encoded(t, charmap.KOI8R, "чашка\n"), "koi8-r", "чашка\n"},
		"Shift JIS":                {encoded(t, japanese.ShiftJIS, kana), "Shift_JIS", kana},
		"Shift JIS of Windows":     {encoded(t, japanese.ShiftJIS, kana), "cp932", kana},
		"UTF-8 named":              {text, "UTF8", text},
		"broken UTF-8, named":      {"caf\xe9\n", "utf-8", "caf\xe9\n"}, // whoever uses it replaces it
		"a mark on a later line":   {"\ufeffa\n\ufeffb\n", "", "a\nb\n"},
		"carriage returns":         {"a,b\rc,d\r", "", "a,b\nc,d\n"},
		"carriage returns, UTF-16": {encoded(t, u16(unicode.LittleEndian, unicode.UseBOM), "a\rü\r"), "", "a\nü\n"},
		"twice carriage returns":   {"a\r\r\nb\r\r\n", "", "a\nb\n"},
		"line feeds in a text":     {"a\r\"b\nc\"\rd\r", "", "a\n\"b\nc\"\nd\n"},
		"a carriage return inside": {"a\nb\rc\nd\n", "", "a\nb\rc\nd\n"},
		"zeros behind gzip":        {packed("a\n", "b\n") + strings.Repeat("\x00", 700), "", "a\nb\n"},
		"zeros between gzip":       {packed("a\n") + strings.Repeat("\x00", 700) + packed("b\n"), "", "a\nb\n"},
	} {
		lines, err := linesOf(writeFile(t, c.content), c.encoding)
		if got := strings.Join(lines, "\n") + "\n"; err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	for name, c := range map[string]struct{ content, encoding, want, hint string }{
		"Windows-1252":         {encoded(t, charmap.Windows1252, text), "", "f:2:4: not UTF-8: byte 0xfc", `windows-1252 ("Müsli „Café“")`},
		"Shift JIS":            {encoded(t, japanese.ShiftJIS, kana), "", "not UTF-8", `shift_jis ("青いマグカップ")`},
		"Cyrillic":             {encoded(t, charmap.Windows1251, "красная чашка\n"), "", "not UTF-8", `windows-1251 ("красная чашка")`},
		"unmarked UTF-16":      {encoded(t, u16(unicode.LittleEndian, unicode.IgnoreBOM), text), "", "looks like UTF-16", "utf-16le"},
		"wrongly named":        {"a\x81\xff\n", "shift_jis", "no text in shift_jis", "Name the encoding"},
		"UTF-8, wrongly named": {text, "windows-1252", "is UTF-8, and not windows-1252", "table of items"},
		"unknown name":         {"a\n", "klingon", `"klingon" is no known encoding`, "windows-1252"},
		"replacement":          {"a\n", "iso-2022-kr", "is no known encoding", "utf-8"},
		"Git LFS":              {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "", "is a Git LFS pointer", "git lfs pull"},
		"Git LFS, by Windows":  {"version https://git-lfs.github.com/spec/v1\r\noid sha256:0\r\nsize 9\r\n", "", "is a Git LFS pointer", "git lfs pull"},
		"web page":             {"\n<!doctype html><title>Sign in</title>", "", "is a web page", "Download"},
		"workbook":             {"PK\x03\x04\x14\x00", "", "ZIP archive", "CSV"},
		"gzip twice":           {packed(packed("a\n")), "", "gzip twice", "gunzip"},
		"tar in gzip":          {packed(strings.Repeat("x", 257) + "ustar\x00" + strings.Repeat("\x00", 300)), "", "tar archive", "tar"},
		"junk behind gzip":     {packed("a\n") + "junk", "", "no gzip data follow", "again"},
		"zeros, then junk":     {packed("a\n") + "\x00\x00junk", "", "no gzip data follow", "again"},
	} {
		_, err := linesOf(writeFile(t, c.content), c.encoding)
		if hint, user := usererr.Hint(err); !user || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint, c.hint) {
			t.Errorf("%s: %v (%s); want %q, %q", name, err, hint, c.want, c.hint)
		}
	}
}

// recordsOf reads records; a row error stands as its reason.
func recordsOf(path string, comma byte, quote Quote) (records []string, c *CSV, err error) {
	f, err := Open(path, Encoding{})
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	c = NewCSV(f, comma, quote)
	if _, err := c.Header(path); err != nil {
		return nil, c, err
	}
	for {
		cells, err := c.Next()
		switch {
		case errors.Is(err, io.EOF):
			return records, c, nil
		case isRow(err):
			records = append(records, "bad "+err.Error())
		case err != nil:
			return records, c, err
		default:
			records = append(records, string(bytes.Join(cells, []byte{'/'})))
		}
	}
}

func TestQuoting(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		comma   byte
		quote   Quote
		want    []string // "bad …" stands for a row error that holds the rest
	}{
		"quoted word at the start":  {"a\tb\n1\t\"Red\" mug\n2\tx\n", '\t', QuoteAuto, []string{`1/"Red" mug`, "2/x"}},
		"opens, closes rows later":  {"a\tb\n1\t\"Red mug\n2\tx\n3\t27\" screen\n4\ty\n", '\t', QuoteAuto, []string{`1/"Red mug`, "2/x", `3/27" screen`, "4/y"}},
		"opens, ends a later row":   {"a\tb\n1\t\"Red mug\n2\tx\n3\tscreen 27\"\n4\ty\n", '\t', QuoteAuto, []string{`1/"Red mug`, "2/x", `3/screen 27"`, "4/y"}},
		"opens, never closes":       {"a\tb\n1\t\"Red mug\n2\tx\n3\ty\n", '\t', QuoteAuto, []string{`1/"Red mug`, "2/x", "3/y"}},
		"spans cells of a row":      {"a\tb\tc\n1\t\"Red\tmug\"\n", '\t', QuoteAuto, []string{`1/"Red/mug"`}},
		"a bad row is among them":   {"a\tb\n1\t\"Red mug\n2\n3\tscreen 27\"\n", '\t', QuoteAuto, []string{`1/"Red mug`, "2", `3/screen 27"`}},
		"well quoted":               {"a\tb\n1\t\"Red\tmug\"\n2\t\"two\nlines\"\n3\t\"say \"\"x\"\"\"\n", '\t', QuoteAuto, []string{"1/Red\tmug", "2/two\nlines", `3/say "x"`}},
		"said to be none":           {"a\tb\n1\t\"Red\"\n", '\t', QuoteNone, []string{`1/"Red"`}},
		"said to be none, commas":   {"a,b\n1,\"Red mug\n2,x\n", ',', QuoteNone, []string{`1/"Red mug`, "2/x"}},
		"said to be double":         {"a\tb\n1\t\"Red mug\n2\tx\"\n3\ty\n", '\t', QuoteDouble, []string{"1/Red mug\n2\tx", "3/y"}},
		"CSV, two lines":            {"a,b,c\n1,\"Red\nmug, 2\",x\n", ',', QuoteAuto, []string{"1/Red\nmug, 2/x"}},
		"CSV, never closes":         {"a,b\n1,\"Red\n2,x\n3,y\n", ',', QuoteAuto, []string{"bad never closes", "2/x", "3/y"}},
		"CSV, closes in a text":     {"a,b\n1,\"Red\n2,x\n3,27\" y\n4,z\n", ',', QuoteAuto, []string{"bad after the closing quote", "2/x", `3/27" y`, "4/z"}},
		"CSV, makes another number": {"a,b,c\n1,\"Red,x\n2,y\",z,v\n3,y,w\n", ',', QuoteAuto, []string{"bad makes 4 fields", `2/y"/z/v`, "3/y/w"}},
		"CSV, proved to be quoted":  {"a,b\n1,\"x,y\"\n2,\"two, of\n3,lines\"\n", ',', QuoteAuto, []string{"1/x,y", "2/two, of\n3,lines"}},
		"semicolons":                {"a;b\n1;\"x;y\"\n", ';', QuoteAuto, []string{"1/x;y"}},
	} {
		got, _, err := recordsOf(writeFile(t, c.content), c.comma, c.quote)
		ok := err == nil && len(got) == len(c.want)
		for i := 0; ok && i < len(got); i++ {
			part, bad := strings.CutPrefix(c.want[i], "bad ")
			ok = got[i] == c.want[i] || bad && strings.HasPrefix(got[i], "bad ") && strings.Contains(got[i], part)
		}
		if !ok {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	// Two readings are as good as each other: the user says which.
	path := writeFile(t, "a,b\n1,\"Red\n2,x\n3,27\"\n4,y\n")
	if _, _, err := recordsOf(path, ',', QuoteAuto); err == nil || !strings.Contains(err.Error(), "f:2: a quote that opens here closes on line 4") {
		t.Errorf("two readings: %v", err)
	}
	if got, _, err := recordsOf(path, ',', QuoteNone); err != nil || len(got) != 4 {
		t.Errorf("none: %q, %v", got, err)
	}
	if got, _, err := recordsOf(path, ',', QuoteDouble); err != nil || len(got) != 2 {
		t.Errorf("double: %q, %v", got, err)
	}
	// What is doubtful is counted.
	if _, c, err := recordsOf(writeFile(t, "a,b\n1,\"x,y\"\n2,\"two\n3,lines\"\n"), ',', QuoteAuto); err != nil || c.Doubtful != 1 {
		t.Errorf("doubtful: %+v, %v", c, err)
	}
}

// However quotes stand in a tab-separated file of which every line is a row, no row is
// lost; in one separated by commas, none is lost without a word.
func FuzzQuotesSwallowNoRow(f *testing.F) {
	f.Add("1\t\"a\n2\tb\"\n3\tc\n")
	f.Add("\"\t\"\"\n\"\"\t\"\n")
	f.Add("a\t\"b\"\"\n\"c\t\"\n")
	path := filepath.Join(f.TempDir(), "f")
	f.Fuzz(func(t *testing.T, text string) {
		for _, comma := range []string{"\t", ","} {
			var lines []string
			for line := range strings.SplitSeq(text, "\n") {
				if fields := strings.Split(line, "\t"); len(fields) == 2 && !strings.ContainsAny(line, "\r,\x00") && strings.ToValidUTF8(line, "") == line && strings.Trim(line, " \t\v\f\u0085\u00a0\ufeff") != "" {
					lines = append(lines, strings.Join(fields, comma))
				}
			}
			if err := os.WriteFile(path, []byte("h"+comma+"i\n"+strings.Join(lines, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
			got, c, err := recordsOf(path, comma[0], QuoteAuto)
			if comma == "\t" && (err != nil || len(got) != len(lines) || slices.ContainsFunc(got, func(r string) bool { return strings.HasPrefix(r, "bad ") && !slices.Contains(lines, r) })) {
				t.Fatalf("%q: %q, %v", lines, got, err)
			}
			if comma == "," && err == nil && len(got) < len(lines) && c.Doubtful == 0 {
				t.Fatalf("%q: %q", lines, got)
			}
		}
	})
}

func objectsOf(path string) (objects []string, lines []int, err error) {
	f, err := Open(path, Encoding{})
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	p := &Pass{Path: path, Policy: &dataset.RowPolicy{}}
	err = EachObject(context.Background(), f, p, func(o []byte, line int) error {
		if i := bytes.IndexByte(o, '!'); i >= 0 {
			return Bad(i+1, "a mark")
		}
		objects, lines = append(objects, string(o)), append(lines, line)
		return nil
	})
	return objects, lines, err
}

func TestObjects(t *testing.T) {
	for content, want := range map[string][]string{
		"{\"a\": 1}\n\n{\"a\": 2}\n":                      {`1 {"a": 1}`, `3 {"a": 2}`},
		"[{\"a\": 1},\n {\"a\": \"}]\\\"\"} , {}\n]\n":    {`1 {"a": 1}`, `2 {"a": "}]\""}`, `2 {}`},
		" \n[\n{\n\"a\": [1]\n}\n]":                       {"3 {\n\"a\": [1]\n}"},
		"{\n \"a\": 1\n}\n{\n \"a\": 2\n}\n":              {"1 {\n \"a\": 1\n}", "4 {\n \"a\": 2\n}"},
		"[]":                                              nil,
		"\ufeff[{}]":                                      {"1 {}"},
		"[\r{\"a\": 1},\r{\"a\": 2}\r]":                   {`2 {"a": 1}`, `3 {"a": 2}`},
		"[" + strings.Repeat("{\"a\": 1},", 9999) + "{}]": nil,
	} {
		objects, lines, err := objectsOf(writeFile(t, content))
		var got []string
		for i, o := range objects {
			got = append(got, fmt.Sprint(lines[i], " ", o))
		}
		if len(content) > 9999 {
			if len(objects) != 10000 {
				t.Errorf("a long line: %d objects", len(objects))
			}
			got = nil
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%.60q: %q, %v; want %q", content, got, err, want)
		}
	}
	for content, want := range map[string]string{
		"[{\"a\": 1}":              "never closes",
		"[{\"a\": 1":               "the object that begins here never closes",
		"[{} {}]":                  `f:1:5: '{' where an object is expected`,
		"[{},,{}]":                 `f:1:5: ',' where`,
		"[1, 2]":                   `f:1:2: '1' where`,
		"[[1]]":                    "where an object is expected",
		"[{}] x":                   `f:1:6: 'x' after the end`,
		"[{}, \n  {\"a\": \"!\"}]": "f:2:10: a mark",
		"[\n{\n\"a\": \"!\"}]":     "f:3:7: a mark",
		"{\n":                      "never closes",
	} {
		_, _, err := objectsOf(writeFile(t, content))
		if _, user := usererr.Hint(err); !user || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

// An array of objects gives what encoding/json finds in it.
func FuzzObjects(f *testing.F) {
	f.Add([]byte(`[{"a": "}\"]"}, {"b": [1, {"c": null}]}]`))
	f.Add([]byte("[\n{}\n,\r\n{}]\n"))
	path := filepath.Join(f.TempDir(), "f")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		objects, _, err := objectsOf(path)
		if err != nil {
			if _, user := usererr.Hint(err); !user {
				t.Fatalf("not the user's: %v", err)
			}
		}
		var want []map[string]any
		if !bytes.HasPrefix(data, []byte{'['}) || json.Unmarshal(data, &want) != nil || bytes.ContainsAny(data, "!") || slices.ContainsFunc(want, func(o map[string]any) bool { return o == nil }) {
			return
		}
		if bytes.Contains(data, []byte("\ufeff")) || !json.Valid(data) || err != nil && strings.Contains(err.Error(), "UTF-8") {
			return
		}
		var got []map[string]any
		for _, o := range objects {
			var v map[string]any
			if err := json.Unmarshal([]byte(o), &v); err != nil {
				t.Fatal(err)
			}
			got = append(got, v)
		}
		if err != nil || len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %v, %v; want %v", data, got, err, want)
		}
	})
}
