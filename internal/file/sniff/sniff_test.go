package sniff

import (
	"strings"
	"testing"
)

func TestKind(t *testing.T) {
	tar := strings.Repeat("x", tarAt) + "ustar\x00"
	for start, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n": "Git LFS pointer",
		"/annex/objects/MD5E-s12--ab.csv\n":                                    "git-annex",
		"\xef\xbb\xbf\n <!DOCTYPE HTML>":                                       "web page",
		"<HTML><head>":                                                         "web page",
		"<?xml version='1.0'?><Error>":                                         "XML",
		"PAR1\x15":                                                             "Parquet",
		"PK\x03\x04\x14":                                                       "ZIP",
		"\x28\xb5\x2f\xfd\x04":                                                 "zstd",
		"BZh91AY&SY\x00":                                                       "bzip2",
		tar:                                                                    "tar archive",
		"user,item\na,b\n":                                                     "",
		"{\"user\": 1}":                                                        "",
		"version,item\n":                                                       "",
		"":                                                                     "",
		"ORCID,item\n":                                                         "",
		"PAR1,item\n":                                                          "",
		"BZh,item\n":                                                           "",
		"<3,loves\n":                                                           "",
	} {
		got, ok := Kind([]byte(start))
		if ok != (want != "") || !strings.Contains(got.What, want) || ok && !strings.HasSuffix(got.Cure, ".") {
			t.Errorf("%.30q: %+v, want %q", start, got, want)
		}
	}
}

func TestMark(t *testing.T) {
	for start, want := range map[string]struct {
		encoding Encoding
		length   int
	}{
		"\xef\xbb\xbfa": {UTF8, 3}, "\xff\xfea\x00": {UTF16LE, 2}, "\xfe\xff\x00a": {UTF16BE, 2}, "\xff\xfe\x00\x00a\x00\x00\x00": {UTF32LE, 4},
		"\x00\x00\xfe\xff": {UTF32BE, 4}, "a": {}, "": {}, "\xef\xbb": {},
	} {
		if e, n := Mark([]byte(start)); e != want.encoding || n != want.length {
			t.Errorf("%q: %q, %d", start, e, n)
		}
	}
}

func TestUnmarked16(t *testing.T) {
	for start, want := range map[string]Encoding{
		"u\x00s\x00e\x00r\x00": UTF16LE, "\x00u\x00s\x00e\x00r": UTF16BE, "user,item\n": Unmarked, "a\x00": Unmarked, "": Unmarked, "\x00\x00\x00\x00\x00\x00": Unmarked,
	} {
		if e, ok := Unmarked16([]byte(start)); e != want || ok != (want != Unmarked) {
			t.Errorf("%q: %q", start, e)
		}
	}
}
