// Package parquetcheck opens Parquet files of unknown origin safely. The Parquet library
// allocates as much memory as a file's footer and page headers claim. This package first
// compares every claimed length with the bytes that the file has, and turns the library's
// panics on damaged files into errors.
//
// It cannot check the inside of compressed pages: a run length or a zstd frame there may
// still claim too much. A file that is whole, but of a kind that is not read or beyond the
// bounds, is named as such and not called damaged: the error is then marked by package
// usererr, with a hint what to do.
package parquetcheck

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/mllmrec/mllmrec/internal/file/sniff"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// codecs are the compressions whose decoders fail on damaged data. The library's decoder of
// LZ4 is not among them: it doubles its buffer until there is no memory left.
var codecs = []format.CompressionCodec{format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd}

// Bounds on the claims of a page. Real pages have about 1 MiB, some writers make one page
// of a row group. Pages that compress extremely well may be larger, in proportion to the
// file.
const (
	pageBase   = 64 << 20
	pageRatio  = 1024 // uncompressed bytes for each compressed byte
	valuesBase = 16 << 20
)

const (
	otherCodec = "Write it again with compression snappy, gzip, brotli, zstd or none."
	smaller    = "Write it again with smaller pages or row groups."
)

// Open checks the footer of r, of size bytes, and opens the file. Nothing of a column may be
// read before Columns has checked it.
func Open(r io.ReaderAt, size int64) (f *parquet.File, err error) {
	defer Recover(&err)
	if err := checkFooter(r, size); err != nil {
		return nil, err
	}
	f, err = parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	switch {
	case err != nil && strings.Contains(err.Error(), "DecryptionConfig"):
		return nil, encrypted()
	case err != nil:
		return nil, fmt.Errorf("damaged footer: %w", err)
	}
	for g, group := range f.Metadata().RowGroups {
		if group.NumRows < 0 {
			return nil, fmt.Errorf("row group %d claims %d rows", g, group.NumRows)
		}
	}
	return f, nil
}

// Columns checks the columns of these numbers, or all of them where none is given, in a file
// that Open opened. Chunks of row groups without rows may point anywhere and must not be
// read; RowGroups leaves such groups out.
func Columns(f *parquet.File, r io.ReaderAt, size int64, columns ...int) error {
	for g, group := range f.Metadata().RowGroups {
		for c := range group.Columns {
			if len(columns) > 0 && !slices.Contains(columns, c) {
				continue
			}
			if err := checkChunk(r, size, &group.Columns[c], group.NumRows); err != nil {
				return fmt.Errorf("row group %d, column %d: %w", g, c, err)
			}
		}
	}
	return nil
}

// checkChunk checks the column chunk of a row group of so many rows.
func checkChunk(r io.ReaderAt, size int64, chunk *format.ColumnChunk, rows int64) error {
	m := &chunk.MetaData
	switch {
	case chunk.CryptoMetadata.Value != nil:
		return encrypted()
	case chunk.FilePath != "":
		return usererr.New("Name one of the data files, or write the table as one file.", "the file is the index of others: the column lies in %q", chunk.FilePath)
	case !slices.Contains(codecs, m.Codec):
		return usererr.New(otherCodec, "compression %s is not read: its decoder cannot be trusted with files of unknown origin", m.Codec)
	}
	start := m.DataPageOffset
	if m.DictionaryPageOffset > 0 && (start == 0 || m.DictionaryPageOffset < start) {
		start = m.DictionaryPageOffset
	}
	if rows == 0 && (start == 0 || m.TotalCompressedSize == 0) { // nothing lies nowhere
		return nil
	}
	if start < 4 || m.TotalCompressedSize < 0 || m.TotalCompressedSize > size-start {
		return errors.New("lies outside the file")
	}
	return checkPages(r, start, start+m.TotalCompressedSize, size)
}

func encrypted() error {
	return usererr.New("Write it without encryption.", "encrypted Parquet files cannot be read")
}

// RowGroups returns the row groups of a file that have rows.
func RowGroups(f *parquet.File) []parquet.RowGroup {
	return slices.DeleteFunc(slices.Clone(f.RowGroups()), func(g parquet.RowGroup) bool { return g.NumRows() == 0 })
}

// Recover turns a panic of the library into an error; call it deferred, also around
// the reading of pages.
func Recover(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("damaged file: %v", p)
	}
}

func checkFooter(r io.ReaderAt, size int64) error {
	if size < 12 {
		return fmt.Errorf("no Parquet file: %d bytes", size)
	}
	var head [4]byte
	var tail [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return fmt.Errorf("reading the first bytes: %w", err)
	}
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return fmt.Errorf("reading the last bytes: %w", err)
	}
	switch {
	case string(tail[4:]) == "PARE", string(head[:]) == "PARE":
		return encrypted()
	case string(head[:]) != "PAR1":
		return notParquet(r, size, head[:])
	case string(tail[4:]) != "PAR1":
		return errors.New("no whole Parquet file: it is cut off")
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if length > size-12 {
		return fmt.Errorf("damaged: a footer of %d bytes in a file of %d", length, size)
	}
	footer := make([]byte, length)
	if _, err := r.ReadAt(footer, size-8-length); err != nil {
		return fmt.Errorf("reading the footer: %w", err)
	}
	w := walker{b: footer, total: len(footer)}
	if err := w.structure(); err != nil {
		return fmt.Errorf("damaged footer: %w", err)
	}
	return nil
}

// notParquet says what a file is instead.
func notParquet(r io.ReaderAt, size int64, head []byte) error {
	start := make([]byte, min(size, sniff.Length))
	if n, err := r.ReadAt(start, 0); err == nil || errors.Is(err, io.EOF) {
		if found, ok := sniff.Kind(start[:n]); ok {
			return usererr.New(found.Cure, "no Parquet file, but %s", found.What)
		}
	}
	if head[0] == 0x1f && head[1] == 0x8b {
		return usererr.New("Unpack it first: gunzip. Parquet is compressed inside.", "no Parquet file, but compressed with gzip")
	}
	return fmt.Errorf("no Parquet file: it begins with %q", head)
}

// checkPages walks the page headers in [start, end).
func checkPages(r io.ReaderAt, start, end, size int64) error {
	for n := 0; start < end; n++ {
		header, length, err := readHeader(r, start, end)
		if err != nil {
			return fmt.Errorf("header of page %d: %w", n, err)
		}
		start += length
		if header.compressed < 0 || header.compressed > end-start {
			return fmt.Errorf("page %d claims %d bytes where %d are left", n, header.compressed, end-start)
		}
		switch {
		case header.uncompressed < 0:
			return fmt.Errorf("page %d claims %d bytes", n, header.uncompressed)
		case header.uncompressed > pageBase+pageRatio*header.compressed:
			return usererr.New(smaller, "page %d claims %d bytes out of %d, which is beyond what is read", n, header.uncompressed, header.compressed)
		case header.values < 0:
			return fmt.Errorf("page %d claims %d values", n, header.values)
		case header.values > valuesBase+pageRatio*size:
			return usererr.New(smaller, "page %d claims %d values, which is beyond what is read", n, header.values)
		}
		start += header.compressed
	}
	return nil
}

// pageHeader is what a page claims.
type pageHeader struct{ uncompressed, compressed, values int64 }

// readHeader reads the header at start and returns its length too. Headers are short,
// but may hold long statistics: the window grows as needed.
func readHeader(r io.ReaderAt, start, end int64) (pageHeader, int64, error) {
	for window := int64(1 << 10); ; window *= 8 {
		window = min(window, end-start)
		b := make([]byte, window)
		if _, err := r.ReadAt(b, start); err != nil && err != io.EOF {
			return pageHeader{}, 0, err
		}
		var h pageHeader
		w := walker{b: b, total: int(end - start), integer: func(path []int16, v int64) {
			switch {
			case slices.Equal(path, []int16{2}):
				h.uncompressed = v
			case slices.Equal(path, []int16{3}):
				h.compressed = v
			case len(path) == 2 && path[1] <= 3 && (path[0] == 5 && path[1] == 1 || path[0] == 7 && path[1] == 1 || path[0] == 8):
				if v < 0 || v > h.values { // values, nulls, rows
					h.values = v
				}
			}
		}}
		err := w.structure()
		if errors.Is(err, errShort) && window < end-start {
			continue
		}
		return h, int64(w.pos), err
	}
}
