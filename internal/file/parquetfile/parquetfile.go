// Package parquetfile reads and writes parquet files row by row as Go structs, with
// flat memory. Files are examined by package parquetcheck before the parquet library
// may believe them; missing columns and panics of the library come out as errors.
package parquetfile

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/file/parquetcheck"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
)

// batchRows is how many rows are converted at a time.
const batchRows = 1024

// groupRows is how many rows make a row group. The library holds a group in memory,
// compressed, until it is whole.
const groupRows = 32 * batchRows

// Write writes rows to a parquet file (zstd), atomically. The columns are T's fields,
// named by their parquet tags. Equal rows give equal bytes.
func Write[T any](path string, rows iter.Seq[T]) error {
	return WriteAll(path, func(yield func(T, error) bool) {
		for row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	})
}

// WriteAll is [Write] for rows that may fail to come: then nothing is written.
func WriteAll[T any](path string, rows iter.Seq2[T, error]) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		p := parquet.NewGenericWriter[T](w, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(groupRows), parquet.CreatedBy("mllmrec", "1", ""))
		batch := make([]T, 0, batchRows)
		for row, err := range rows {
			if err != nil {
				return err
			}
			if batch = append(batch, row); len(batch) == batchRows {
				if _, err := p.Write(batch); err != nil {
					return err
				}
				batch = batch[:0]
			}
		}
		if _, err := p.Write(batch); err != nil {
			return err
		}
		return p.Close()
	})
}

// Each calls fn with every row of the file at path and its number. The value may be
// kept. Errors name the file; fn's also the row.
func Each[T any](path string, fn func(row int, v *T) error) error {
	f, err := plainfile.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return EachIn(f, fn)
}

// EachIn is [Each] for a file that is open.
func EachIn[T any](f *os.File, fn func(row int, v *T) error) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := EachOf(f, info.Size(), fn); err != nil {
		return fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	return nil
}

// EachOf is [Each] for a stream of size bytes.
func EachOf[T any](r io.ReaderAt, size int64, fn func(row int, v *T) error) error {
	reader, total, err := open[T](r, size)
	if err != nil {
		return err
	}
	defer reader.Close()
	if total == 0 {
		return nil
	}
	batch := make([]T, batchRows)
	at := 0
	for {
		clear(batch) // or lists would share the memory of the batch before
		n, err := readBatch(reader, batch)
		for i := range n {
			if err := fn(at+i, &batch[i]); err != nil {
				return fmt.Errorf("row %d: %w", at+i, err)
			}
		}
		at += n
		switch {
		case errors.Is(err, io.EOF) || err == nil && n == 0:
			if int64(at) != total {
				return fmt.Errorf("it ends after %d of %d rows", at, total)
			}
			return nil
		case err != nil:
			return fmt.Errorf("after row %d: %w", at, err)
		}
	}
}

func open[T any](r io.ReaderAt, size int64) (reader *parquet.GenericReader[T], rows int64, err error) {
	defer parquetcheck.Recover(&err)
	file, err := parquetcheck.Open(r, size)
	if err != nil {
		return nil, 0, err
	}
	if err := parquetcheck.Columns(file, r, size); err != nil {
		return nil, 0, err
	}
	if err := checkColumns[T](file.Schema()); err != nil {
		return nil, 0, err
	}
	groups := parquetcheck.RowGroups(file)
	if len(groups) == 0 || len(groups) == len(file.RowGroups()) {
		return parquet.NewGenericReader[T](file), file.NumRows(), nil
	}
	return parquet.NewGenericRowGroupReader[T](parquet.MultiRowGroup(groups...)), file.NumRows(), nil
}

func readBatch[T any](r *parquet.GenericReader[T], batch []T) (n int, err error) {
	defer parquetcheck.Recover(&err)
	return r.Read(batch)
}

// checkColumns demands every column of T with its type, but for optional ones: the library would fill a
// missing one with zeros.
func checkColumns[T any](have *parquet.Schema) error {
	var zero T
	want := parquet.SchemaOf(&zero)
	for _, path := range want.Columns() {
		name := strings.Join(path, ".")
		w, _ := want.Lookup(path...)
		h, ok := have.Lookup(path...)
		if !ok && w.Node.Optional() {
			continue
		}
		if !ok {
			return fmt.Errorf("column %s is missing", name)
		}
		if h.Node.Type().Kind() != w.Node.Type().Kind() {
			return fmt.Errorf("column %s has type %s, %s is needed", name, h.Node.Type(), w.Node.Type())
		}
	}
	return nil
}
