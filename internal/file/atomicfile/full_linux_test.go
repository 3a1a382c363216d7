package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// /dev/full refuses every byte as a full disk does.
func TestFullDevice(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here: ", err)
	}
	defer full.Close()
	path := filepath.Join(t.TempDir(), "f")
	if err := Write(path, write("old")); err != nil {
		t.Fatal(err)
	}
	err = writeTo(path, 0o666, write("new"), func(*os.File) io.Writer { return full })
	wantFull(t, err, path, func(n int64) bool { return n == 0 })
	wantOnly(t, path, "old")
}

// A real file system of one megabyte runs full.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("mounting a small tmpfs needs root: ", err)
	}
	defer syscall.Unmount(dir, 0)
	path := filepath.Join(dir, "f")
	if err := Write(path, write("old")); err != nil {
		t.Fatal(err)
	}
	err := Write(path, write(strings.Repeat("z", 2<<20)))
	wantFull(t, err, path, func(n int64) bool { return n > 500_000 && n <= 1<<20 })
	wantOnly(t, path, "old")
	if err := Write(path, write("there is room again")); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, path, "there is room again")
}
