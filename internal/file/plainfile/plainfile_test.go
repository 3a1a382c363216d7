//go:build unix

package plainfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// inTime fails a test whose work does not end: opening a pipe is known to wait for ever.
func inTime(t *testing.T, work func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Second):
		t.Fatal("still waiting after 5 s")
		return nil
	}
}

func TestWhatIsNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skip("no named pipes here: ", err)
	}
	links := map[string]string{"endless": "/dev/zero", "through": "pipe", "round": "round"}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range map[string]string{"pipe": "a named pipe", "endless": "a device", "through": "a named pipe", ".": "a folder", "round": "too many"} {
		err := inTime(t, func() error { _, err := Read(filepath.Join(dir, name), 10); return err })
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, want %q and the path", name, err, want)
		}
		err = inTime(t, func() error { _, err := ReadIn(root, name, 10); return err })
		if name == "endless" {
			want = "escapes"
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("in the root, %s: %v, want %q", name, err, want)
		}
	}
}

func TestLinksInsideAndOutside(t *testing.T) {
	outside, dir := filepath.Join(t.TempDir(), "secret"), t.TempDir()
	for path, text := range map[string]string{outside: "theirs", filepath.Join(dir, "file"): "ours"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"out": outside, "up": filepath.Join("..", filepath.Base(filepath.Dir(outside)), "secret"), "in": "file"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, name := range []string{"out", "up"} {
		got, err := ReadIn(root, name, 10)
		if usererr.KindOf(err) != usererr.KindDamaged || got != nil || !strings.Contains(err.Error(), filepath.Join(dir, name)) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"in", "file"} {
		if got, err := ReadIn(root, name, 10); err != nil || string(got) != "ours" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := ReadIn(root, "none", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path, 10); err != nil || string(got) != "0123456789" {
		t.Errorf("at the limit: %q, %v", got, err)
	}
	if got, err := Read(path, 9); usererr.KindOf(err) != usererr.KindDamaged || got != nil {
		t.Errorf("above the limit: %q, %v", got, err)
	}
	if err := os.Truncate(path, 1<<40); err != nil { // a file of holes
		t.Skip("no such file here: ", err)
	}
	if _, err := Read(path, 1<<20); usererr.KindOf(err) != usererr.KindDamaged {
		t.Errorf("a file of holes: %v", err)
	}
}
