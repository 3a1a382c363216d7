// Package secrettest writes secrets in all ways that a server or a library could use, and
// finds them again by the decoders of the standard library, not by what it is to test.
package secrettest

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Writings are ways to write a secret, by name.
func Writings(v string) map[string]string {
	each := func(format string) string {
		var b strings.Builder
		for _, c := range []byte(v) {
			fmt.Fprintf(&b, format, c)
		}
		return b.String()
	}
	between := func(sep string) string { return strings.Join(strings.Split(v, ""), sep) }
	quoted, _ := json.Marshal(v)
	twice, _ := json.Marshal(string(quoted))
	thrice, _ := json.Marshal(string(twice))
	backwards := []byte(v)
	slices.Reverse(backwards)
	var wide []byte
	for _, u := range utf16.Encode([]rune(v)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	half := len(v) / 2
	return map[string]string{
		"as it is": v, "json": string(quoted[1 : len(quoted)-1]), "json twice": string(twice), "json thrice": string(thrice),
		"one letter": v[:half] + fmt.Sprintf(`\u%04x`, v[half]) + v[half+1:],
		"\\u":        each(`\u%04x`), "\\U": each(`\U%08X`), "\\u{}": each(`\u{%x}`), "\\x": each(`\x%02x`), "octal": each(`\%03o`), "\\\\u": each(`\\u%04X`), "\\\\\\\\u": each(`\\\\u%04x`),
		"query": url.QueryEscape(v), "path": url.PathEscape(v), "all percent": each("%%%02x"), "percent twice": url.QueryEscape(each("%%%02X")), "percent within json": each(`\u0025%02x`),
		"html": html.EscapeString(v), "decimal entities": each("&#%d;"), "hex entities": each("&#x%X;"), "entities twice": html.EscapeString(each("&#%d;")), "long entities": each("&#%06d;"),
		"quoted-printable": each("=%02X"), "upper case": strings.ToUpper(v), "lower case": strings.ToLower(v),
		"spaced": between(" "), "lines": between("\n"), "zero width": between("\u200b"), "soft hyphens": between("\u00ad"), "escaped zero width": between(`\u200b`), "entity of zero width": between("&ZeroWidthSpace;"),
		"wrapped": v[:half] + "\n      " + v[half:], "joined": v[:half] + `" + "` + v[half:], "escaped line break": v[:half] + `\n` + v[half:], "full width": full(v),
		"base64": base64.StdEncoding.EncodeToString([]byte(v)), "base64 url": base64.RawURLEncoding.EncodeToString([]byte(v)),
		"base64 of the header": base64.StdEncoding.EncodeToString([]byte("Bearer " + v)), "base64 of basic": base64.StdEncoding.EncodeToString([]byte("user:" + v + "\n")),
		"base64 off by two": base64.StdEncoding.EncodeToString([]byte("ab" + v + "yz")), "base64 escaped": strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte("x"+v)), "/", `\/`),
		"base64 in a query": url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(v))), "base64 of UTF-16": base64.StdEncoding.EncodeToString(wide),
		"base32": base32.StdEncoding.EncodeToString([]byte(v)), "hex": hex.EncodeToString([]byte(v)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(v))),
		"hex bytes": each("%02x "), "hex colons": each("%02X:"), "hex 0x": each("0x%02x, "), "UTF-16": string(wide), "codes": each("%d, "), "backwards": string(backwards),
	}
}

func full(v string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r - '!' + 0xff01
		}
		return r
	}, v)
}

var (
	unicodes = regexp.MustCompile(`\\+(?:u|U0000|u\{|U0000\{)([0-9a-fA-F]{4})\}?`)
	braced   = regexp.MustCompile(`\\+u\{([0-9a-fA-F]{2})\}`)
	hexes    = regexp.MustCompile(`(?:\\+x|=|0x)([0-9a-fA-F]{2})`)
	octals   = regexp.MustCompile(`\\+([0-3][0-7]{2})`)
	percents = regexp.MustCompile(`%([0-9a-fA-F]{2})`)
	base64s  = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}`)
	base32s  = regexp.MustCompile(`[A-Z2-7]{8,}`)
	digits   = regexp.MustCompile(`(?:[0-9a-fA-F]{2}[ :,-]*){6,}`)
	numbers  = regexp.MustCompile(`(?:\b\d{2,3}\b[ ,]*){6,}`)
)

// Leaks says which of some secrets stands in a text, and in which reading of it; "" where
// none does.
func Leaks(text string, values ...string) (which, how string) {
	var wanted []want
	for _, v := range values {
		backwards := []byte(v)
		slices.Reverse(backwards)
		for _, w := range []string{v, string(backwards), strings.ReplaceAll(v, `\`, "")} {
			wanted = append(wanted, want{v, bare(w), bare(apart.Replace(w))})
		}
	}
	seen := map[string]bool{}
	for n, one := range readings {
		at := text
		for range 4 {
			was := at
			at = one(at)
			if n > 0 && at == was {
				break
			}
			if seen[at] {
				continue
			}
			seen[at] = true
			if v := holds(at, wanted); v != "" {
				return v, fmt.Sprintf("escapes %d", n)
			}
			if v := decoded(at, wanted); v != "" {
				return v, fmt.Sprintf("bytes in escapes %d", n)
			}
			if n == 0 {
				break
			}
		}
	}
	return "", ""
}

// readings write escapes out, in several orders.
var readings = []func(string) string{
	func(s string) string { return s },
	func(s string) string { return by(unicodes, s, 16) }, func(s string) string { return by(hexes, s, 16) },
	func(s string) string { return by(octals, s, 8) }, func(s string) string { return by(percents, s, 16) },
	html.UnescapeString, func(s string) string { return strings.ReplaceAll(s, `\`, "") },
	func(s string) string {
		return by(octals, html.UnescapeString(by(percents, by(braced, by(unicodes, by(hexes, s, 16), 16), 16), 16)), 8)
	},
	func(s string) string { return strings.ReplaceAll(by(unicodes, s, 16), `\`, "") },
}

// want is a secret, and how it is compared.
type want struct{ value, bare, apart string }

// by writes out what a pattern finds.
func by(re *regexp.Regexp, s string, base int) string {
	return re.ReplaceAllStringFunc(s, func(m string) string {
		v, err := strconv.ParseUint(re.FindStringSubmatch(m)[1], base, 32)
		if err != nil || v > unicode.MaxRune {
			return m
		}
		return string(rune(v))
	})
}

// bare takes out of a text what cannot be seen, and case.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r > ' ' && r < 0x7f:
			return unicode.ToLower(r)
		case unicode.IsSpace(r), unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		case r >= 0xff01 && r <= 0xff5e:
			r += '!' - 0xff01
		}
		return unicode.ToLower(r)
	}, s)
}

// holds returns the secret that a text holds.
func holds(text string, wanted []want) string {
	b := bare(text)
	c := apart.Replace(b)
	for _, w := range wanted {
		if strings.Contains(b, w.bare) || strings.Contains(c, w.apart) {
			return w.value
		}
	}
	return ""
}

// apart takes out what may separate letters.
var apart = strings.NewReplacer(",", "", `"`, "", "'", "", "+", "", ":", "")

// decoded returns the secret that the bytes hold for which letters of a text stand.
func decoded(text string, wanted []want) string {
	var all strings.Builder
	add := func(raw []byte) {
		all.Write(raw)
		all.WriteString("\n\uffff\n") // so that nothing is put together
	}
	for _, run := range base64s.FindAllString(text, -1) {
		std := strings.NewReplacer("-", "+", "_", "/").Replace(run)
		for from := range min(4, len(std)) {
			s := std[from:]
			raw, _ := base64.RawStdEncoding.DecodeString(s[:len(s)/4*4])
			tail, _ := base64.RawStdEncoding.DecodeString(s)
			add(raw)
			add(tail)
		}
	}
	for _, run := range base32s.FindAllString(text, -1) {
		for from := range min(8, len(run)) {
			raw, _ := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(run[from:])
			add(raw)
		}
	}
	for _, run := range digits.FindAllString(text, -1) {
		run = strings.Map(func(r rune) rune {
			if strings.ContainsRune(" :,-", r) {
				return -1
			}
			return r
		}, run)
		for from := range 2 {
			raw, _ := hex.DecodeString(run[from : from+(len(run)-from)/2*2])
			add(raw)
		}
	}
	for _, run := range numbers.FindAllString(text, -1) {
		var b []byte
		for _, f := range strings.FieldsFunc(run, func(r rune) bool { return r == ' ' || r == ',' }) {
			n, _ := strconv.Atoi(f)
			b = append(b, byte(n))
		}
		add(b)
	}
	return holds(all.String(), wanted)
}
