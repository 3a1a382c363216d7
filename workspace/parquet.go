package workspace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/atomicfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The rows of the parquet files. Column names are part of the format.
type (
	itemRow struct {
		ID          string   `parquet:"id"`
		Title       string   `parquet:"title"`
		Brand       string   `parquet:"brand"`
		Categories  []string `parquet:"categories,list"`
		Description string   `parquet:"description"`
		Image       string   `parquet:"image"`
	}
	userRow struct {
		ID string `parquet:"id"`
	}
	interactionRow struct {
		User   int32   `parquet:"user"`
		Item   int32   `parquet:"item"`
		Label  string  `parquet:"label,dict"`
		Rating float32 `parquet:"rating"`
		Time   int64   `parquet:"time"`
	}
)

// batchRows is how many rows are converted at a time, so that memory stays flat.
const batchRows = 1024

// writeRows writes rows to a parquet file, atomically.
func writeRows[T any](path string, rows iter.Seq[T]) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		p := parquet.NewGenericWriter[T](w, parquet.Compression(&parquet.Zstd), parquet.CreatedBy("mllmrec", readBy, ""))
		batch := make([]T, 0, batchRows)
		for row := range rows {
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

// eachRow calls fn with every row of a parquet file and its number. Errors of the
// file and of fn name the file; fn's also the row.
func eachRow[T any](path string, fn func(row int, v *T) error) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return usererr.Wrap(err, "Run the stage that writes this file first.")
	} else if err != nil {
		return err
	}
	defer f.Close()
	if err := eachRowOf(f, fn); err != nil {
		return usererr.Wrap(fmt.Errorf("reading %s: %w", path, err), "The file is damaged or not of this program's making; run the stage that writes it again.")
	}
	return nil
}

func eachRowOf[T any](f *os.File, fn func(row int, v *T) error) (err error) {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	// The library meets some damage with a panic.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the file is damaged: %v", r)
		}
	}()
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("no parquet file, or cut off: %w", err)
	}
	if err := checkColumns[T](file.Schema()); err != nil {
		return err
	}
	r := parquet.NewGenericReader[T](file)
	defer r.Close()
	batch := make([]T, batchRows)
	for at := 0; ; {
		clear(batch) // or lists would share the memory of the batch before
		n, err := r.Read(batch)
		for i := range n {
			if err := fn(at+i, &batch[i]); err != nil {
				return fmt.Errorf("row %d: %w", at+i, err)
			}
		}
		at += n
		switch {
		case errors.Is(err, io.EOF):
			if int64(at) != file.NumRows() {
				return fmt.Errorf("it ends after %d of %d rows", at, file.NumRows())
			}
			return nil
		case err != nil:
			return fmt.Errorf("after row %d: %w", at, err)
		case n == 0:
			return fmt.Errorf("it ends after %d of %d rows", at, file.NumRows())
		}
	}
}

// checkColumns demands every column of T with its type: the library would fill a
// missing one with zeros.
func checkColumns[T any](have *parquet.Schema) error {
	var zero T
	want := parquet.SchemaOf(&zero)
	for _, path := range want.Columns() {
		name := strings.Join(path, ".")
		w, _ := want.Lookup(path...)
		h, ok := have.Lookup(path...)
		if !ok {
			return fmt.Errorf("column %s is missing", name)
		}
		if h.Node.Type().Kind() != w.Node.Type().Kind() {
			return fmt.Errorf("column %s has type %s, %s is needed", name, h.Node.Type(), w.Node.Type())
		}
	}
	return nil
}

func writeDataset(dir string, ds *dataset.Dataset) error {
	err := writeRows(filepath.Join(dir, ItemsFile), func(yield func(itemRow) bool) {
		for _, it := range ds.Items {
			if !yield(itemRow(it)) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	err = writeRows(filepath.Join(dir, UsersFile), func(yield func(userRow) bool) {
		for _, id := range ds.UserIDs {
			if !yield(userRow{id}) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return writeRows(filepath.Join(dir, InteractionsFile), func(yield func(interactionRow) bool) {
		for _, x := range ds.Interactions {
			if !yield(interactionRow{x.User, x.Item, x.Label.String(), x.Rating, x.Time}) {
				return
			}
		}
	})
}

func readItems(path string) ([]dataset.Item, error) {
	var items []dataset.Item
	err := eachRow(path, func(_ int, r *itemRow) error {
		if len(r.Categories) == 0 {
			r.Categories = nil
		}
		items = append(items, dataset.Item(*r))
		return nil
	})
	return items, err
}

func readUsers(path string) ([]string, error) {
	var ids []string
	err := eachRow(path, func(_ int, r *userRow) error {
		ids = append(ids, r.ID)
		return nil
	})
	return ids, err
}

// readInteractions checks labels; [checkDataset] checks the indices.
func readInteractions(path string) ([]dataset.Interaction, error) {
	var all []dataset.Interaction
	err := eachRow(path, func(_ int, r *interactionRow) error {
		label := slices.Index(labels, r.Label)
		if label < 0 {
			return fmt.Errorf("label %q (known: %s)", r.Label, strings.Join(labels, ", "))
		}
		all = append(all, dataset.Interaction{User: r.User, Item: r.Item, Label: dataset.Label(label), Rating: r.Rating, Time: r.Time})
		return nil
	})
	return all, err
}

var labels = []string{dataset.Train.String(), dataset.Valid.String(), dataset.Test.String()}

// places name the three tables in errors.
type places struct{ items, users, interactions string }

// checkDataset makes sure that a data set is what its type promises: unique ids,
// indices in range, known labels, interactions by user and time.
func checkDataset(ds *dataset.Dataset, where places) error {
	itemID := func(i int) string { return ds.Items[i].ID }
	if err := checkIDs(where.items, len(ds.Items), itemID); err != nil {
		return err
	}
	if err := checkIDs(where.users, len(ds.UserIDs), func(i int) string { return ds.UserIDs[i] }); err != nil {
		return err
	}
	for i, x := range ds.Interactions {
		bad := ""
		switch {
		case x.User < 0 || int(x.User) >= len(ds.UserIDs):
			bad = fmt.Sprintf("user %d is outside the %d users", x.User, len(ds.UserIDs))
		case x.Item < 0 || int(x.Item) >= len(ds.Items):
			bad = fmt.Sprintf("item %d is outside the %d items", x.Item, len(ds.Items))
		case x.Label > dataset.Test:
			bad = fmt.Sprintf("label %d is unknown", x.Label)
		case i > 0 && x.User < ds.Interactions[i-1].User:
			bad = fmt.Sprintf("user %d comes after user %d; rows must be sorted by user and time", x.User, ds.Interactions[i-1].User)
		case i > 0 && x.User == ds.Interactions[i-1].User && x.Time < ds.Interactions[i-1].Time:
			bad = fmt.Sprintf("time %d of user %d comes after %d; rows must be sorted by user and time", x.Time, x.User, ds.Interactions[i-1].Time)
		}
		if bad != "" {
			return fmt.Errorf("%s, row %d: %s", where.interactions, i, bad)
		}
	}
	return nil
}

func checkIDs(where string, n int, id func(int) string) error {
	first := make(map[string]int, n)
	for i := range n {
		switch was, twice := first[id(i)]; {
		case id(i) == "":
			return fmt.Errorf("%s, row %d: the id is empty", where, i)
		case twice:
			return fmt.Errorf("%s, row %d: id %q stands in row %d already", where, i, id(i), was)
		}
		first[id(i)] = i
	}
	return nil
}
