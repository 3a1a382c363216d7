package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

const key = `sk-proj-A1b2/C3+d4_E5%6&"q\z`

// writings are ways in which a server or a library could write a key.
func writings(v string) map[string]string {
	each := func(format string) string {
		var b strings.Builder
		for _, c := range []byte(v) {
			fmt.Fprintf(&b, format, c)
		}
		return b.String()
	}
	quoted, _ := json.Marshal(v)
	twice, _ := json.Marshal(string(quoted))
	thrice, _ := json.Marshal(string(twice))
	backwards := []byte(v)
	for i, j := 0, len(backwards)-1; i < j; i, j = i+1, j-1 {
		backwards[i], backwards[j] = backwards[j], backwards[i]
	}
	spaced := strings.Join(strings.Split(v, ""), " ")
	return map[string]string{
		"as it is": v, "json": string(quoted[1 : len(quoted)-1]), "json twice": string(twice), "json thrice": string(thrice),
		"\\u": each(`\u%04x`), "\\U": each(`\U%08X`), "\\u{}": each(`\u{%x}`), "\\x": each(`\x%02x`), "octal": each(`\%03o`), "\\\\u": each(`\\u%04X`),
		"query": url.QueryEscape(v), "path": url.PathEscape(v), "all percent": each("%%%02x"), "percent twice": url.QueryEscape(each("%%%02X")),
		"html": html.EscapeString(v), "decimal entities": each("&#%d;"), "hex entities": each("&#x%X;"), "entities twice": html.EscapeString(each("&#%d;")),
		"upper case": strings.ToUpper(v), "lower case": strings.ToLower(v), "spaced": spaced, "lines": strings.Join(strings.Split(v, ""), "\n"),
		"zero width": strings.Join(strings.Split(v, ""), "\u200b"), "soft hyphens": v[:9] + "\u00ad" + v[9:], "wrapped": v[:12] + "\n  " + v[12:],
		"base64": base64.StdEncoding.EncodeToString([]byte(v)), "base64 url": base64.RawURLEncoding.EncodeToString([]byte(v)),
		"base64 of the header": base64.StdEncoding.EncodeToString([]byte("Bearer " + v)), "base64 of basic": base64.StdEncoding.EncodeToString([]byte("user:" + v + "\n")),
		"base64 off by two": base64.StdEncoding.EncodeToString([]byte("ab" + v + "yz")), "base64 escaped": strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte("x"+v)), "/", `\/`),
		"hex": hex.EncodeToString([]byte(v)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(v))), "hex bytes": each("%02x "), "hex colons": each("%02X:"), "hex 0x": each("0x%02x, "),
		"codes": each("%d, "), "backwards": string(backwards),
	}
}

func TestEveryWriting(t *testing.T) {
	m := newMatcher([]string{key})
	for name, written := range writings(key) {
		got := m.redact("before " + written + " after")
		if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, "after") || !strings.Contains(got, Redacted) {
			t.Errorf("%s: %q became %q", name, written, got)
		}
		left := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(got, Redacted, ""), "before "), "after"))
		if len(left) > 24 { // quotes, and what base64 mixes with its neighbours
			t.Errorf("%s: %q is left of %q", name, left, written)
		}
	}
}

func TestOtherTextStays(t *testing.T) {
	m := newMatcher([]string{key, "hunter2-hunter2"})
	for _, s := range []string{"", "sk-proj-", "A warm red mug of stoneware, 350 ml & dishwasher safe (100 %).", `{"a":"\u0073\u006b-proj"}`, strings.Repeat("sk-proj-A1b2/", 50),
		"hunter2", "hunter2 hunter3", "%73%6b", "&#115;&#107;-", `\\\\\\`, "%%%%", "&&&&&;;;", "\\", "%", "&", "&#", `\u`, `\u{`, "日本語の説明 Ünïcödé"} {
		if got := m.redact(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func TestMixedWritings(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		v := randomKey(rng)
		m := newMatcher([]string{v})
		written := mixed(rng, v)
		if got := m.redact("x " + written + " y"); got != "x "+Redacted+" y" {
			t.Fatalf("%q in %q became %q", v, written, got)
		}
	}
}

func randomKey(rng *rand.Rand) string {
	b := make([]byte, Shortest+rng.IntN(40))
	for i := range b {
		b[i] = byte('!' + rng.IntN('~'-'!'+1))
	}
	return string(b)
}

// mixed writes each letter in another way.
func mixed(rng *rand.Rand, v string) string {
	var b strings.Builder
	for i, c := range []byte(v) {
		formats := []string{`\u%04x`, `\x%02X`, "%%%02x", "&#%d;", "&#x%x;", `\\u%04x`, "%%25%02x", "&amp;#%d;"}
		if n := rng.IntN(len(formats) + 4); n < len(formats) {
			fmt.Fprintf(&b, formats[n], c)
		} else {
			b.WriteByte(c)
		}
		if i+1 < len(v) && rng.IntN(12) == 0 {
			b.WriteString([]string{"\u200b", " ", "\n", "\u00ad"}[rng.IntN(4)])
		}
	}
	return b.String()
}

func FuzzRedact(f *testing.F) {
	for _, w := range writings(key) {
		f.Add(w, uint64(1))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 7))
		v := randomKey(rng)
		m := newMatcher([]string{v})
		got := m.redact(text + "|" + mixed(rng, v) + "|" + text)
		if !strings.Contains(got, Redacted) {
			t.Errorf("%q is not found", v)
		}
	})
}

func TestClean(t *testing.T) {
	registry.Store(newMatcher([]string{"canary-key-1234"}))
	defer registry.Store(nil)
	type inner struct {
		Text string
		Raw  json.RawMessage
		Any  any
		hid  string //nolint:unused // what is not exported is not reached, and not decoded either
	}
	var v struct {
		List []inner
		Map  map[string]any
		By   map[string][]string
		P    *string
		Nums []float32
	}
	doc := `{"List":[{"Text":"a canary\u002dkey-1234 b","Raw":{"x":["c\u0061nary-key-1234",12345678901234567890]},"Any":{"deep":["canary-key-1234"]}}],
		"Map":{"canary-key-1234":"canary-key-1234"},"By":{"k":["canary-key-1234"]},"P":"canary-key-1234","Nums":[1,2]}`
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		t.Fatal(err)
	}
	Clean(&v)
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "canary") || strings.Count(string(raw), Redacted) != 7 || !strings.Contains(string(raw), "12345678901234567890") || len(v.Nums) != 2 {
		t.Errorf("%s", raw)
	}
	var out bytes.Buffer
	fmt.Fprintf(Writer(&out), "key canary-key-1234\n")
	if out.String() != "key "+Redacted+"\n" {
		t.Errorf("written %q", out.String())
	}
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"mllmrec describe ws --store postgres://u:p%40ss@db:5432/x?sslmode=disable": "mllmrec describe ws --store postgres://u:" + Redacted + "@db:5432/x?sslmode=disable",
		"--store host=db user=u password='a b' dbname=x":                            "--store host=db user=u password=" + Redacted + " dbname=x",
		"postgres://u@db/x?password=hunter2&sslmode=disable":                        "postgres://u@db/x?password=" + Redacted + "&sslmode=disable",
		"mllmrec run ws --set lr=0.1 --base-url http://h:1/v1":                      "mllmrec run ws --set lr=0.1 --base-url http://h:1/v1",
	} {
		if got := Line(in); got != want {
			t.Errorf("%s\n  became %s\n  want   %s", in, got, want)
		}
	}
}

func BenchmarkRedact(b *testing.B) {
	m := newMatcher([]string{key, "another-secret-of-some-length"})
	rng := rand.New(rand.NewPCG(1, 1))
	raw := make([]byte, 3<<20)
	for i := range raw {
		raw[i] = byte(rng.Uint32())
	}
	for name, text := range map[string]string{
		"words":   strings.Repeat("A warm red mug of stoneware, 350 ml & dishwasher safe. ", 4<<20/56),
		"base64":  base64.StdEncoding.EncodeToString(raw),
		"slashes": strings.Repeat(`\`, 4<<20),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				m.redact(text)
			}
		})
	}
}
