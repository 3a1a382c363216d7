package secret

import (
	"strings"
	"unicode/utf8"
)

// folded maps a byte to what it is compared by: lower case; 0 for what may stand between two
// letters of a secret, white space and separators. A separator that belongs to the secret is
// looked for too, afterwards; see [form.stands].
var folded = func() (t [256]byte) {
	for i := range t {
		if t[i] = byte(i); i >= 'A' && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	for i := range ' ' + 1 {
		t[i] = 0
	}
	for _, c := range []byte("\x7f\"'`\\:-,_.+=;*[]()") {
		t[c] = 0
	}
	return t
}()

// letter returns what begins at i, as it is compared, and how many bytes it takes; 0 for
// what may stand between letters. Letters beyond ASCII are taken byte by byte.
func letter(s string, i int) (c byte, n int) {
	if s[i] < utf8.RuneSelf {
		return folded[s[i]], 1
	}
	switch s[i] { // lead bytes of what follows
	case 0xc2, 0xcd, 0xe1, 0xe2, 0xe3, 0xef, 0xf3:
	default:
		return s[i], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	switch {
	case r >= 0xff01 && r <= 0xff5e: // full-width forms of ASCII
		return folded[r-0xff01+'!'], n
	case r >= 0x80 && r <= 0x9f, r == 0xa0, r == 0xad, r == 0x34f, r == 0x180e, r >= 0x2000 && r <= 0x200f, r >= 0x2028 && r <= 0x202f,
		r >= 0x205f && r <= 0x206f, r == 0x3000, r >= 0xfe00 && r <= 0xfe0f, r == 0xfeff, r >= 0xe0000 && r <= 0xe01ef:
		return 0, n
	}
	return s[i], 1
}

// foldAll returns s with every byte in the case that it is compared in, separators kept.
func foldAll(s string) string {
	b := []byte(s)
	for i, c := range b {
		if f := folded[c]; f != 0 {
			b[i] = f
		}
	}
	return string(b)
}

// stands reports whether s, in which the letters of f stand from its first to its last, has
// the separators of f too, where f has them.
func (f *form) stands(s string) bool {
	if f.dense {
		for i, n := 0, 0; i < len(s); i += n {
			var c byte
			if c, n = letter(s, i); c == 0 {
				return false
			}
		}
	}
	return f.follow(s) == len(f.text)
}

// follow returns how much of f stands in s; what s has besides may be separators only.
func (f *form) follow(s string) int {
	j := 0
	for i := 0; i < len(s); {
		c, n := letter(s, i)
		switch {
		case j == len(f.text):
			return j
		case c != 0 && c == f.text[j], c == 0 && same(s, i, n, f.text[j]):
			j++
		case c != 0:
			return j
		}
		i += n
	}
	return j
}

// same reports whether the separator of n bytes at i may stand for c.
func same(s string, i, n int, c byte) bool {
	if c == ' ' {
		return n > 1 || strings.IndexByte(" \t\r\n+_", s[i]) >= 0
	}
	if n > 1 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return r >= 0xff01 && r <= 0xff5e && byte(r-0xff01+'!') == c
	}
	return s[i] == c
}
