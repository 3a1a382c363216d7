// Package source opens the files importers read and hands them over piece by piece:
// plain or gzip (by magic number), counted and hashed on the way, in lines or CSV
// records of bounded length, so that no file can make an importer hold more than one
// long line of it.
package source

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/gzip"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// File is one open source file.
type File struct {
	path string
	raw  *os.File
	gzip bool
	data *bufio.Reader // decompressed
	in   *bufio.Reader // as on disk, after hash and count
	hash hash.Hash
	size int64
}

// Open opens path; gzip is found by its magic number, whatever the name. The caller
// closes it.
func Open(path string) (*File, error) {
	raw, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil, usererr.WrapAs(usererr.KindUnknown, err, "Check the path.")
		}
		return nil, err
	}
	if info, err := raw.Stat(); err == nil && info.IsDir() {
		raw.Close()
		return nil, usererr.New("Name the file itself.", "%s is a folder", path)
	}
	f := &File{path: path, raw: raw, hash: sha256.New()}
	f.in = bufio.NewReaderSize(counter{f}, 256<<10)
	f.data = f.in
	if magic, _ := f.in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		f.gzip = true
		z, err := gzip.NewReader(f.in)
		if err != nil {
			raw.Close()
			return nil, f.explain(err)
		}
		f.data = bufio.NewReaderSize(z, 256<<10)
	}
	start, _ := f.data.Peek(3)
	switch {
	case bytes.Equal(start, []byte{0xef, 0xbb, 0xbf}):
		f.data.Discard(3)
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		f.Close()
		return nil, usererr.New("Save the file as UTF-8.", "%s is UTF-16 text", path)
	}
	return f, nil
}

// counter hashes and counts what is read from disk.
type counter struct{ f *File }

func (c counter) Read(p []byte) (int, error) {
	n, err := c.f.raw.Read(p)
	c.f.hash.Write(p[:n])
	c.f.size += int64(n)
	return n, err
}

// Gzip reports whether the file is compressed.
func (f *File) Gzip() bool { return f.gzip }

// Read reads decompressed bytes, without a byte order mark.
func (f *File) Read(p []byte) (int, error) {
	n, err := f.data.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = f.explain(err)
	}
	return n, err
}

// PeekLine returns the first line, or as much of it as the buffer shows, without
// reading it.
func (f *File) PeekLine() []byte {
	start, _ := f.data.Peek(64 << 10)
	line, _, _ := bytes.Cut(start, []byte{'\n'})
	return line
}

// explain names the file in a read error and tells a torn archive from a bad disk.
func (f *File) explain(err error) error {
	var disk *fs.PathError
	switch {
	case errors.As(err, &disk):
		return err
	case !f.gzip:
		return &fs.PathError{Op: "read", Path: f.path, Err: err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return usererr.Of(usererr.KindDamaged, "Download or copy the file again.", "%s: the gzip file is cut off after %d bytes", f.path, f.size)
	}
	return usererr.Of(usererr.KindDamaged, "Download or copy the file again.", "%s: broken gzip file: %w", f.path, err)
}

// Close closes the file.
func (f *File) Close() error { return f.raw.Close() }

// Report returns what is known of the file after it has been read to its end.
func (f *File) Report(format string) dataset.FileReport {
	if f.Gzip() {
		format += ", gzip"
	}
	return dataset.FileReport{Path: f.path, Format: format, Bytes: f.size, SHA256: hex.EncodeToString(f.hash.Sum(nil))}
}
