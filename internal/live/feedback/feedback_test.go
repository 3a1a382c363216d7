package feedback

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/sqlite"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func open(t testing.TB) *live.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "live.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func events(t testing.TB, s *live.Store) []live.Event {
	t.Helper()
	got, err := s.Events(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func take(t testing.TB, s *live.Store, text string) (Imported, error) {
	t.Helper()
	return Import(t.Context(), s, "f.jsonl", strings.NewReader(text))
}

// What is exported and imported elsewhere is what it was; imported where it came from, or again,
// nothing is stored twice.
func TestThereAndBack(t *testing.T) {
	s := open(t)
	weight := 0.25
	if _, err := s.AddEvents(t.Context(), []live.Event{
		{User: "u <1>", Item: "i\n\"2\"", Type: live.Like, Key: "k", Time: time.UnixMicro(1234567890123456), Weight: &weight, Arm: "new", Request: "r"},
		{User: "u", Item: "i", Type: live.View, Key: "k2"},
		{User: "u", Item: "i", Type: live.View},
		{User: "u", Item: "i", Type: live.View},
	}); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	done, err := Export(t.Context(), s, 0, &file)
	if err != nil || done != (Exported{Events: 4, Last: 4}) {
		t.Fatalf("%+v, %v", done, err)
	}
	other := open(t)
	for i, want := range []Imported{{Stored: 4}, {Known: 4}} {
		if got, err := take(t, other, file.String()); err != nil || got != want {
			t.Errorf("import %d: %+v, %v", i, got, err)
		}
	}
	want, got := events(t, s), events(t, other)
	if got[2].Key == "" || got[2].Key == got[3].Key {
		t.Errorf("keys of lines without: %q, %q", got[2].Key, got[3].Key)
	}
	got[2].Key, got[3].Key = "", ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var part bytes.Buffer
	if done, err := Export(t.Context(), s, 2, &part); err != nil || done != (Exported{Events: 2, Last: 4}) || !strings.HasPrefix(part.String(), `{"seq":3`) {
		t.Errorf("after 2: %+v, %v, %s", done, err, part.String())
	}
	if done, err := Export(t.Context(), s, 4, &part); err != nil || done != (Exported{Last: 4}) {
		t.Errorf("after 4: %+v, %v", done, err)
	}
}

// Equal lines of one file are events each.
func TestEqualLines(t *testing.T) {
	s := open(t)
	text := "\ufeff{\"user\":\"u\",\"item\":\"i\",\"type\":\"view\"}\r\n\n" + strings.Repeat("{\"user\":\"u\",\"item\":\"i\",\"type\":\"view\"}\n", 2)
	for i, want := range []Imported{{Stored: 3}, {Known: 3}} {
		if got, err := take(t, s, text); err != nil || got != want {
			t.Errorf("import %d: %+v, %v", i, got, err)
		}
	}
}

// A line that is wrong is named, and nothing is stored.
func TestWrongLines(t *testing.T) {
	s := open(t)
	fine := strings.Repeat(`{"user":"u","item":"i","type":"view"}`+"\n", 1500)
	for wrong, say := range map[string]string{
		`{"user":"u","item":"i","type":"stare"}`:                              "stare",
		`{"user":"u","type":"view"}`:                                          "item is empty",
		`{"user":"u","item":"i","type":"view","wieght":1}`:                    `"wieght" is unknown`,
		`{"User":"u","item":"i","type":"view"}`:                               `"User" is unknown`,
		`{"user":"u","user":"v","item":"i","type":"view"}`:                    "twice",
		`{"user":"u","item":"i","type":"view","time":null}`:                   "null",
		`{"user":"u","item":"i","type":"view","time":"yesterday"}`:            `"time"`,
		`{"user":"u","item":"i","type":"view","time":"9024-01-01T00:00:00Z"}`: "years",
		`{"user":"u","item":"i","type":"view","weight":-1}`:                   "weight",
		`{"user":"u","item":"i","type":"view","weight":1e999}`:                "weight",
		`{"user":1,"item":"i","type":"view"}`:                                 `"user"`,
		`{"user":"\u0000","item":"i","type":"view"}`:                          "zero byte",
		`{"user":"\ud83d","item":"i","type":"view"}`:                          "surrogate",
		`{"user":"\ude00\ud83d","item":"i","type":"view"}`:                    "surrogate",
		"{\"user\":\"\xff\",\"item\":\"i\",\"type\":\"view\"}":                "UTF-8",
		`["user"]`: "no JSON object",
		`{"user":"u","item":"i","type":"view"} {}`: "follows",
		`{"user":"u","item":"i","type":"view"`:     "no JSON object",
		`{"user":"` + strings.Repeat("u", maxLine): "longer than",
	} {
		_, err := take(t, s, fine+wrong+"\n"+fine)
		hint, ok := usererr.Hint(err)
		if !ok || hint == "" || !strings.Contains(err.Error(), "f.jsonl: line 1501") || !strings.Contains(err.Error(), say) {
			t.Errorf("%.60s: %v (hint %q)", wrong, err, hint)
		}
	}
	if got := events(t, s); len(got) != 0 {
		t.Errorf("%d events were stored", len(got))
	}
	if got, err := take(t, s, `{"user":"\ud83d\ude00 \\ud83d","item":"i","type":"view"}`); err != nil || got.Stored != 1 || events(t, s)[0].User != "😀 \\ud83d" {
		t.Errorf("a whole pair: %+v, %v", got, err)
	}
	if _, err := take(t, s, `{"key":"k","user":"u","item":"i","type":"view"}`+"\n"+`{"key":"k","user":"v","item":"i","type":"view"}`); !live.Conflict(err) || !strings.Contains(err.Error(), "from line 1 on") {
		t.Errorf("a conflict: %v", err)
	}
}

// Whatever is taken can be written and read again, and stays the same.
func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"seq":1,"key":"k","user":"u","item":"i","type":"view","time":"2024-02-29T23:59:59.123456Z","weight":1.5,"arm":"a","request":"r","received":"2024-02-29T23:59:59.123456Z"}`))
	f.Add([]byte(`{"user":"\ud83d\ude00","item":"\u2028","type":"hide","weight":0}`))
	f.Add([]byte(`{"user":"\\\ud83d","item":"i","type":"like"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := decode(raw)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := encode(&out, e); err != nil {
			t.Fatalf("%+v: %v", e, err)
		}
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 {
			t.Fatalf("%d lines: %s", n, out.Bytes())
		}
		again, err := decode(bytes.TrimSpace(out.Bytes()))
		if err != nil {
			t.Fatalf("%s: %v", out.Bytes(), err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Errorf("%s: %s", out.Bytes(), diff)
		}
	})
}
