// Package source opens the files importers read and hands them over piece by piece:
// plain or gzip (by magic number), in UTF-8 or an encoding that a byte order mark or the
// user names, counted and hashed on the way, in lines or CSV records of bounded length, so
// that no file can make an importer hold more than one long line of it.
package source

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/sniff"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// buffer is the size of the buffers; what lies in one can be looked at ahead.
const buffer = 256 << 10

// File is one open source file.
type File struct {
	path     string
	raw      *os.File
	gzip     bool
	encoding Encoding
	anyBytes bool          // lines need not be UTF-8
	data     *bufio.Reader // decompressed and decoded
	in       *bufio.Reader // as on disk, after hash and count
	hash     hash.Hash
	size     int64
	end      byte // that ends lines; 0 = not yet known
}

// Open opens path; gzip is found by its magic number, whatever the name. A file in the
// place of a table that is none, such as a Git LFS pointer or a workbook, is named.
// Without an encoding the file is read as UTF-8, or as its byte order mark says. The
// caller closes it.
func Open(path string, encoding Encoding) (*File, error) {
	raw, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil, usererr.WrapAs(usererr.KindUnknown, err, "Check the path.")
		}
		return nil, err
	}
	f := &File{path: path, raw: raw, hash: sha256.New(), encoding: encoding}
	if err := f.prepare(); err != nil {
		raw.Close()
		return nil, err
	}
	return f, nil
}

// OpenAs is Open with the encoding's name; "" = none is named.
func OpenAs(path, encoding string) (*File, error) {
	e, err := ParseEncoding(encoding)
	if err != nil {
		return nil, err
	}
	return Open(path, e)
}

// AnyBytes lets lines hold bytes that are no text. The caller replaces and counts them
// in what it uses.
func (f *File) AnyBytes() { f.anyBytes = true }

func (f *File) prepare() error {
	if info, err := f.raw.Stat(); err == nil && info.IsDir() {
		return usererr.New("Name the file itself.", "%s is a folder", f.path)
	}
	f.in = bufio.NewReaderSize(counter{f}, buffer)
	f.data = f.in
	if magic, _ := f.in.Peek(2); bytes.Equal(magic, gzipMagic) {
		f.gzip = true
		z, err := newMembers(f.path, f.in)
		if err != nil {
			return f.explain(err)
		}
		f.data = bufio.NewReaderSize(z, buffer)
	}
	start, _ := f.data.Peek(sniff.Length) // an error comes again when it is read
	if found, ok := sniff.Kind(start); ok {
		return usererr.New(found.Cure, "%s is %s", f.path, found.What)
	}
	if f.gzip && bytes.HasPrefix(start, gzipMagic) {
		return usererr.New("Unpack it once: gunzip.", "%s was compressed with gzip twice", f.path)
	}
	return f.decode(start)
}

var gzipMagic = []byte{0x1f, 0x8b}

// decode puts the decoder between the bytes and the lines. A byte order mark is stronger
// than what the user says, as in browsers.
func (f *File) decode(start []byte) error {
	if mark, n := sniff.Mark(start); mark != sniff.Unmarked {
		f.data.Discard(n)
		if mark == sniff.UTF8 {
			if f.encoding.decoder != nil {
				f.encoding = Encoding{}
			}
			return nil
		}
		f.encoding = marked(mark)
	} else if e, ok := sniff.Unmarked16(start); ok && f.encoding.decoder == nil {
		return usererr.New("Save the file as UTF-8, or name the encoding: "+usererr.Option("encoding").String()+" "+string(e)+".",
			"%s looks like UTF-16 text without a byte order mark", f.path)
	}
	if f.encoding.decoder != nil && !strings.HasPrefix(f.encoding.name, "utf-") && isUTF8(f.Peek()) {
		return usererr.New(fmt.Sprintf("Leave %s out; a table of items that is in another encoding than the interactions has an option of its own.", usererr.Option("encoding")),
			"%s is UTF-8, and not %s", f.path, f.encoding.name)
	}
	if f.encoding.decoder != nil {
		f.data = bufio.NewReaderSize(f.encoding.reader(rawReader{f, f.data}), buffer)
	}
	return nil
}

// isUTF8 reports whether text has letters beyond ASCII and all are UTF-8, which text of
// another encoding is only by chance.
func isUTF8(text []byte) bool {
	const enough = 3
	n := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return n >= enough && !utf8.FullRune(text[i:]) // cut off by the end of what is seen
		}
		if size > 1 {
			n++
		}
		i += size
	}
	return n >= enough
}

// rawReader explains the errors of the reader below a decoder.
type rawReader struct {
	f *File
	r io.Reader
}

func (r rawReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.f.explain(err)
	}
	return n, err
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

// Read reads decompressed bytes as UTF-8, without a byte order mark.
func (f *File) Read(p []byte) (int, error) {
	n, err := f.data.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = f.explain(err)
	}
	return n, err
}

// Peek returns the text that follows, as far as the buffer shows it, without reading it.
func (f *File) Peek() []byte {
	start, _ := f.data.Peek(64 << 10) // an error comes again when it is read
	return start
}

// PeekLine returns the first line, or as much of it as the buffer shows, without
// reading it.
func (f *File) PeekLine() []byte {
	line, _, _ := bytes.Cut(f.Peek(), []byte{f.lineEnd()})
	return bytes.TrimRight(line, "\r")
}

// lineEnd returns the byte that ends lines: a carriage return where, in what can be seen
// of the file, one comes first that no line feed follows, and most line ends are such; a
// line feed else.
func (f *File) lineEnd() byte {
	if f.end != 0 {
		return f.end
	}
	start := f.Peek()
	f.end = '\n'
	first, returns := byte(0), 0
	for i := 0; i < len(start); i++ {
		switch c := start[i]; {
		case c == '\n' && first == 0:
			first = '\n'
		case c == '\r':
			for i+1 < len(start) && start[i+1] == '\r' {
				i++
			}
			if i+1 < len(start) && start[i+1] == '\n' { // also what Windows makes of \r\n: \r\r\n
				continue
			}
			if first == 0 {
				first = '\r'
			}
			returns++
		}
	}
	if first == '\r' && returns >= bytes.Count(start, []byte{'\n'}) {
		f.end = '\r'
	}
	return f.end
}

// explain names the file in a read error and tells a torn archive from a bad disk.
func (f *File) explain(err error) error {
	var disk *fs.PathError
	_, known := usererr.Hint(err)
	switch {
	case errors.As(err, &disk), known:
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
	if f.encoding.decoder != nil {
		format += ", " + f.encoding.name
	}
	if f.Gzip() {
		format += ", gzip"
	}
	return dataset.FileReport{Path: f.path, Format: format, Bytes: f.size, SHA256: hex.EncodeToString(f.hash.Sum(nil))}
}
