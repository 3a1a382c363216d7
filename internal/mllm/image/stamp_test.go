package image

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestStampFollowsWhatLoadWouldReturn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	write := func(content string, at time.Time) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	loader := func(o Options) *Loader {
		l, err := NewLoader(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	old := time.Now().Add(-time.Hour)
	write("one", old)
	l := loader(Options{})
	first, ok := l.Stamp(path)
	if again, ok2 := l.Stamp(" " + path); !ok || !ok2 || again != first {
		t.Fatalf("%q, %q", first, again)
	}
	seen := map[string]string{first: "first"}
	add := func(what, stamp string, ok bool) {
		if other, taken := seen[stamp]; taken || !ok {
			t.Errorf("%s: stamp of %s (%v)", what, other, ok)
		}
		seen[stamp] = what
	}
	s, ok := loader(Options{LongSide: 100}).Stamp(path)
	add("another size", s, ok)
	write("three", old)
	s, ok = l.Stamp(path)
	add("another length", s, ok)
	write("three", old.Add(time.Nanosecond*1e6))
	s, ok = l.Stamp(path)
	add("another time", s, ok)
	s, ok = l.Stamp("data:image/png;base64,AAAA")
	add("data", s, ok)

	write("fresh", time.Now())
	for what, ref := range map[string]string{"just written": path, "absent": path + "x", "folder": filepath.Dir(path), "url": "https://example.com/a.png", "nothing": ""} {
		if s, ok := l.Stamp(ref); ok {
			t.Errorf("%s: stamped %q", what, s)
		}
	}
}
