// Package parquetcheck opens Parquet files of unknown origin safely. The Parquet library
// allocates as much memory as a file's footer and page headers claim. This package first
// compares every claimed length with the bytes that the file has, and turns the library's
// panics on damaged files into errors.
//
// It cannot check the inside of compressed pages: a run length or a zstd frame there may
// still claim too much.
package parquetcheck

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// codecs are the compressions whose decoders fail on damaged data. The library's decoder of
// LZ4 is not among them: it doubles its buffer until there is no memory left.
var codecs = []format.CompressionCodec{format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd}

// Bounds on the claims of a page. Real pages have about 1 MiB. Pages that compress extremely
// well may be larger, in proportion to the file.
const (
	pageBase   = 16 << 20
	pageRatio  = 1024 // uncompressed bytes for each compressed byte
	valuesBase = 4 << 20
)

// Open checks r, of size bytes, and opens it.
func Open(r io.ReaderAt, size int64) (f *parquet.File, err error) {
	defer Recover(&err)
	if err := checkFooter(r, size); err != nil {
		return nil, err
	}
	f, err = parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("damaged footer: %w", err)
	}
	for g, group := range f.Metadata().RowGroups {
		if group.NumRows < 0 {
			return nil, fmt.Errorf("row group %d claims %d rows", g, group.NumRows)
		}
		for c, chunk := range group.Columns {
			m := &chunk.MetaData
			if !slices.Contains(codecs, m.Codec) {
				return nil, fmt.Errorf("row group %d, column %d: compression %s is not read", g, c, m.Codec)
			}
			start := m.DataPageOffset
			if m.DictionaryPageOffset > 0 {
				start = min(start, m.DictionaryPageOffset)
			}
			if start < 4 || m.TotalCompressedSize < 0 || m.TotalCompressedSize > size-start {
				return nil, fmt.Errorf("row group %d, column %d: lies outside the file", g, c)
			}
			if err := checkPages(r, start, start+m.TotalCompressedSize, size); err != nil {
				return nil, fmt.Errorf("row group %d, column %d: %w", g, c, err)
			}
		}
	}
	return f, nil
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
	case string(head[:]) != "PAR1":
		return fmt.Errorf("no Parquet file: it begins with %q", head[:])
	case string(tail[4:]) == "PARE":
		return errors.New("encrypted Parquet files cannot be read")
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
		if header.uncompressed < 0 || header.uncompressed > pageBase+pageRatio*header.compressed {
			return fmt.Errorf("page %d claims %d bytes out of %d", n, header.uncompressed, header.compressed)
		}
		if header.values < 0 || header.values > valuesBase+pageRatio*size {
			return fmt.Errorf("page %d claims %d values", n, header.values)
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
