// Package sniff tells from the first bytes of a file what it is: text with a byte order
// mark, a file of another kind than the reader expects, or a small file that lies in the
// place of a large one.
package sniff

import (
	"bytes"
	"strings"
)

// Length is how many bytes Kind and Mark want to see, where the file has so many.
const Length = 512

// Found is a kind of file that nobody meant to hand over as data.
type Found struct {
	What string // "a Git LFS pointer, not the file that it stands for"
	Cure string // a whole sentence
}

// kinds go by what a file starts with; markup may begin after white space.
var kinds = []struct {
	magic, what, cure string
}{
	{"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file that it stands for", "Fetch the file itself: git lfs pull."},
	{"version https://hawser.github.com/spec/", "a Git LFS pointer, not the file that it stands for", "Fetch the file itself: git lfs pull."},
	{"/annex/objects/", "a git-annex pointer, not the file that it stands for", "Fetch the file itself: git annex get."},
	{"<!doctype html", "a web page", "Download the file itself; this may be a page that asks to log in."},
	{"<html", "a web page", "Download the file itself; this may be a page that asks to log in."},
	{"<?xml", "an XML file", "Download the file itself; this may be a server's error message."},
	{"PAR1\x15", "a Parquet file", "Import it with 'mllmrec import tables', which reads Parquet by the name .parquet or a named format."},
	{"ARROW1\x00\x00", "an Arrow (Feather) file", "Write it as Parquet, CSV or JSON lines."},
	{"Obj\x01", "an Avro file", "Write it as Parquet, CSV or JSON lines."},
	{"\x89HDF\r\n", "an HDF5 file", "Write it as Parquet, CSV or JSON lines."},
	{"SQLite format 3\x00", "an SQLite database", "Export the table as CSV."},
	{"\x93NUMPY", "a NumPy array", "Give a table: CSV, JSON lines or Parquet."},
	{"PK\x03\x04", "a ZIP archive (Excel workbooks are such)", "Unpack it; save a workbook as CSV in UTF-8."},
	{"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save it as CSV in UTF-8."},
	{"\x28\xb5\x2f\xfd", "compressed with zstd", "Unpack it first: zstd -d. Plain files and gzip are read."},
	{"\xfd7zXZ\x00", "compressed with xz", "Unpack it first: xz -d. Plain files and gzip are read."},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it first. Plain files and gzip are read."},
	{"\x04\x22\x4d\x18", "compressed with LZ4", "Unpack it first: lz4 -d. Plain files and gzip are read."},
	{"Rar!\x1a\x07", "a RAR archive", "Unpack it first. Plain files and gzip are read."},
	{"%PDF-", "a PDF document", "Give a table: CSV, JSON lines or Parquet."},
	{"\x80\x04\x95", "a Python pickle", "Write it as Parquet, CSV or JSON lines; pickles are not read, since they can run code."},
	{"\x80\x05\x95", "a Python pickle", "Write it as Parquet, CSV or JSON lines; pickles are not read, since they can run code."},
	{"\x89PNG\r\n", "a picture", "Give a table: CSV, JSON lines or Parquet."},
	{"\xff\xd8\xff", "a picture", "Give a table: CSV, JSON lines or Parquet."},
}

// tarMagic stands at this byte of a tar archive, also of one that was unpacked from gzip.
const (
	tarAt    = 257
	tarMagic = "ustar"
)

// Kind says what a file that starts with these bytes is, where that is neither text nor
// anything else that a table may be.
func Kind(start []byte) (Found, bool) {
	text := bytes.TrimLeft(bytes.TrimPrefix(start, []byte(utf8Mark)), " \t\r\n")
	for _, k := range kinds {
		if bytes.HasPrefix(start, []byte(k.magic)) || k.magic[0] == '<' && hasMarkup(text, k.magic) {
			return Found{k.what, k.cure}, true
		}
	}
	if bytes.HasPrefix(start, []byte("BZh")) && len(start) >= 10 && string(start[4:10]) == "1AY&SY" {
		return Found{"compressed with bzip2", "Unpack it first: bunzip2. Plain files and gzip are read."}, true
	}
	if len(start) > tarAt && bytes.HasPrefix(start[tarAt:], []byte(tarMagic)) {
		return Found{"a tar archive", "Unpack it first: tar -xf."}, true
	}
	return Found{}, false
}

// hasMarkup is HasPrefix without regard to case, which page sources write as they like.
func hasMarkup(start []byte, tag string) bool {
	return len(start) >= len(tag) && strings.ToLower(string(start[:len(tag)])) == tag
}

// Encoding names an encoding that a byte order mark stands for.
type Encoding string

// The encodings.
const (
	Unmarked Encoding = ""
	UTF8     Encoding = "utf-8"
	UTF16LE  Encoding = "utf-16le"
	UTF16BE  Encoding = "utf-16be"
	UTF32LE  Encoding = "utf-32le"
	UTF32BE  Encoding = "utf-32be"
)

const utf8Mark = "\xef\xbb\xbf"

// Mark returns the encoding that a byte order mark at the start tells, and the mark's
// length.
func Mark(start []byte) (Encoding, int) {
	for _, m := range []struct {
		mark     string
		encoding Encoding
	}{{utf8Mark, UTF8}, {"\xff\xfe\x00\x00", UTF32LE}, {"\x00\x00\xfe\xff", UTF32BE}, {"\xff\xfe", UTF16LE}, {"\xfe\xff", UTF16BE}} {
		if bytes.HasPrefix(start, []byte(m.mark)) {
			return m.encoding, len(m.mark)
		}
	}
	return Unmarked, 0
}

// Unmarked16 tells UTF-16 without a mark: text of mostly Latin letters, of whose bytes
// every second one is zero.
func Unmarked16(start []byte) (Encoding, bool) {
	var zeros [2]int
	for i, c := range start {
		if c == 0 {
			zeros[i%2]++
		}
	}
	pairs := len(start) / 2
	switch {
	case pairs < 2:
		return Unmarked, false
	case zeros[1] > pairs/2 && zeros[0] <= pairs/16:
		return UTF16LE, true
	case zeros[0] > pairs/2 && zeros[1] <= pairs/16:
		return UTF16BE, true
	}
	return Unmarked, false
}
