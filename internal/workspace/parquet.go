package workspace

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/parquetfile"
	"github.com/mllmrec/mllmrec/internal/labelled"
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
	// pricedRow is an item of a catalogue in which some have prices.
	pricedRow struct {
		itemRow
		Price float64 `parquet:"price,optional"`
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

// eachRow is [parquetfile.EachIn] with a hint for the user.
func eachRow[T any](f *os.File, fn func(row int, v *T) error) error {
	err := parquetfile.EachIn(f, fn)
	return usererr.WrapAs(usererr.KindDamaged, err, "The file is damaged or not of this program's making; run the stage that writes it again.")
}

func writeDataset(dir string, ds *dataset.Dataset) error {
	if err := writeItems(filepath.Join(dir, ItemsFile), ds.Items); err != nil {
		return err
	}
	err := parquetfile.Write(filepath.Join(dir, UsersFile), func(yield func(userRow) bool) {
		for _, id := range ds.UserIDs {
			if !yield(userRow{id}) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return parquetfile.Write(filepath.Join(dir, InteractionsFile), func(yield func(interactionRow) bool) {
		for _, x := range labelled.Rows[dataset.Interaction](ds) {
			if !yield(interactionRow{x.User, x.Item, x.Label.String(), x.Rating, x.Time}) {
				return
			}
		}
	})
}

// writeItems writes prices only where there are any, so that a catalogue without them keeps its bytes and its name.
func writeItems(path string, items []dataset.Item) error {
	if slices.ContainsFunc(items, func(it dataset.Item) bool { return it.Price != 0 }) {
		return parquetfile.Write(path, func(yield func(pricedRow) bool) {
			for _, it := range items {
				if !yield(pricedRow{rowOf(&it), it.Price}) {
					return
				}
			}
		})
	}
	return parquetfile.Write(path, func(yield func(itemRow) bool) {
		for _, it := range items {
			if !yield(rowOf(&it)) {
				return
			}
		}
	})
}

func rowOf(it *dataset.Item) itemRow {
	return itemRow{it.ID, it.Title, it.Brand, it.Categories, it.Description, it.Image}
}

func readItems(f *os.File) ([]dataset.Item, error) {
	var items []dataset.Item
	err := eachRow(f, func(_ int, r *pricedRow) error {
		if len(r.Categories) == 0 {
			r.Categories = nil
		}
		items = append(items, dataset.Item{ID: r.ID, Title: r.Title, Brand: r.Brand, Categories: r.Categories, Description: r.Description, Image: r.Image, Price: r.Price})
		return nil
	})
	return items, err
}

// readIDs reads the id column alone, of about n rows.
func readIDs(f *os.File, n int) ([]string, error) {
	ids := make([]string, 0, room(f, n))
	err := eachRow(f, func(_ int, r *userRow) error {
		ids = append(ids, r.ID)
		return nil
	})
	return ids, err
}

// readInteractions reads about n rows and checks their labels; [checkDataset] checks the
// indices.
func readInteractions(f *os.File, n int) ([]dataset.Interaction, error) {
	all := make([]dataset.Interaction, 0, room(f, n))
	err := eachRow(f, func(_ int, r *interactionRow) error {
		label := slices.Index(labels, r.Label)
		if label < 0 {
			return fmt.Errorf("label %q (known: %s)", r.Label, strings.Join(labels, ", "))
		}
		all = append(all, dataset.Interaction{User: r.User, Item: r.Item, Label: dataset.Label(label), Rating: r.Rating, Time: r.Time})
		return nil
	})
	return all, err
}

// room is for how many rows to make room: those that the manifest claims, unless the file
// is too small to hold them.
func room(f *os.File, claimed int) int {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return int(min(int64(max(claimed, 0)), info.Size()))
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
	for i := range ds.Items {
		if p := ds.Items[i].Price; !dataset.ValidPrice(p) {
			return fmt.Errorf("%s, row %d: %v is no price", where.items, i, p)
		}
	}
	rows := labelled.Rows[dataset.Interaction](ds)
	for i, x := range rows {
		bad := ""
		switch {
		case x.User < 0 || int(x.User) >= len(ds.UserIDs):
			bad = fmt.Sprintf("user %d is outside the %d users", x.User, len(ds.UserIDs))
		case x.Item < 0 || int(x.Item) >= len(ds.Items):
			bad = fmt.Sprintf("item %d is outside the %d items", x.Item, len(ds.Items))
		case x.Label > dataset.Test:
			bad = fmt.Sprintf("label %d is unknown", x.Label)
		case i > 0 && x.User < rows[i-1].User:
			bad = fmt.Sprintf("user %d comes after user %d; rows must be sorted by user and time", x.User, rows[i-1].User)
		case i > 0 && x.User == rows[i-1].User && x.Time < rows[i-1].Time:
			bad = fmt.Sprintf("time %d of user %d comes after %d; rows must be sorted by user and time", x.Time, x.User, rows[i-1].Time)
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
