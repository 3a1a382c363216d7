package image

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadReadsDataURIs(t *testing.T) {
	l := newTestLoader(t, Options{MaxBytes: 4096})
	png := asPNG(t, corners(20, 10))
	std := base64.StdEncoding.EncodeToString(png)
	for name, ref := range map[string]string{
		"standard":  "data:image/png;base64," + std,
		"lying":     "data:text/plain;charset=utf-8;BASE64," + std,
		"raw":       "DATA:;base64," + strings.TrimRight(std, "="),
		"url-safe":  "data:;base64," + base64.URLEncoding.EncodeToString(png),
		"escaped":   "data:;base64," + url.QueryEscape(std),
		"unencoded": "data:image/png," + url.PathEscape(string(png)),
	} {
		if img, err := l.Load(t.Context(), ref); err != nil || img.Width != 20 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for ref, want := range map[string]Kind{
		"data:image/png;base64": BadReference, "data:;base64,!!!!": BadReference, "data:,%zz": BadReference, "data:,": NotAnImage,
		"data:;base64," + base64.StdEncoding.EncodeToString(make([]byte, 5000)): TooLarge,
		"data:;base64," + strings.Repeat("A", 100000):                           TooLarge,
	} {
		_, err := l.Load(t.Context(), ref)
		if KindOf(err) != want {
			t.Errorf("%.30s: kind %q, want %q: %v", ref, KindOf(err), want, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%.30s: the error repeats the data", ref)
		}
	}
}

func TestLoadReadsFilesAndStaysInItsFolder(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "pictures")
	if err := os.MkdirAll(filepath.Join(dir, "sub.jpg"), 0o755); err != nil {
		t.Fatal(err)
	}
	png := asPNG(t, corners(20, 10))
	for name, data := range map[string][]byte{"a.jpg": png, "a.png": png, "b.GIF": png, "text.jpg": []byte("words"), "notes.txt": nil, "x_y.png": png, "..png": png, "../outside.png": png} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../outside.png", filepath.Join(dir, "link.png")); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	free := newTestLoader(t, Options{})
	for id, want := range map[string]string{"a": "a.jpg", "b": "b.GIF", "x/y": "x_y.png", "x:y": "x_y.png"} {
		path, ok := f.Find(id)
		if !ok || filepath.Base(path) != want {
			t.Errorf("item %q: %q %v, want %q", id, path, ok, want)
		} else if img, err := free.Load(t.Context(), path); err != nil || img.Width != 20 {
			t.Errorf("item %q: %v", id, err)
		}
	}
	for _, id := range []string{"../outside", "..", "", "sub", "notes", "a.jpg", "../pictures/a", "/etc/passwd", "a\x00"} {
		if path, ok := f.Find(id); ok {
			t.Errorf("item %q led to %q", id, path)
		}
	}
	held := newTestLoader(t, Options{Dir: dir})
	for ref, want := range map[string]Kind{
		"a.jpg": "", "./a.jpg": "", "../outside.png": Unreadable, "link.png": Unreadable, filepath.Join(dir, "a.jpg"): Unreadable,
		"none.jpg": Missing, "text.jpg": NotAnImage, "sub.jpg": Unreadable, "": BadReference, "a\x00.jpg": BadReference,
	} {
		if _, err := held.Load(t.Context(), ref); KindOf(err) != want || (want == "" && err != nil) {
			t.Errorf("%q: kind %q, want %q: %v", ref, KindOf(err), want, err)
		}
	}
	if _, err := free.Load(t.Context(), os.DevNull); KindOf(err) != Unreadable {
		t.Errorf("a device: %v", err)
	}
	if _, err := OpenFolder(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a folder that is not there was opened")
	}
}
