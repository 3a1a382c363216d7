package tables

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The files are pyarrow's, pandas', fastparquet's, polars' and DuckDB's own;
// scripts/make_table_goldens.py wrote them.
func TestForeignParquet(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.parquet"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	refused := map[string]string{
		"pyarrow-no-rows":       "holds no usable interactions",
		"pyarrow-no-groups":     "holds no usable interactions",
		"pyarrow-lz4":           "compression LZ4_RAW is not read",
		"pyarrow-float-inexact": "user: 1152921504606847500 went through floating point, where whole numbers beyond 2^53",
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".parquet")
		if strings.HasPrefix(name, "items-") {
			continue
		}
		ds, rep, err := Read(t.Context(), Options{Interactions: path})
		if want, ok := refused[name]; ok {
			if hint, user := usererr.Hint(err); !user || !strings.Contains(err.Error(), want) || strings.Contains(err.Error()+hint, "amage") || strings.Contains(hint, "download") {
				t.Errorf("%s: %v (%s), want %q", name, err, hint, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		rows := labelledtest.Rows(ds)
		if strings.Join(ds.UserIDs, " ") != "1 2 3" || len(rows) != 12 || rep.Files[0].Rows != 12 || ds.Items[3].ID != "40" || ds.NumItems() != 4 {
			t.Errorf("%s: users %q, %d rows, items %+v", name, ds.UserIDs, len(rows), ds.Items)
			continue
		}
		for i, x := range rows {
			if x != (dataset.Interaction{User: int32(i / 4), Item: int32(i % 4), Time: 1600000000 + int64(i)}) {
				t.Errorf("%s: row %d is %+v", name, i, x)
			}
		}
	}
}

const mugPNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// Pictures and categories as the loaders of other tools write them.
func TestForeignItems(t *testing.T) {
	inter := write(t, "t.csv", "user,item\na,10\na,20\na,30\na,40\n")
	shop, err := filepath.Abs("shop")
	if err != nil {
		t.Fatal(err)
	}
	items := func(name string, c ItemColumns) ([]dataset.Item, error) {
		ds, _, err := Read(t.Context(), Options{Interactions: inter, Items: filepath.Join("testdata", name+".parquet"), ItemColumns: c, ImageDir: shop})
		if err != nil {
			return nil, err
		}
		return ds.Items, nil
	}
	got, err := items("items-picture-groups", ItemColumns{})
	want := []dataset.Item{{ID: "10", Title: "Mug", Categories: []string{"Home", "Mugs"}, Image: mugPNG}, {ID: "20", Title: "Pot", Categories: []string{"Home"}, Image: filepath.Join(shop, "b.png")}, {ID: "30"}, {ID: "40", Title: "Pan"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("groups: %+v, %v", got, err)
	}
	got, err = items("items-picture-groups", ItemColumns{Image: "image.path", Categories: "categories.id"})
	if err != nil || got[0].Image != mugPNG || strings.Join(got[0].Categories, " ") != "1 2" {
		t.Errorf("members by name: %+v, %v", got, err)
	}
	if got, err = items("items-pictures", ItemColumns{}); err != nil || got[0].Image != mugPNG || got[2].Image != "" {
		t.Errorf("bytes: %+v, %v", got, err)
	}
	if got, err = items("items-lists-of-addresses", ItemColumns{Image: "images"}); err != nil || got[0].Image != filepath.Join(shop, "l") {
		t.Errorf("a group of lists: %+v, %v", got, err)
	}
	if got, err = items("items-lists-of-addresses", ItemColumns{Image: "images.hi_res"}); err != nil || got[0].Image != filepath.Join(shop, "h") {
		t.Errorf("a list with a gap: %+v, %v", got, err)
	}
	_, err = items("items-unnamed-group", ItemColumns{})
	if hint, _ := usererr.Hint(err); err == nil || !strings.Contains(err.Error(), `the column "categories" for the categories is a group of "level", "root"`) || !strings.Contains(hint, "categories.level") {
		t.Errorf("a group of which no member is the name: %v (%s)", err, hint)
	}
	if got, err = items("items-unnamed-group", ItemColumns{Categories: "categories.root"}); err != nil || got[0].Categories[0] != "Home" {
		t.Errorf("its member by name: %+v, %v", got, err)
	}
}

// Lists as older writers make them: the repeated column itself, with nothing around it.
func TestListsWithoutPlumbing(t *testing.T) {
	type product struct {
		Item       string   `parquet:"item"`
		Categories []string `parquet:"categories"`
	}
	inter := write(t, "t.csv", "user,item\na,1\na,2\n")
	items := write(t, "i.parquet", parquetOf(t, []product{{"1", []string{"Home", "Mugs"}}, {"2", nil}}))
	ds, _, err := Read(t.Context(), Options{Interactions: inter, Items: items})
	if err != nil || strings.Join(ds.Items[0].Categories, " ") != "Home Mugs" || len(ds.Items[1].Categories) != 0 {
		t.Errorf("%+v, %v", ds, err)
	}
}

// A database's "for ever" is no time, also where the column holds times.
func TestTimesOutOfBounds(t *testing.T) {
	at := func(y int) row { return row{User: 1, Item: "a", Time: time.Date(y, 12, 31, 0, 0, 0, 0, time.UTC)} }
	policy := &dataset.RowPolicy{Skip: true}
	ds, _, err := Read(t.Context(), Options{Interactions: write(t, "t.parquet", parquetOf(t, []row{at(2014), at(9999), at(1)})), Policy: policy})
	if err != nil || ds.NumInteractions() != 1 || policy.Count != 2 || !strings.Contains(policy.Skipped[0].Reason, "in the year 9999") {
		t.Errorf("%v, %+v", err, policy)
	}
}
