package source

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	utf "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"

	"github.com/mllmrec/mllmrec/internal/file/sniff"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Encoding is how the bytes of a file are to be read as text.
type Encoding struct {
	name    string            // canonical; "" = not named: UTF-8, or what a byte order mark says
	decoder encoding.Encoding // nil = UTF-8
}

// pythonNames are names that Python has for encodings, and browsers have not.
var pythonNames = map[string]string{"utf8sig": "utf-8", "cp932": "shift_jis", "windows31j": "shift_jis", "cp936": "gbk", "cp949": "euc-kr", "cp950": "big5",
	"latin1": "windows-1252", "latin9": "iso-8859-15", "cp65001": "utf-8"}

// ParseEncoding reads the name of an encoding, as browsers, Python and Windows write it;
// "" names none.
func ParseEncoding(name string) (Encoding, error) {
	plain := strings.ToLower(strings.TrimSpace(name))
	key := strings.NewReplacer("-", "", "_", "", " ", "").Replace(plain)
	if known, ok := pythonNames[key]; ok {
		plain = known
	}
	switch key {
	case "":
		return Encoding{}, nil
	case "utf8":
		return Encoding{name: string(sniff.UTF8)}, nil
	case "utf16", "utf16le":
		return marked(sniff.UTF16LE), nil
	case "utf16be":
		return marked(sniff.UTF16BE), nil
	case "utf32", "utf32le":
		return marked(sniff.UTF32LE), nil
	case "utf32be":
		return marked(sniff.UTF32BE), nil
	}
	for _, n := range []string{plain, key, strings.ReplaceAll(plain, "_", "-"), "windows-" + strings.TrimPrefix(key, "cp"), "x-" + plain} {
		e, err := htmlindex.Get(n)
		if err != nil || e == encoding.Replacement {
			continue
		}
		canonical, err := htmlindex.Name(e)
		if err != nil || canonical == "x-user-defined" {
			continue
		}
		if canonical == string(sniff.UTF8) {
			return Encoding{name: canonical}, nil
		}
		return Encoding{canonical, e}, nil
	}
	return Encoding{}, usererr.New("Name it as browsers do: utf-8, utf-16, windows-1252, iso-8859-2, windows-1251, shift_jis, euc-jp, gbk, gb18030, big5, euc-kr.",
		"%s: %q is no known encoding", usererr.Option("encoding"), name)
}

// marked is an encoding that a byte order mark tells.
func marked(name sniff.Encoding) Encoding {
	var e encoding.Encoding
	switch name {
	case sniff.UTF16LE:
		e = utf.UTF16(utf.LittleEndian, utf.IgnoreBOM)
	case sniff.UTF16BE:
		e = utf.UTF16(utf.BigEndian, utf.IgnoreBOM)
	case sniff.UTF32LE:
		e = utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)
	case sniff.UTF32BE:
		e = utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)
	}
	return Encoding{string(name), e}
}

// reader decodes r.
func (e Encoding) reader(r io.Reader) io.Reader {
	return transform.NewReader(r, e.decoder.NewDecoder())
}

// check says whether a line is text in the encoding. A file that is to be read as UTF-8
// because nobody said otherwise must be UTF-8; where the user said UTF-8, broken bytes are
// replaced and counted when the text is used.
func (f *File) check(line []byte, number int) error {
	if f.encoding.decoder == nil {
		if f.encoding.name != "" || f.anyBytes || utf8.Valid(line) {
			return nil
		}
		return f.notUTF8(line, number)
	}
	at := bytes.Index(line, []byte("\uFFFD"))
	if at < 0 || strings.HasPrefix(f.encoding.name, "utf-") {
		return nil
	}
	return usererr.New("Name the encoding that the file is in.", "%s:%d:%d: bytes that are no text in %s", f.path, number, at+1, f.encoding.name)
}

// notUTF8 says where a file is no UTF-8, and how the place reads in encodings that it may
// be in.
func (f *File) notUTF8(line []byte, number int) error {
	at := 0
	for at < len(line) {
		r, n := utf8.DecodeRune(line[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	hint := "Save the file as UTF-8"
	if readings := readingsOf(line, at); len(readings) > 0 {
		hint += fmt.Sprintf(", or name its encoding, for example %s %s", usererr.Option("encoding"), strings.Join(readings, " or "))
	}
	hint += fmt.Sprintf(". %s utf-8 takes it as it is and replaces the bytes that are no text.", usererr.Option("encoding"))
	return usererr.New(hint, "%s:%d:%d: not UTF-8: byte 0x%02x", f.path, number, at+1, line[at])
}

// candidates are the encodings that files are most often in, and what tells letters of
// them from chance.
var candidates = []struct {
	name   string
	script *unicode.RangeTable
}{{"windows-1252", unicode.Latin}, {"windows-1251", unicode.Cyrillic}, {"shift_jis", nil}, {"gb18030", unicode.Han}, {"euc-kr", unicode.Hangul}}

// readingsOf shows the surroundings of the byte at in each encoding in which they are text.
func readingsOf(line []byte, at int) []string {
	from, to := at, at
	for from > 0 && at-from < 24 && line[from-1] >= 0x20 && line[from-1] != ',' && line[from-1] != ';' && line[from-1] != '"' {
		from--
	}
	for to < len(line) && to-at < 24 && (line[to] >= 0x80 || line[to] >= 0x20 && line[to] != ',' && line[to] != ';' && line[to] != '"') {
		to++
	}
	var readings []string
	for _, c := range candidates {
		e, err := ParseEncoding(c.name)
		if err != nil {
			continue
		}
		text, err := e.decoder.NewDecoder().String(string(line[from:to]))
		if err == nil && plausible(text, c.script) {
			readings = append(readings, fmt.Sprintf("%s (%q)", c.name, text))
		}
	}
	return readings
}

// plausible reports whether text is without characters that no text has, and of the
// letters beyond ASCII at least half are of the script, of others than Latin also two side
// by side; nil stands for Japanese.
func plausible(text string, script *unicode.RangeTable) bool {
	letters, own, run, longest := 0, 0, 0, 0
	for _, r := range text {
		switch {
		case r == utf8.RuneError, r >= 0x80 && unicode.IsControl(r), unicode.Is(unicode.Co, r):
			return false
		case r < 0x80 || !unicode.IsLetter(r):
			run = 0
			continue
		}
		letters++
		if script == nil && unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han) || script != nil && unicode.Is(script, r) {
			own++
			run++
			longest = max(longest, run)
		}
	}
	return 2*own >= letters && (script == unicode.Latin || longest > 1)
}
