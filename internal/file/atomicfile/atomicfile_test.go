package atomicfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

func write(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// wantOnly demands that path holds content and is alone in its folder.
func wantOnly(t *testing.T, path, content string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content {
		t.Errorf("%s holds %.40q, %v; want %.40q", path, got, err, content)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("the folder holds %v, %v; want one file", names, err)
	}
}

func TestWriteReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, content := range []string{"first", "second, longer", "", strings.Repeat("x", 3*bufferSize+7)} {
		if err := Write(path, write(content)); err != nil {
			t.Fatal(err)
		}
		wantOnly(t, path, content)
	}
}

func TestWriteKeepsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil { // beyond the usual umask
		t.Fatal(err)
	}
	if err := Write(path, write("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("mode %v, %v; want -rw-rw-rw-", info.Mode(), err)
	}
}

// failing accepts n bytes, then fails as a full disk or a broken one does.
type failing struct {
	n   int
	err error
}

func (f *failing) Write(p []byte) (int, error) {
	if len(p) <= f.n {
		f.n -= len(p)
		return len(p), nil
	}
	n := f.n
	f.n = 0
	return n, f.err
}

func TestErrorsLeaveTheOldFile(t *testing.T) {
	broken := errors.New("broken")
	big := write(strings.Repeat("y", 2*bufferSize))
	direct := func(f *os.File) io.Writer { return f }
	for name, c := range map[string]struct {
		write func(io.Writer) error
		sink  func(*os.File) io.Writer
	}{
		"the writer fails at once":    {func(io.Writer) error { return broken }, direct},
		"the writer fails half-way":   {func(w io.Writer) error { io.WriteString(w, "half"); return broken }, direct},
		"the disk fails in the midst": {big, func(*os.File) io.Writer { return &failing{bufferSize, broken} }},
		"the disk fails at the flush": {write("short"), func(*os.File) io.Writer { return &failing{2, broken} }},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := Write(path, write("old")); err != nil {
				t.Fatal(err)
			}
			err := writeTo(path, 0o666, c.write, c.sink)
			if !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v does not wrap the cause and name the file", err)
			}
			wantOnly(t, path, "old")
		})
	}
}

func TestPanicLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := Write(path, write("old")); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		Write(path, func(w io.Writer) error { io.WriteString(w, "half"); panic("bug") })
	}()
	wantOnly(t, path, "old")
}

func TestFolderProblems(t *testing.T) {
	dir := t.TempDir()
	if err := Write(filepath.Join(dir, "none", "f"), write("x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	if err := Write(dir, write("x")); err == nil || !strings.Contains(err.Error(), "folder is in the way") {
		t.Errorf("folder in the way: %v", err)
	}
}

// wantFull demands the error of a full disk.
func wantFull(t *testing.T, err error, path string, written func(int64) bool) {
	t.Helper()
	var full *FullError
	if !errors.As(err, &full) || full.Path != path || !written(full.Written) {
		t.Fatalf("error %#v (%v) is no FullError for %s with a sensible count", full, err, path)
	}
	if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("message %q names no file or cause", err)
	}
	if hint, ok := usererr.Hint(err); !ok || !strings.Contains(hint, "Free some space") {
		t.Errorf("hint %q, %v says nothing of space", hint, ok)
	}
}

// Readers see one of the versions whole, whenever they look.
func TestReadersSeeWholeVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	versions := [][]byte{bytes.Repeat([]byte("a"), 300_000), bytes.Repeat([]byte("b"), 200_000)}
	put := func(i int) {
		err := Write(path, func(w io.Writer) error { _, err := w.Write(versions[i%2]); return err })
		if err != nil {
			t.Error(err)
		}
	}
	put(0)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			got, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(got, versions[0]) && !bytes.Equal(got, versions[1]) {
				t.Errorf("read %d bytes, %v: neither version", len(got), err)
				return
			}
		}
	})
	for i := range 20 {
		put(i)
	}
	close(stop)
	readers.Wait()
}

func TestIsTemp(t *testing.T) {
	f, err := createTemp(filepath.Join(t.TempDir(), "items.npy"), 0o666)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if !IsTemp(f.Name()) {
		t.Errorf("%s is not known as a temporary file", f.Name())
	}
	for _, name := range []string{"items.npy", ".hidden", "a.tmp-1", ".tmp-1", "..tmp-1/x", ".a.tmp-", ".a.tmp-1.txt", ".a.tmp-B", ".a.tmp-12345678901234"} {
		if IsTemp(name) {
			t.Errorf("%s is taken for a temporary file", name)
		}
	}
}
