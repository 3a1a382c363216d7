package normal

import (
	"encoding/binary"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// doubleArray builds the character map of single bytes to texts, as ParseCharsmap reads it:
// node 0 has its children at offset 512, each child its leaf at an offset of its own.
func doubleArray(entries map[byte]string) []byte {
	units := make([]uint32, 2048)
	units[0] = 512 << 10
	texts := ""
	for b, to := range entries {
		child := 512 ^ uint32(b)
		leaf := 1024 + uint32(b)
		units[child] = (child^leaf)<<10 | 1<<8 | uint32(b)
		units[leaf] = 1<<31 | uint32(len(texts))
		texts += to + "\x00"
	}
	data := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, u := range units {
		data = binary.LittleEndian.AppendUint32(data, u)
	}
	return append(data, texts...)
}

func TestCharsmap(t *testing.T) {
	m, err := ParseCharsmap(doubleArray(map[byte]string{'a': "AA", 'b': "", '\r': " ", '\n': " "}))
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"": "", "abc": "AAc", "a\u0301c": "AAc", "a\u0301\u0301\u0301c": "AA\u0301\u0301\u0301c", // short clusters whole, long ones by character
		"\r\n": " ", "\n\r": "  ", "\x00a": "\x00AA", "ña": "ñAA", "\U0001f468\u200d\U0001f469a": "\U0001f468\u200d\U0001f469AA",
	} {
		if got := m.Apply(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestDamagedCharsmaps(t *testing.T) {
	good := doubleArray(map[byte]string{'a': "A"})
	for name, data := range map[string][]byte{
		"empty": nil, "short": good[:3], "cut": good[:100], "no units": append(make([]byte, 4), good[4:]...),
		"odd": append([]byte{7, 0, 0, 0}, good[4:]...), "other bytes": append(good[:len(good):len(good)], 0xff),
	} {
		_, err := ParseCharsmap(data)
		if _, ok := usererr.Hint(err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCharsmap(f *testing.F) {
	f.Add(doubleArray(map[byte]string{'a': "é", 'b': ""}), "abc a\u0301\r\n\u200d")
	damaged := doubleArray(map[byte]string{'a': "A"})
	for i := range len(damaged) / 8 {
		damaged[8*i+5] ^= byte(i)
	}
	f.Add(damaged, "abcdefg")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		m, err := ParseCharsmap(data)
		if err != nil {
			return
		}
		if out := m.Apply(text); utf8.ValidString(text) && !utf8.ValidString(out) {
			t.Fatalf("%q became %q", text, out)
		}
	})
}

func clusters(s string) (list []string) {
	for s != "" {
		n := nextCluster(s)
		list = append(list, s[:n])
		s = s[n:]
	}
	return list
}

// TestClusters takes the cases of UAX #29 that its rules are about.
func TestClusters(t *testing.T) {
	for _, want := range [][]string{
		{"a", "b"}, {"\r\n", "a"}, {"\n", "\r", "\r\n"}, {"a\u0301\u0302", "b"}, {"\u200b", "\u0301"}, {"\x7f", "\u0301"},
		{"\u1100\u1161\u11a8", "\u1100"}, {"\uac00\u11a8", "\uac01"}, {"\uac01\u11a8\u11a8"}, {"\u1161\u1161", "\u1100\uac00"},
		{"\U0001f1fa\U0001f1f3", "\U0001f1ef\U0001f1f5", "\U0001f1fa"}, {"\U0001f468\u200d\U0001f469\u200d\U0001f467", "x"},
		{"\u263a\u0301\u200d\u263a"}, {"a\u200d", "\u263a"}, {"\u0915\u094d\u0915", "\u0915"}, {"\u0915\u094d\u200d\u0915"},
		{"\u0915\u200c\u094d", "\u0915"}, {"\u0600a", "b"}, {"\u0600", "\n"}, {"\u0915\u0903", "\u0915"}, {"\u0e01\u0e33"},
	} {
		if got := clusters(strings.Join(want, "")); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzClusters(f *testing.F) {
	f.Add("a\u0301\r\n\U0001f468\u200d\U0001f469\u0915\u094d\u0915\U0001f1fa\U0001f1f3\uac00\xff")
	f.Fuzz(func(t *testing.T, s string) {
		at := 0
		for _, c := range clusters(s) {
			first, _ := utf8.DecodeRuneInString(c)
			if class := breakClassOf(first); at > 0 && (class == extendClass || class == joinerClass || class == spacingClass) {
				before, _ := utf8.DecodeLastRuneInString(s[:at])
				if b := breakClassOf(before); b != controlClass && b != crClass && b != lfClass {
					t.Fatalf("%q: a cluster begins with %U", s, first)
				}
			}
			at += len(c)
		}
		if at != len(s) {
			t.Fatalf("%q: %d of %d bytes", s, at, len(s))
		}
	})
}

func TestSteps(t *testing.T) {
	for _, x := range []struct {
		step     Step
		in, want string
	}{
		{Steps{}, "x", "x"},
		{Steps{Replace{"b", "cc"}, Replace{"cc", "d"}}, "abc", "adc"},
		{Replace{"", "x"}, "ab", "ab"},
		{ReplacePattern{regexp.MustCompile(" {2,}"), "$0_"}, "a   b c", "a$0_b c"},
		{Strip{Left: true}, " \u3000a ", "a "}, {Strip{Right: true}, " a\u2003", " a"}, {Strip{Left: true, Right: true}, "\t a\n", "a"},
		{Prepend("_"), "", ""}, {Prepend("_"), "a", "_a"},
		{LowerCase{}, "ÀÉΣİ", "àéσi̇"},
	} {
		if got := x.step.Apply(x.in); got != x.want {
			t.Errorf("%#v: %q, want %q", x.step, got, x.want)
		}
	}
}
