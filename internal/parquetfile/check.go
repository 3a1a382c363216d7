package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Bounds on what one page may claim. Writers cut pages at about a megabyte; a page of
// one long text may be larger, and then its bytes are there.
const (
	maxPageValues  = 1 << 24
	freePageBytes  = 16 << 20 // a page may always unfold to this much ...
	maxPageUnfold  = 1000     // ... or to so many times its compressed bytes
	maxHeaderBytes = 1 << 20
)

// codecs are those whose decoders give up on damage. The library's decoder of LZ4 asks
// for more and more memory instead.
var codecs = []format.CompressionCodec{format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd}

// Check walks footer and page headers of a parquet file of size bytes and rejects
// claims that the file cannot back: lists longer than the metadata, pages outside the
// file, page sizes and row counts that do not add up.
func Check(r io.ReaderAt, size int64) error {
	meta, err := readFooter(r, size)
	if err != nil {
		return fmt.Errorf("no parquet file, or cut off: %w", err)
	}
	rows := int64(0)
	for g, group := range meta.RowGroups {
		if group.NumRows < 0 || len(group.Columns) == 0 && group.NumRows > 0 {
			return fmt.Errorf("row group %d claims %d rows in %d columns", g, group.NumRows, len(group.Columns))
		}
		rows += group.NumRows
		for _, c := range group.Columns {
			if err := checkChunk(r, size, c.MetaData, group.NumRows); err != nil {
				return fmt.Errorf("row group %d, column %s: %w", g, strings.Join(c.MetaData.PathInSchema, "."), err)
			}
		}
	}
	if rows != meta.NumRows {
		return fmt.Errorf("the footer claims %d rows, its row groups %d", meta.NumRows, rows)
	}
	return nil
}

func readFooter(r io.ReaderAt, size int64) (*format.FileMetaData, error) {
	const tail = 8
	if size < 4+tail {
		return nil, fmt.Errorf("%d bytes are too few", size)
	}
	var end [tail]byte
	if _, err := io.ReadFull(io.NewSectionReader(r, size-tail, tail), end[:]); err != nil {
		return nil, err
	}
	if string(end[4:]) != "PAR1" {
		return nil, fmt.Errorf("it ends with %q, not with PAR1", end[4:])
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	if n > size-tail-4 {
		return nil, fmt.Errorf("the footer claims %d bytes of %d", n, size)
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(r, size-tail-n, n), raw); err != nil {
		return nil, err
	}
	used, err := structLength(raw)
	if err != nil {
		return nil, err
	}
	meta := new(format.FileMetaData)
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), raw[:used], meta); err != nil {
		return nil, err
	}
	if len(meta.Schema) == 0 || meta.NumRows < 0 {
		return nil, errors.New("the footer has no schema or a negative number of rows")
	}
	return meta, nil
}

// checkChunk walks the page headers of one column of one row group.
func checkChunk(r io.ReaderAt, size int64, m format.ColumnMetaData, rows int64) error {
	if !slices.Contains(codecs, m.Codec) {
		return fmt.Errorf("compression %s is not read", m.Codec)
	}
	at := m.DataPageOffset
	if m.DictionaryPageOffset > 0 {
		at = min(at, m.DictionaryPageOffset)
	}
	end := at + m.TotalCompressedSize
	if at < 4 || m.TotalCompressedSize < 0 || end < at || end > size {
		return fmt.Errorf("its pages are said to lie from byte %d to %d of %d", at, end, size)
	}
	if m.NumValues < rows {
		return fmt.Errorf("%d values for %d rows", m.NumValues, rows)
	}
	values := int64(0)
	for at < end && values < m.NumValues {
		page, n, err := readPageHeader(r, at, end)
		if err != nil {
			return fmt.Errorf("page header at byte %d: %w", at, err)
		}
		packed, unpacked := int64(page.CompressedPageSize), int64(page.UncompressedPageSize)
		if at += n + packed; packed < 0 || unpacked < 0 || at > end {
			return fmt.Errorf("a page of %d bytes ends at byte %d, behind the column's end at %d", packed, at, end)
		}
		if unpacked > max(freePageBytes, packed*maxPageUnfold) {
			return fmt.Errorf("a page of %d bytes claims to unfold to %d", packed, unpacked)
		}
		held, data, err := pageValues(page)
		if err != nil {
			return err
		}
		if held < 0 || held > maxPageValues || !data && held > 8*unpacked {
			return fmt.Errorf("a page of %d bytes claims %d values", unpacked, held)
		}
		if data {
			values += held
		}
	}
	if values != m.NumValues {
		return fmt.Errorf("its pages hold %d values, the footer claims %d", values, m.NumValues)
	}
	return nil
}

// pageValues returns the number of values a page claims and whether they are data
// (not a dictionary).
func pageValues(p *format.PageHeader) (n int64, data bool, err error) {
	switch {
	case p.Type == format.DataPage && p.DataPageHeader.Valid:
		return int64(p.DataPageHeader.V.NumValues), true, nil
	case p.Type == format.DataPageV2 && p.DataPageHeaderV2.Valid:
		h := p.DataPageHeaderV2.V
		levels := int64(h.DefinitionLevelsByteLength) + int64(h.RepetitionLevelsByteLength)
		if min(h.DefinitionLevelsByteLength, h.RepetitionLevelsByteLength) < 0 || levels > int64(min(p.CompressedPageSize, p.UncompressedPageSize)) {
			return 0, false, fmt.Errorf("levels of %d bytes in a page of %d", levels, p.CompressedPageSize)
		}
		return int64(h.NumValues), true, nil
	case p.Type == format.DictionaryPage && p.DictionaryPageHeader.Valid:
		return int64(p.DictionaryPageHeader.V.NumValues), false, nil
	}
	return 0, false, fmt.Errorf("a page of type %s without its header", p.Type)
}

// readPageHeader reads the header at byte at and returns its length too. Headers are
// short, so little is read at first and more only where a header goes on.
func readPageHeader(r io.ReaderAt, at, end int64) (*format.PageHeader, int64, error) {
	for window := int64(256); ; window *= 8 {
		raw := make([]byte, min(window, end-at))
		if _, err := io.ReadFull(io.NewSectionReader(r, at, int64(len(raw))), raw); err != nil {
			return nil, 0, err
		}
		n, err := structLength(raw)
		if errors.Is(err, errShort) && int64(len(raw)) == window && window < maxHeaderBytes {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		page := new(format.PageHeader)
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), raw[:n], page); err != nil {
			return nil, 0, err
		}
		return page, int64(n), nil
	}
}
