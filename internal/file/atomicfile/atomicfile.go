// Package atomicfile replaces files so that a reader sees the old content or the
// new one whole, never a part: the new content goes to a temporary file in the same
// folder, is flushed to the disk, takes the old file's name in one rename, and the
// folder is flushed too, so that the name survives a power cut. After any error
// the temporary file is gone and the old file is as it was. What a killed writer left
// is removed by the next one of the same file.
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

	"github.com/mllmrec/mllmrec/internal/usererr"
)

const bufferSize = 256 << 10

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
func writeTo(path string, mode fs.FileMode, write func(io.Writer) error, sink func(*os.File) io.Writer) error {
	p, err := begin(path, mode, sink)
	if err != nil {
		return err
	}
	defer p.Discard() // also when write panics
	if err := write(p); err != nil {
		return explain(path, p.count.n, err)
	}
	return p.Commit()
}

// Pending is a file that has no name yet: what is written to it goes to a temporary file,
// which a living writer keeps locked.
type Pending struct {
	path  string
	f     *os.File
	count countingWriter
	buf   *bufio.Writer
	mode  fs.FileMode
	old   bool // there is a file that it replaces, whose mode it takes over
	done  bool
}

// Create begins what [Write] does in one call. The file is at path once
// [Pending.Commit] has returned; [Pending.Discard] gives it up.
func Create(path string) (*Pending, error) {
	return begin(path, 0o666, func(f *os.File) io.Writer { return f })
}

func begin(path string, mode fs.FileMode, sink func(*os.File) io.Writer) (*Pending, error) {
	p := &Pending{path: path, mode: mode}
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("writing %s: a folder is in the way", path)
	case err == nil:
		p.mode, p.old = info.Mode().Perm(), true
	}
	sweepFor(path)
	f, err := createTemp(path, p.mode)
	if err != nil {
		return nil, explain(path, 0, err)
	}
	p.f = f
	p.count.w = sink(f)
	p.buf = bufio.NewWriterSize(&p.count, bufferSize)
	return p, nil
}

// Write implements [io.Writer].
func (p *Pending) Write(b []byte) (int, error) { return p.buf.Write(b) }

// Flush brings what was written so far to the disk.
func (p *Pending) Flush() error {
	if err := p.buf.Flush(); err != nil {
		return explain(p.path, p.count.n, err)
	}
	if err := p.f.Sync(); err != nil {
		return explain(p.path, p.count.n, err)
	}
	return nil
}

// Commit flushes the content to the disk and gives it the file's name. After an error
// the old file is as it was, and the new content is gone.
func (p *Pending) Commit() error {
	defer p.Discard()
	if err := p.Flush(); err != nil {
		return err
	}
	if p.old { // the umask may have cut bits that the old file has
		if err := p.f.Chmod(p.mode); err != nil {
			return explain(p.path, p.count.n, err)
		}
	}
	if err := publish(p.f, p.path); err != nil {
		return explain(p.path, p.count.n, err)
	}
	p.done = true
	if err := SyncDir(filepath.Dir(p.path)); err != nil {
		return fmt.Errorf("flushing the folder of %s: %w", p.path, err)
	}
	return nil
}

// Discard removes what was written. After Commit it does nothing.
func (p *Pending) Discard() {
	if p.done {
		return
	}
	p.done = true
	discard(p.f)
}

// createTemp makes a hidden file beside path and locks it for as long as it is open.
// Unlike os.CreateTemp it leaves the mode to the umask, so that a team can share a
// workspace.
func createTemp(path string, mode fs.FileMode) (*os.File, error) {
	for range 1000 {
		f, err := os.OpenFile(tempName(path, rand.Uint64()), os.O_RDWR|os.O_CREATE|os.O_EXCL, mode|0o200)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if hold(f) {
			return f, nil
		}
		discard(f) // a sweeper took it between its making and its lock
	}
	return nil, fmt.Errorf("no free name for a temporary file beside %s", path)
}

func tempName(path string, n uint64) string {
	dir, base := filepath.Split(path)
	return dir + "." + base + tempMark + strconv.FormatUint(n, 36)
}

func explain(path string, written int64, err error) error {
	if full := new(FullError); errors.As(err, &full) {
		return err // of this file or of one written meanwhile
	}
	if !isFull(err) {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return usererr.Wrap(&FullError{Path: path, Written: written, Err: err},
		"Free some space there (df shows how much is left) or move the folder to a larger disk, then run the command again; finished stages are kept.")
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
