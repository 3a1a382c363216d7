// Package atomicfile replaces files so that a reader sees the old content or the
// new one whole, never a part: the new content goes to a temporary file in the same
// folder, is flushed to the disk, takes the old file's name in one rename, and the
// folder is flushed too, so that the name survives a power cut. After any error
// the temporary file is gone and the old file is as it was.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

const (
	bufferSize = 256 << 10
	tempMark   = ".tmp-"
)

// FullError says that the disk (or the user's quota) had no room for a file.
type FullError struct {
	Path    string // the file that was to be replaced; it is as it was
	Written int64  // bytes written before the disk was full
	Err     error
}

// Error names the file and how far the writing came.
func (e *FullError) Error() string {
	return fmt.Sprintf("writing %s: the disk is full: %v after %d bytes; the file is as it was before", e.Path, e.Err, e.Written)
}

// Unwrap returns the system's error.
func (e *FullError) Unwrap() error { return e.Err }

// Write replaces the file at path by what write writes. Writes are buffered. A new
// file gets mode 0666 less the umask; an existing regular file keeps its mode. A full
// disk comes out as a [FullError] with a hint for the user.
func Write(path string, write func(io.Writer) error) error {
	return writeTo(path, 0o666, write, func(f *os.File) io.Writer { return f })
}

// WritePrivate is [Write] for what only the user may read: a new file gets mode 0600.
func WritePrivate(path string, write func(io.Writer) error) error {
	return writeTo(path, 0o600, write, func(f *os.File) io.Writer { return f })
}

// writeTo is Write with the way to the file open to fault injection.
func writeTo(path string, mode fs.FileMode, write func(io.Writer) error, sink func(*os.File) io.Writer) (err error) {
	info, statErr := os.Stat(path)
	switch {
	case statErr == nil && info.IsDir():
		return fmt.Errorf("writing %s: a folder is in the way", path)
	case statErr == nil:
		mode = info.Mode().Perm()
	}
	f, err := createTemp(path, mode)
	if err != nil {
		return explain(path, 0, err)
	}
	count := &countingWriter{w: sink(f)}
	done := false
	defer func() { // also when write panics
		if !done {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := fill(f, count, write); err != nil {
		return explain(path, count.n, err)
	}
	if statErr == nil { // the umask may have cut bits that the old file has
		if err := f.Chmod(mode); err != nil {
			return explain(path, count.n, err)
		}
	}
	if err := f.Close(); err != nil {
		return explain(path, count.n, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return explain(path, count.n, err)
	}
	done = true
	if err := SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("flushing the folder of %s: %w", path, err)
	}
	return nil
}

func fill(f *os.File, to io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(to, bufferSize)
	if err := write(b); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// createTemp makes a hidden file beside path. Unlike os.CreateTemp it leaves the
// mode to the umask, so that a team can share a workspace.
func createTemp(path string, mode fs.FileMode) (*os.File, error) {
	dir, base := filepath.Split(path)
	for range 1000 {
		name := dir + "." + base + tempMark + strconv.FormatUint(rand.Uint64(), 36)
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode|0o200)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, fmt.Errorf("no free name for a temporary file beside %s", path)
}

func explain(path string, written int64, err error) error {
	if !isFull(err) {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return usererr.Wrap(&FullError{Path: path, Written: written, Err: err},
		"Free some space there (df shows how much is left) or move the folder to a larger disk, then run the command again; finished stages are kept.")
}

// IsTemp reports whether name is that of a temporary file of this package. One that
// no living process writes is what a killed process left and may be removed.
func IsTemp(name string) bool {
	base := filepath.Base(name)
	return strings.HasPrefix(base, ".") && strings.Contains(base, tempMark)
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
