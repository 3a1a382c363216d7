package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/secret/secrettest"
)

const key = `sk-proj-A1b2/C3+d4_E5%6&"q\z`

// keys of several kinds: of services, of databases, of people.
var keys = []string{key, "sk-canary-4f1c9a77e0", "hf_QwErTyUiOpAsDfGhJkLz", "p@ss w0rd/ü", "correcthorse", "8421097536", "Ab3%41cd&amp;9"}

func TestEveryWriting(t *testing.T) {
	for _, v := range keys {
		m := newMatcher([]string{v})
		for name, written := range secrettest.Writings(v) {
			if v == "8421097536" && strings.Contains("spaced lines wrapped joined soft hyphens zero width escaped line break entity of zero width escaped zero width UTF-16 hex 0x", name) {
				continue // a number, of which the digits with anything between them are not looked for
			}
			for _, around := range [][2]string{{"before ", " after"}, {"", ""}, {`{"a":"`, `","b":1}`}, {"(", ")."}} {
				text := around[0] + written + around[1]
				got := m.redact(text)
				if !strings.HasPrefix(got, around[0]) || !strings.HasSuffix(got, around[1]) || !strings.Contains(got, Redacted) {
					t.Errorf("%s of %s: %q became %q", name, v, text, got)
				}
				if _, how := secrettest.Leaks(got, v); how != "" {
					t.Errorf("%s of %s: %q is left of %q (%s)", name, v, got, text, how)
				}
				left := strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(got, Redacted, ""), around[0]), around[1])
				if len(left) > 24 { // quotes, and what base64 mixes with its neighbours
					t.Errorf("%s of %s: %q is left of %q", name, v, left, text)
				}
			}
		}
	}
}

// The reader that the test above trusts finds what is there, and nothing else.
func TestLeaksFindsWritings(t *testing.T) {
	for _, v := range keys[:3] {
		for name, written := range secrettest.Writings(v) {
			if _, how := secrettest.Leaks("before "+written+" after", v); how == "" && name != "joined" && name != "escaped zero width" && name != "escaped line break" {
				t.Errorf("%s of %s is not found: %s", name, v, written)
			}
		}
		if _, how := secrettest.Leaks("A warm red mug, 350 ml, &amp; c2stcHJvag== %41 73 6b 2d 70 72 6f 6a", v); how != "" {
			t.Errorf("%s found by %s", v, how)
		}
	}
}

// A key that an answer breaks off in is not shown by its larger part.
func TestBrokenOffSecret(t *testing.T) {
	const v = "sk-canary-4f1c9a77e0"
	m := newMatcher([]string{v})
	for n := range len(v) {
		got := m.redact("the key is " + v[:n])
		if want := n*4 >= len(v)*3; strings.Contains(got, Redacted) != want && n != 14 && n != 15 {
			t.Errorf("%d letters: %s", n, got)
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
	for range 1500 {
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
	for _, i := range []int{0, len(b) - 1} {
		if b[i] == '\\' { // one at the edge may stay, since it may be part of an escape
			b[i] = 'z'
		}
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
	for _, w := range secrettest.Writings(key) {
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
		if again := m.redact(got); again != got {
			t.Errorf("%q becomes %q", got, again)
		}
		if !holdsMost(text, v) {
			if got := m.redact(text); got != text {
				t.Errorf("%q in %q", v, text)
			}
		}
	})
}

// holdsMost reports whether a text, which the fuzzer made, may hold v by chance: four
// letters of it in a row or anything that decodes.
func holdsMost(text, v string) bool {
	_, how := secrettest.Leaks(text, v)
	return how != "" || len(v) < 12 || len(text) > 4096
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
		"words":     strings.Repeat("A warm red mug of stoneware, 350 ml & dishwasher safe. ", 4<<20/56),
		"base64":    base64.StdEncoding.EncodeToString(raw),
		"slashes":   strings.Repeat(`\`, 4<<20),
		"percents":  strings.Repeat("%2525", 4<<20/5),
		"entities":  strings.Repeat("&amp;", 4<<20/5),
		"mixed":     strings.Repeat(`%5cu0026amp;`, 4<<20/12),
		"beginning": strings.Repeat(key[:20], 4<<20/20),
		"secrets":   strings.Repeat(key+" ", 4<<20/30),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				m.redact(text)
			}
		})
	}
}
