//go:build unix

package image

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A cache lies in a workspace, which may be a stranger's. What is there instead of a file is
// neither waited for nor followed, and nothing is written through a link.
func TestCachesOfStrangers(t *testing.T) {
	data := asJPEG(t, corners(60, 40))
	want, err := newTestLoader(t, Options{}).Prepare(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	for name, put := range map[string]func(path string) error{
		"pipe":    func(path string) error { return syscall.Mkfifo(path, 0o644) },
		"endless": func(path string) error { return os.Symlink("/dev/zero", path) },
		"huge": func(path string) error {
			return errors.Join(os.WriteFile(path, []byte("{"), 0o644), os.Truncate(path, 1<<40))
		},
		"link to nothing": func(path string) error { return os.Symlink(filepath.Join(outside, "new"), path) },
	} {
		dir := t.TempDir()
		l := newTestLoader(t, Options{CacheDir: dir})
		path := filepath.Join(dir, l.preparedPath(data))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			got, err := l.Prepare(t.Context(), data)
			if err == nil && got.SHA256 != want.SHA256 {
				err = errors.New("another picture")
			}
			done <- err
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: hangs", name)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "prepared")); err != nil {
		t.Fatal(err)
	}
	if _, err := newTestLoader(t, Options{CacheDir: dir}).Prepare(t.Context(), data); !errors.Is(err, ErrCache) {
		t.Errorf("a folder of the cache that is a link out: %v", err)
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("written outside: %v", left)
	}
}
