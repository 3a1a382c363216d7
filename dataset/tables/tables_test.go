package tables

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func isUser(err error) bool {
	_, user := usererr.Hint(err)
	return err != nil && user
}

func zip(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

type row struct {
	User   int64     `parquet:"user"`
	Item   string    `parquet:"item,dict"`
	Time   time.Time `parquet:"time,timestamp(microsecond)"`
	Rating *float64  `parquet:"rating,optional"`
	Extra  []float32 `parquet:"extra,list"`
}

type product struct {
	Item       string   `parquet:"item"`
	Title      *string  `parquet:"title,optional"`
	Brand      string   `parquet:"brand"`
	Categories []string `parquet:"categories,list"`
	About      struct {
		Text  string
		Count int32
	} `parquet:"about"`
	Image string `parquet:"image"`
}

func parquetOf[T any](t testing.TB, rows []T) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, parquet.Compression(&parquet.Snappy))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func ptr[T any](v T) *T { return &v }

func parquetRows(t testing.TB) string {
	at := func(s int64) time.Time { return time.Unix(s, 5000).UTC() }
	return parquetOf(t, []row{{7, "cup", at(1400000000), ptr(4.5), []float32{1, 2}}, {8, "pot", at(1300000000), nil, nil}, {7, "pan", at(-5), ptr(1.0), []float32{3}}})
}

func parquetProducts(t testing.TB) string {
	pot := product{Item: "pot", Title: ptr("Pot"), Categories: []string{"Home", "Pots"}, Image: "https://i/pot.png"}
	pot.About.Text = "a pot"
	return parquetOf(t, []product{{Item: "cup", Brand: "Acme", Image: "img/cup.png"}, pot, {Item: "new", Title: ptr("New")}})
}

// The same small shop in every format.
func TestFormats(t *testing.T) {
	const csv = "rating,time,item,user\r\n4.5,1400000000,cup,7\r\n,1300000000,pot,8\n1,-5,\"pan\",7"
	json := `{"user": 7, "item": "cup", "time": 1400000000, "rating": 4.5, "x": {"y": [1]}}
{"item": "pot", "user": "8", "time": 1300000000.0, "rating": null}

{"user": 7, "item": "pan", "time": -5, "rating": 1}`
	const csvItems = "item,title,brand,categories,about.Text,image\ncup,,Acme,,,img/cup.png\npot,Pot,,Home|Pots,a pot,https://i/pot.png\nnew,New,,,,\n"
	const jsonItems = `{"item": "cup", "brand": "Acme", "image": "img/cup.png"}
{"item": "pot", "title": "Pot", "categories": ["Home", "Pots"], "about.Text": "a pot", "image": ["https://i/pot.png"]}
{"item": "new", "title": "New"}`
	tab := func(s string) string { return strings.ReplaceAll(s, ",", "\t") }
	for name, c := range map[string]struct{ interactions, items string }{
		"t.csv": {csv, csvItems}, "t.tsv": {tab(csv), tab(csvItems)}, "t.csv.gz": {zip(csv), zip(csvItems)},
		"t.jsonl": {json, jsonItems}, "t.ndjson.gz": {zip(json), zip(jsonItems)}, "t.parquet": {parquetRows(t), parquetProducts(t)},
	} {
		opt := Options{Interactions: write(t, name, c.interactions), Items: write(t, name, c.items), ItemColumns: ItemColumns{Description: "about.Text"}, KeepUnseen: true}
		ds, rep, err := Read(t.Context(), opt)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		image := filepath.Join(filepath.Dir(opt.Items), "img", "cup.png")
		want := []dataset.Item{{ID: "cup", Brand: "Acme", Image: image}, {ID: "pot", Title: "Pot", Categories: []string{"Home", "Pots"}, Description: "a pot", Image: "https://i/pot.png"},
			{ID: "pan"}, {ID: "new", Title: "New"}}
		if !reflect.DeepEqual(ds.Items, want) {
			t.Errorf("%s: items %+v", name, ds.Items)
		}
		if x := []dataset.Interaction{{User: 0, Item: 2, Rating: 1, Time: -5}, {User: 0, Item: 0, Rating: 4.5, Time: 1400000000}, {User: 1, Item: 1, Time: 1300000000}}; !reflect.DeepEqual(labelledtest.Rows(ds), x) {
			t.Errorf("%s: interactions %+v", name, labelledtest.Rows(ds))
		}
		if strings.Join(ds.UserIDs, " ") != "7 8" || ds.Clock != dataset.ClockMoment || ds.Split != "" || ds.Name != "t" {
			t.Errorf("%s: %+v", name, ds)
		}
		for _, f := range rep.Files {
			if f.Rows != 3 || f.Bytes == 0 || len(f.SHA256) != 64 || f.Format == "" {
				t.Errorf("%s: report %+v", name, f)
			}
		}
		opt.KeepUnseen = false
		if ds, rep, err := Read(t.Context(), opt); err != nil || ds.NumItems() != 3 || len(rep.Notes) != 2 {
			t.Errorf("%s, without unseen items: %v, notes %q", name, err, rep.Notes)
		}
	}
}

func TestMapping(t *testing.T) {
	path := write(t, "log.txt", "u1;x;i1;train;9\n") // the wrong separator: one column
	if _, _, err := Read(t.Context(), Options{Interactions: path}); !isUser(err) || !strings.Contains(err.Error(), ".txt") {
		t.Errorf("unknown extension: %v", err)
	}
	if _, _, err := Read(t.Context(), Options{Interactions: path, InteractionsFormat: CSV}); !isUser(err) || !strings.Contains(err.Error(), `no column "user"`) {
		t.Errorf("no user column: %v", err)
	}
	path = write(t, "log.csv", "u1,i1,train,9,1\nu1,i2,TEST,8,2\nu2,i1,val,8,3\n")
	opt := Options{Interactions: path, NoHeader: true, Columns: Columns{User: "1", Item: "2", Label: "3", Time: "5"}}
	ds, rep, err := Read(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if ds.Split != dataset.SplitLabelled || ds.Users() != 2 || labelOf(ds, 1) != dataset.Test || labelOf(ds, 2) != dataset.Valid || rep.Files[0].Rows != 3 {
		t.Errorf("without header: %+v", ds)
	}
	opt.Columns.Label = None
	if ds, _, err := Read(t.Context(), opt); err != nil || ds.Split != "" {
		t.Errorf("label column left out: %v, split %q", err, ds.Split)
	}
	opt.Columns.Rating = "stars"
	if _, _, err := Read(t.Context(), opt); !isUser(err) || !strings.Contains(err.Error(), `"stars"`) {
		t.Errorf("named column missing: %v", err)
	}
	opt.Columns.User = None
	if _, _, err := Read(t.Context(), opt); !isUser(err) {
		t.Errorf("user column left out: %v", err)
	}
	lines := write(t, "l.jsonl", `{"user": "a", "item": "b"}`)
	if _, _, err := Read(t.Context(), Options{Interactions: lines, Columns: Columns{Time: "when"}}); !isUser(err) || !strings.Contains(err.Error(), "no when") {
		t.Errorf("named field missing: %v", err)
	}
	if _, _, err := Read(t.Context(), Options{Interactions: lines, Items: lines, ItemColumns: ItemColumns{Title: "name"}}); !isUser(err) || !strings.Contains(err.Error(), `field "name"`) {
		t.Errorf("named item field missing: %v", err)
	}
	if _, _, err := Read(t.Context(), Options{Interactions: lines, NoHeader: true}); !isUser(err) {
		t.Errorf("JSON lines without header: %v", err)
	}
	if _, _, err := Read(t.Context(), Options{Interactions: lines, InteractionsFormat: "xlsx"}); !isUser(err) || !strings.Contains(err.Error(), "xlsx") {
		t.Errorf("unknown format: %v", err)
	}
}

func TestBadRows(t *testing.T) {
	const head, tail = "user,item,time,rating,label\na,x,5,1,0\n", "b,x,6,,2\n"
	for name, c := range map[string]struct {
		row, reason string
		column      int
	}{
		"mixed times":    {"a,y,2014-05-13,1,0", "is a date, the file's first time was unix seconds", 5},
		"millis":         {"a,y,1400000000000,1,0", "unix milliseconds", 5},
		"no time":        {"a,y,,1,0", "empty", 5},
		"no user":        {",y,5,1,0", "empty id", 1},
		"rating word":    {"a,y,5,five,0", "finite", 7},
		"rating Inf":     {"a,y,5,Inf,0", "finite", 7},
		"label 7":        {"a,y,5,1,7", "no label", 9},
		"empty label":    {"a,y,5,1,", "no label", 9},
		"few fields":     {"a,y,5", "3 fields", 0},
		"many fields":    {"a,y,5,1,0,0", "6 fields", 0},
		"after quote":    {"a,\"y\"z,5,1,0", "closing quote", 3},
		"NUL":            {"a,y\x00,5,1,0", "control", 3},
		"line in id":     {"a,\"y\ny\",5,1,0", "control", 3},
		"line too long":  {strings.Repeat("x", 17<<20), "longer", 0},
		"several wrongs": {",,,,", "user: empty", 1},
	} {
		path := write(t, "t.csv", head+c.row+"\n"+tail)
		_, _, err := Read(t.Context(), Options{Interactions: path})
		var bad dataset.RowError
		if !isUser(err) || !errors.As(err, &bad) || bad.Line != 3 || bad.Column != c.column || !strings.Contains(bad.Reason, c.reason) || bad.File != path {
			t.Errorf("%s: %v, want line 3, column %d, %q", name, err, c.column, c.reason)
		}
		policy := &dataset.RowPolicy{Skip: true}
		if ds, _, err := Read(t.Context(), Options{Interactions: path, Policy: policy}); err != nil || policy.Count != 1 || ds.NumInteractions() != 2 || ds.NumItems() != 1 {
			t.Errorf("%s, skipping: %v, %+v", name, err, policy)
		}
	}
	for name, c := range map[string]struct {
		row, reason string
		column      int
	}{
		"torn":           {`{"user": "a"`, "ends", 13},
		"user missing":   {`{"item": "x", "time": 5}`, "no user", 0},
		"user null":      {`{"user": null, "item": "x", "time": 5}`, "no user", 10},
		"user list":      {`{"user": ["a"], "item": "x", "time": 5}`, "is a list", 10},
		"user object":    {`{"user": {}, "item": "x", "time": 5}`, "an object", 10},
		"time missing":   {`{"user": "a", "item": "x"}`, "no time", 0},
		"label appears":  {`{"user": "a", "item": "x", "time": 5, "label": 0}`, "first rows have none", 48},
		"no object":      {`[1]`, "object", 1},
		"two on a line":  {`{"user": "a", "item": "x", "time": 5} {}`, "the end", 39},
		"Python's True":  {`{"user": True, "item": "x", "time": 5}`, "value", 10},
		"lists of lists": {`{"user": "a", "item": [["x"]], "time": 5}`, "text or a number", 24},
	} {
		path := write(t, "t.jsonl", `{"user": "a", "item": "y", "time": 1}`+"\n"+c.row+"\n")
		_, _, err := Read(t.Context(), Options{Interactions: path})
		var bad dataset.RowError
		if !isUser(err) || !errors.As(err, &bad) || bad.Line != 2 || bad.Column != c.column || !strings.Contains(bad.Reason, c.reason) {
			t.Errorf("%s: %v, want line 2, column %d, %q", name, err, c.column, c.reason)
		}
		policy := &dataset.RowPolicy{Skip: true}
		if ds, _, err := Read(t.Context(), Options{Interactions: path, Policy: policy}); err != nil || policy.Count != 1 || ds.NumInteractions() != 1 {
			t.Errorf("%s, skipping: %v, %+v", name, err, policy)
		}
	}
}

func TestBadItems(t *testing.T) {
	inter := write(t, "t.csv", "user,item\na,x\na,y\n")
	for name, c := range map[string]struct{ items, want string }{
		"twice":        {"item,title\nx,X\nx,Y\n", ":3:1: item \"x\" stands twice"},
		"unseen twice": {"item,title\nx,X\nz,Y\nz,Y\n", ":4:1: item \"z\" stands twice"},
		"no id":        {"item,title\n,X\n", ":2:1: item: empty id"},
		"other shop":   {"item,title\nz,Z\n", "describes none of the 2 items"},
		"empty":        {"", "empty"},
		"header only":  {"item\n", "describes none"},
		"two titles":   {"item,title,title\nx,X,X\n", "twice"},
	} {
		_, _, err := Read(t.Context(), Options{Interactions: inter, Items: write(t, "i.csv", c.items)})
		if !isUser(err) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "i.csv") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	items := write(t, "i.csv", "item,title,categories\nx,caf\xe9\x00!,\"['A', 'B|C']\"\ny,\"two\nlines\",\" D | [E] |\"\n")
	ds, rep, err := Read(t.Context(), Options{Interactions: inter, Items: items, Encoding: "utf-8"})
	if err != nil {
		t.Fatal(err)
	}
	want := []dataset.Item{{ID: "x", Title: "caf\uFFFD !", Categories: []string{"A", "B|C"}}, {ID: "y", Title: "two\nlines", Categories: []string{"D", "[E]"}}}
	if !reflect.DeepEqual(ds.Items, want) || rep.Files[1].Replaced != 1 {
		t.Errorf("items %+v, report %+v", ds.Items, rep.Files[1])
	}
}

func TestBadParquet(t *testing.T) {
	good := parquetRows(t)
	for name, c := range map[string]struct{ content, want string }{
		"empty":          {"", "no Parquet file"},
		"text":           {"user,item\na,b\nc,d\n", "begins with"},
		"cut off":        {good[:len(good)-30], "cut off"},
		"footer length":  {good[:len(good)-8] + "\xff\xff\xff\xffPAR1", "footer of 4294967295 bytes"},
		"gzip":           {zip(good), "no Parquet file"},
		"other columns":  {parquetOf(t, []struct{ User, Item string }{{}}), "no column \"user\" for the user (it has: \"User\", \"Item\")"},
		"encrypted":      {good[:len(good)-4] + "PARE", "encrypted"},
		"footer damaged": {good[:len(good)-100] + strings.Repeat("\xff", 92) + good[len(good)-8:], "damaged"},
	} {
		_, _, err := Read(t.Context(), Options{Interactions: write(t, "t.parquet", c.content)})
		if !isUser(err) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "t.parquet") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	type odd struct {
		User time.Duration `parquet:"user,time(millisecond)"`
		Item string        `parquet:"item"`
	}
	if _, _, err := Read(t.Context(), Options{Interactions: write(t, "t.parquet", parquetOf(t, []odd{{}}))}); !isUser(err) || !strings.Contains(err.Error(), "TIME") {
		t.Errorf("a time of day as user: %v", err)
	}
	policy := &dataset.RowPolicy{Skip: true}
	path := write(t, "t.parquet", parquetOf(t, []row{{Item: "a", Time: time.Unix(1, 0)}, {Item: "", Time: time.Unix(2, 0)}, {Item: "b", User: 3, Time: time.Unix(3, 0)}}))
	if ds, _, err := Read(t.Context(), Options{Interactions: path, Policy: policy}); err != nil || ds.NumInteractions() != 2 || policy.Skipped[0].Line != 2 || policy.Skipped[0].Column != 2 {
		t.Errorf("skipping row 2: %v, %+v", err, policy)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, content := range map[string]string{"t.csv": "user,item\na,b\n", "t.jsonl": `{"user": "a", "item": "b"}`, "t.parquet": parquetRows(t)} {
		if _, _, err := Read(ctx, Options{Interactions: write(t, name, content)}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func fuzz(f *testing.F, format Format, asItems bool) {
	path := filepath.Join(f.TempDir(), "fuzzed")
	inter := write(f, "t.csv", "user,item\na,x\na,y\nb,7\n")
	f.Fuzz(func(t *testing.T, data []byte, skip bool) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		policy := &dataset.RowPolicy{Skip: skip}
		opt := Options{Interactions: path, InteractionsFormat: format, Policy: policy}
		if asItems {
			opt = Options{Interactions: inter, Items: path, ItemsFormat: format, KeepUnseen: true, Policy: policy}
		}
		ds, rep, err := Read(t.Context(), opt)
		if err != nil {
			if !isUser(err) {
				t.Fatalf("not marked as the user's: %v", err)
			}
			return
		}
		if f := rep.Files[len(rep.Files)-1]; f.Bad != policy.Count || !asItems && f.Rows != ds.NumInteractions() {
			t.Fatalf("report %+v, %d bad rows, %d interactions", f, policy.Count, ds.NumInteractions())
		}
		for _, x := range labelledtest.Rows(ds) {
			if int(x.User) >= ds.Users() || int(x.Item) >= ds.NumItems() || x.Label > dataset.Test || x.Rating != x.Rating {
				t.Fatalf("interaction %+v", x)
			}
		}
		for _, it := range ds.Items {
			if _, dirty := dataset.CleanText(it.ID + it.Title + it.Brand + it.Description + it.Image + strings.Join(it.Categories, "")); dirty || it.ID == "" {
				t.Fatalf("item %+v", it)
			}
		}
	})
}

func FuzzTablesCSV(f *testing.F) {
	f.Add([]byte("user,item,time,rating,label\na,x,5,1,0\nb,\"y\",6,,2\n"), true)
	f.Add([]byte("\ufefftime,item,user\r\n2014-05-13,\"a\n,\"\"b\",c\r\n"), false)
	fuzz(f, CSV, false)
}

func FuzzTablesJSONL(f *testing.F) {
	f.Add([]byte(`{"user": 1, "item": "x", "time": "2014-05-13T16:53:20Z", "rating": 4, "label": "train"}`+"\n"+`{"user": null}`), true)
	fuzz(f, JSONL, false)
}

func FuzzTablesItems(f *testing.F) {
	f.Add([]byte("item,title,categories,image\nx,caf\xe9,\"['A', u'B']\",i.png\ny,,A|B,data:x\n"), true)
	fuzz(f, CSV, true)
}

func FuzzTablesParquet(f *testing.F) {
	f.Add([]byte(parquetRows(f)), true)
	f.Add([]byte(parquetOf(f, []struct {
		User string `parquet:"user,dict"`
		Item int32  `parquet:"item"`
	}{{"a", 1}, {"b", 2}})), false)
	fuzz(f, Parquet, false)
}

func FuzzTablesTSV(f *testing.F) {
	f.Add([]byte("user\titem\ttime\na\t\"x\" y\t5\nb\t\"z\t6\nc\tw\"\t7\n"), true)
	f.Add([]byte("\xff\xfeu\x00s\x00e\x00r\x00\t\x00i\x00t\x00e\x00m\x00\n\x00a\x00\t\x00b\x00"), false)
	fuzz(f, TSV, false)
}

func FuzzTablesItemsJSONL(f *testing.F) {
	f.Add([]byte(`[{"item": "x", "image": {"bytes": "iVBORw0KGgo=", "path": null}, "categories": [{"name": "A"}, null]}, {"item": 7.0, "title": {"name": "t"}}]`), true)
	f.Add([]byte(`{u'item': 'x', 'brand': None}`), false)
	fuzz(f, JSONL, true)
}

func FuzzTablesItemsParquet(f *testing.F) {
	for _, name := range []string{"items-picture-groups", "items-pictures", "items-unnamed-group", "pyarrow-decimal-10-2"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name+".parquet"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, true)
	}
	fuzz(f, Parquet, true)
}

func labelOf(ds *dataset.Dataset, id int) dataset.Label { return labelledtest.Rows(ds)[id].Label }
