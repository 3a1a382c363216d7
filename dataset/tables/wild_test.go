package tables

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The same three clicks in whatever way a tool writes them.
func TestTablesAsToolsWriteThem(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string
		opt           Options
	}{
		"semicolons and decimal commas": {"t.csv", "user;item;time;rating\na;x;1600000000;4,5\na;y;1600000060;3\nb;x;1600000120;\n", Options{}},
		"a spreadsheet's first line":    {"t.csv", "sep=;\nuser;item;time;rating\na;x;1600000000;4,5\na;y;1600000060;3\nb;x;1600000120;\n", Options{}},
		"CSV with tabs":                 {"t.csv", "user\titem\ttime\trating\na\tx\t1600000000\t4.5\na\ty\t1600000060\t3\nb\tx\t1600000120\t\n", Options{}},
		"pipes, and a comma in a name":  {"t.csv", "user|item|price, net|time|rating\na|x|1|1600000000|4.5\na|y|1|1600000060|3\nb|x|1|1600000120|\n", Options{}},
		"a separator that is said":      {"t.csv", "user^item^time^rating\na^x^1600000000^4.5\na^y^1600000060^3\nb^x^1600000120^\n", Options{Separator: "^"}},
		"no header, semicolons":         {"t.csv", "a;x;1600000000;4,5\na;y;1600000060;3\nb;x;1600000120;\n", Options{NoHeader: true, Columns: Columns{User: "1", Item: "2", Time: "3", Rating: "4"}}},
		"carriage returns":              {"t.csv", "user,item,time,rating\ra,x,1600000000,4.5\ra,y,1600000060,3\rb,x,1600000120,\r", Options{}},
		"blank lines, carriage returns": {"t.csv", "user,item,time,rating\r\r\na,x,1600000000,4.5\r\r\n\r\r\na,y,1600000060,3\r\r\nb,x,1600000120,\r\r\n", Options{}},
		"quoted names, a mark":          {"t.csv", "\ufeff\"user\";\"item\";\"time\";\"rating\"\n\"a\";\"x\";\"1600000000\";\"4,5\"\n\"a\";\"y\";\"1600000060\";\"3\"\n\"b\";\"x\";\"1600000120\";\"\"\n", Options{}},
		"missing in other words":        {"t.csv", "user,item,time,rating\na,x,1600000000,4.5\na,y,1600000060,3\nb,x,1600000120,NaN\n", Options{}},
		"a database's null":             {"t.tsv", "user\titem\ttime\trating\na\tx\t1600000000\t4.5\na\ty\t1600000060\t3\nb\tx\t1600000120\t\\N\n", Options{}},
		"a JSON array": {"t.json", `[{"user":"a","item":"x","time":1600000000,"rating":4.5},{"user":"a","item":"y","time":1600000060,"rating":3},
  {"user":"b","item":"x","time":1600000120,"rating":null}]`, Options{}},
		"JSON over lines":             {"t.json", "{\n \"user\": \"a\", \"item\": \"x\", \"time\": 1600000000, \"rating\": 4.5\n}\n{\n\"user\": \"a\", \"item\": \"y\", \"time\": 1600000060, \"rating\": 3}\n{\n\"user\": \"b\", \"item\": \"x\", \"time\": 1600000120}\n", Options{}},
		"JSON lines with NaN, a mark": {"t.jsonl", "\ufeff{\"user\":\"a\",\"item\":\"x\",\"time\":1600000000,\"rating\":4.5}\n{\"user\":\"a\",\"item\":\"y\",\"time\":1600000060,\"rating\":3}\n{\"user\":\"b\",\"item\":\"x\",\"time\":1600000120,\"rating\":NaN}\n", Options{}},
		"JSON within objects":         {"t.jsonl", `{"who":{"id":"a"},"item":"x","at":{"s":1600000000},"rating":"4.5"}` + "\n" + `{"who":{"id":"a"},"item":"y","at":{"s":1600000060},"rating":3}` + "\n" + `{"who":{"id":"b","x":[]},"item":"x","at":{"s":1600000120},"rating":""}`, Options{Columns: Columns{User: "who.id", Time: "at.s"}}},
		"Python literals":             {"t.json", `{u'user': u'a', 'item': 'x', 'time': 1600000000, 'rating': 4.5, 'ok': True}` + "\n" + `{u'user': 'a', 'item': 'y', 'time': 1600000060, 'rating': 3}` + "\n" + `{'user': "b", 'item': 'x', 'time': 1600000120, 'rating': None}`, Options{}},
		"columns without names":       {"t.csv", "user,item,time,rating,,\na,x,1600000000,4.5,,\na,y,1600000060,3,,\nb,x,1600000120,,,\n", Options{}},
		"a data frame's row numbers":  {"t.csv", ",user,item,time,rating\n0,a,x,1600000000,4.5\n1,a,y,1600000060,3.0\n2,b,x,1600000120,\n", Options{}},
		"microseconds":                {"t.csv", "user,item,time,rating\na,x,1600000000000000,4.5\na,y,1600000060000000,3\nb,x,1600000120000000,\n", Options{}},
		"pandas' times":               {"t.csv", "user,item,time,rating\na,x,2020-09-13 12:26:40+00:00,4.5\na,y,2020-09-13 12:27:40+00:00,3\nb,x,2020-09-13 12:28:40+00:00,\n", Options{}},
		"PostgreSQL's times":          {"t.csv", "user,item,time,rating\na,x,2020-09-13 14:26:40+02,4.5\na,y,2020-09-13 12:27:40+00,3\nb,x,2020-09-13 12:28:40+00,\n", Options{}},
		"BigQuery's times":            {"t.csv", "user,item,time,rating\na,x,2020-09-13 12:26:40 UTC,4.5\na,y,2020-09-13 12:27:40 UTC,3\nb,x,2020-09-13 12:28:40 UTC,\n", Options{}},
		"GNU date's times":            {"t.csv", "user,item,time,rating\na,x,Sun Sep 13 12:26:40 UTC 2020,4.5\na,y,Sun Sep 13 14:27:40 CEST 2020,3\nb,x,Sun Sep 13 12:28:40 UTC 2020,\n", Options{}},
		"ids from floating point":     {"t.jsonl", `{"user":1.0,"item":"x","time":1.6e9,"rating":4.5}` + "\n" + `{"user":1.0,"item":"y","time":1600000060,"rating":3}` + "\n" + `{"user":2.0,"item":"x","time":1600000120}`, Options{}},
	} {
		c.opt.Interactions = write(t, c.file, c.content)
		ds, rep, err := Read(t.Context(), c.opt)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := []dataset.Interaction{{User: 0, Item: 0, Time: 1600000000, Rating: 4.5}, {User: 0, Item: 1, Time: 1600000060, Rating: 3}, {User: 1, Item: 0, Time: 1600000120}}
		ids := strings.Join(ds.UserIDs, " ")
		if got := labelledtest.Rows(ds); !reflect.DeepEqual(got, want) || ids != "a b" && ids != "1 2" || ds.Items[0].ID != "x" || len(rep.Notes) > 0 {
			t.Errorf("%s: %+v, users %q, notes %q", name, got, ds.UserIDs, rep.Notes)
		}
	}
}

func TestRefusedTables(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string
		opt           Options
		want, hint    string
	}{
		"Windows-1252":           {"t.csv", "user,item\na,M\xfcsli\n", Options{}, "t.csv:2:4: not UTF-8: byte 0xfc", `windows-1252 ("Müsli")`},
		"in the header":          {"t.csv", "user,item,gr\xf6\xdfe\na,x,1\n", Options{}, "t.csv:1:13: not UTF-8", "windows-1252"},
		"Git LFS":                {"t.parquet", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", Options{}, "no Parquet file, but a Git LFS pointer", "git lfs pull"},
		"compressed otherwise":   {"t.csv.zst", "x", Options{}, "compressed in a way that is not read", "Unpack"},
		"a workbook":             {"t.xlsx", "x", Options{}, "is a workbook", "CSV in UTF-8"},
		"Git LFS, CSV":           {"t.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", Options{}, "is a Git LFS pointer", "git lfs pull"},
		"units mixed":            {"t.csv", "user,item,time\na,x,1600000000000000\na,y,1600000010000\n", Options{}, "is unix milliseconds, the file's first time was unix microseconds", "on-error"},
		"nano after micro":       {"t.csv", "user,item,time\na,x,1600000000000000\na,y,1600000010000000000\n", Options{}, "is unix nanoseconds, the file's first time was unix microseconds", ""},
		"beyond every unit":      {"t.csv", "user,item,time\na,x,50000000000\n", Options{}, "no plausible time", ""},
		"zones here, none there": {"t.csv", "user,item,time\na,x,2020-09-13 12:26:40+00\na,y,2020-09-13 12:26:40\n", Options{}, "is a date with time, the file's first time was a time with its zone", ""},
		"an exponent":            {"t.csv", "user,item\n1.23457E+15,x\n", Options{}, "t.csv:2:1: user: \"1.23457E+15\" is a number with an exponent", ""},
		"an exponent, Excel's":   {"t.csv", "user;item\n1,23457E+15;x\n", Options{}, "is a number with an exponent", ""},
		"CSV named Parquet":      {"t.parquet", "user,item\na,x\nb,y\n", Options{}, "no Parquet file: it begins with \"user\"", "interactions-format"},
		"gzipped Parquet":        {"t.parquet", zip("PAR1 and so on and so on"), Options{}, "no Parquet file, but compressed with gzip", "gunzip"},
		"pandas' float":          {"t.csv", "user,item\n9007199254740994.0,x\n", Options{}, "beyond 2^53", ""},
		"JSON's float":           {"t.jsonl", `{"user": 1.2345678901234568e+18, "item": "x"}`, Options{}, "beyond 2^53", ""},
		"a missing user":         {"t.csv", "user,item\nnull,x\n", Options{}, `user: "null" stands for a missing value`, ""},
		"a missing item":         {"t.jsonl", `{"user": "a", "item": "NaN"}`, Options{}, `item: "NaN" stands for a missing value`, ""},
		"a missing time":         {"t.csv", "user,item,time\na,x,NaT\n", Options{}, `time: "NaT" stands for a missing value`, ""},
		"pandas' columns":        {"t.json", `{"user":{"0":"a"},"item":{"0":"x"}}`, Options{}, "user is an object where an id is expected", ""},
		"an array cut off":       {"t.json", `[{"user":"a","item":"x"},`, Options{}, "never closes", "again"},
		"an open quote":          {"t.csv", "user,item\na,\"x\nb,y\n", Options{}, "t.csv:2: a quote opened in this record never closes", ""},
		"no way of quoting":      {"t.csv", "user,item\na,x\n", Options{Quote: "single"}, `"single" is no way of quoting`, "double"},
		"no separator":           {"t.csv", "user,item\na,x\n", Options{Separator: "::"}, `"::" cannot separate`, "tab"},
		"separator of JSON":      {"t.jsonl", `{"user":"a","item":"x"}`, Options{Separator: ";"}, "no effect", ""},
		"quote of JSON":          {"t.jsonl", `{"user":"a","item":"x"}`, Options{Quote: "none"}, "no effect", ""},
		"encoding of Parquet":    {"t.parquet", "PAR1", Options{Encoding: "gbk"}, "no effect", ""},
		"encoding of no items":   {"t.csv", "user,item\na,x\n", Options{ItemsEncoding: "gbk"}, "no effect", ""},
		"no encoding":            {"t.csv", "user,item\na,x\n", Options{Encoding: "utf-9"}, "no known encoding", "windows-1252"},
	} {
		c.opt.Interactions = write(t, c.file, c.content)
		_, _, err := Read(t.Context(), c.opt)
		if hint, user := usererr.Hint(err); !user || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint, c.hint) {
			t.Errorf("%s: %v (%s); want %q, %q", name, err, hint, c.want, c.hint)
		}
	}
}

// Texts in another encoding are read when it is named; bytes that are none are replaced
// when the user says so, and never without a word.
func TestNamedEncodings(t *testing.T) {
	inter := write(t, "t.csv", "user,item\na,x\na,y\n")
	items := write(t, "i.csv", "item,title\nx,M\xfcsli \x84Caf\xe9\x93\ny,Tee\n")
	title := func(opt Options) (string, []string) {
		t.Helper()
		opt.Interactions, opt.Items = inter, items
		ds, rep, err := Read(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		return ds.Items[0].Title, rep.Notes
	}
	if got, notes := title(Options{Encoding: "windows-1252"}); got != "Müsli „Café“" || len(notes) > 0 {
		t.Errorf("named: %q, %q", got, notes)
	}
	if got, notes := title(Options{ItemsEncoding: "cp1252"}); got != "Müsli „Café“" || len(notes) > 0 {
		t.Errorf("of the items: %q, %q", got, notes)
	}
	if got, notes := title(Options{Encoding: "utf-8"}); got != "M\uFFFDsli \uFFFDCaf\uFFFD\uFFFD" || len(notes) != 1 || !strings.Contains(notes[0], "in the texts of 1 items") {
		t.Errorf("taken as it is: %q, %q", got, notes)
	}
}

// Titles of tab-separated files may begin with a quotation mark.
func TestTitlesWithQuotes(t *testing.T) {
	inter := write(t, "t.csv", "user,item\na,1\na,2\na,3\na,4\n")
	for content, want := range map[string]string{
		"item\ttitle\n1\t\"Blue Hour\" lamp\n2\tVase\n3\t24\" frame\n4\tBowl\n": `"Blue Hour" lamp;Vase;24" frame;Bowl`,
		"item\ttitle\n1\t\"Blue Hour lamp\n2\tVase\n3\tframe 24\"\n4\tBowl\n":   `"Blue Hour lamp;Vase;frame 24";Bowl`,
		"item\ttitle\n1\t\"Blue Hour lamp\n2\tVase\n3\tframe\n4\tBowl\n":        `"Blue Hour lamp;Vase;frame;Bowl`,
		"item\ttitle\n1\t\"Blue\nHour lamp\"\n2\tVase\n3\tframe\n4\tBowl\n":     "Blue\nHour lamp;Vase;frame;Bowl",
	} {
		ds, rep, err := Read(t.Context(), Options{Interactions: inter, Items: write(t, "i.tsv", content)})
		if err != nil {
			t.Errorf("%q: %v", content, err)
			continue
		}
		var titles []string
		for _, it := range ds.Items {
			titles = append(titles, it.Title)
		}
		if got := strings.Join(titles, ";"); got != want || (len(rep.Notes) == 1) != strings.Contains(got, `"`) {
			t.Errorf("%q: %q, notes %q", content, got, rep.Notes)
		}
	}
}

// Ids that two files spell differently are shown side by side.
func TestIDsSpelledDifferently(t *testing.T) {
	for name, c := range map[string]struct {
		here, there []string
		want        string
	}{
		"floats":        {[]string{"3.0", "4.0"}, []string{"3", "4"}, `"3.0" stands there as "3" here (one of the two went through floating point)`},
		"floats there":  {[]string{"3", "4"}, []string{"3.0", "4.0"}, `"3" stands there as "3.0" here`},
		"leading zeros": {[]string{"007", "008"}, []string{"7", "8"}, "they differ in leading zeros"},
		"capitals":      {[]string{"b00a", "b00b"}, []string{"B00A", "B00B"}, "they differ in capitals"},
		"blanks":        {[]string{"a", "b"}, []string{" a", " b"}, "they differ in spaces"},
	} {
		var inter, items strings.Builder
		inter.WriteString("user,item\n")
		items.WriteString("item,title\n")
		for i := range c.here {
			fmt.Fprintf(&inter, "u,%s\n", c.here[i])
			fmt.Fprintf(&items, "%s,x\n", c.there[i])
		}
		opt := Options{Interactions: write(t, "t.csv", inter.String()), Items: write(t, "i.csv", items.String())}
		_, _, err := Read(t.Context(), opt)
		hint, _ := usererr.Hint(err)
		if err == nil || !strings.Contains(hint, c.want) || !strings.Contains(err.Error(), "ids there are such as") {
			t.Errorf("%s: %v (%s), want %q", name, err, hint, c.want)
		}
		// One item that fits is enough to go on, and the others are still explained.
		opt.Items = write(t, "i.csv", items.String()+c.here[0]+",fits\n")
		_, rep, err := Read(t.Context(), opt)
		if err != nil || !strings.Contains(strings.Join(rep.Notes, "\n"), "is there as") {
			t.Errorf("%s, in part: %v, %q", name, err, rep.Notes)
		}
	}
}

func TestTwoSpellingsInOneFile(t *testing.T) {
	_, rep, err := Read(t.Context(), Options{Interactions: write(t, "t.csv", "user,item\n1,x\n1.0,y\n2.0,x\nv1.0,x\n")})
	if err != nil || len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], `1 user ids stand in two spellings, such as "1.0" and "1"`) {
		t.Errorf("%v, %q", err, rep.Notes)
	}
}

// Missing texts are none, whatever word stands for them, and are counted.
func TestMissingTexts(t *testing.T) {
	inter := write(t, "t.csv", "user,item\na,1\na,2\na,3\n")
	items := write(t, "i.csv", "item,title,brand,categories,description,image\n1,NaN,None,NA,null,\\N\n2,Nana,NASA,N/A|Pots,nullable,#N/A\n3,,,[None],<NA>,nan\n")
	ds, rep, err := Read(t.Context(), Options{Interactions: inter, Items: items})
	want := []dataset.Item{{ID: "1"}, {ID: "2", Title: "Nana", Brand: "NASA", Categories: []string{"Pots"}, Description: "nullable"}, {ID: "3"}}
	if err != nil || !reflect.DeepEqual(ds.Items, want) || len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], "4 texts such as NaN") {
		t.Errorf("%v, %+v, %q", err, ds, rep.Notes)
	}
}

// Objects in JSON stand for what they name.
func TestObjectsInItems(t *testing.T) {
	inter := write(t, "t.csv", "user,item\na,1\n")
	read := func(line string, c ItemColumns) (dataset.Item, error) {
		ds, _, err := Read(t.Context(), Options{Interactions: inter, Items: write(t, "i.jsonl", line), ItemColumns: c, ImageDir: "/shop"})
		if err != nil {
			return dataset.Item{}, err
		}
		return ds.Items[0], nil
	}
	for line, want := range map[string]dataset.Item{
		`{"item": 1, "image": {"bytes": null, "path": "https://i/a.png"}, "categories": [{"id": 7, "name": "Home"}, {"name": "Pots"}]}`: {Image: "https://i/a.png", Categories: []string{"Home", "Pots"}},
		`{"item": 1, "image": [{"url": null}, {"url": "https://i/b.png"}], "brand": {"name": "Acme"}, "categories": ["A", null, "B"]}`:  {Image: "https://i/b.png", Brand: "Acme", Categories: []string{"A", "B"}},
		`{"item": 1, "image": {"bytes": "` + strings.TrimPrefix(mugPNG, "data:image/png;base64,") + `", "path": "a.png"}}`:              {Image: mugPNG},
		`{"item": 1, "image": {}, "categories": []}`: {},
	} {
		want.ID = "1"
		if got, err := read(line, ItemColumns{}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
	if got, err := read(`{"item": 1, "text": {"en": {"t": "Pot"}}, "path": [{"n": "A"}, {"n": "B"}]}`, ItemColumns{Title: "text.en.t", Categories: "path.n"}); err != nil || got.Title != "Pot" || strings.Join(got.Categories, " ") != "A B" {
		t.Errorf("members by name: %+v, %v", got, err)
	}
	for line, want := range map[string]string{
		`{"item": 1, "categories": [{"id": 7}]}`:      `an object of "id", of which none is known to be its name; a member is named as categories.id`,
		`{"item": 1, "image": {"width": 7}}`:          `an object of "width", of which none is known to be a picture`,
		`{"item": 1, "title": {"en": "Pot"}}`:         "title: an object where a text, a number or a list is expected; a member is named as title.en",
		`{"item": 1, "image": {"bytes": "aGFsbG8="}}`: "5 bytes that are no PNG",
	} {
		_, err := read(line, ItemColumns{})
		var row dataset.RowError
		if !errors.As(err, &row) || !strings.Contains(row.Reason, want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// Prices are numbers or texts; what is neither is counted, and nothing where a price is missing.
func TestPrices(t *testing.T) {
	inter := write(t, "t.csv", "user,item\na,1\na,2\na,3\na,4\na,5\n")
	for name, text := range map[string]string{
		"i.csv":   "item,price\n1,12.5\n2,\"$1,299.00\"\n3,\n4,on request\n5,NaN\n6,nobody chose it\n",
		"i.jsonl": `{"item":1,"price":12.5}` + "\n" + `{"item":2,"price":{"amount":"1299","currency":"EUR"}}` + "\n" + `{"item":3,"price":null}` + "\n" + `{"item":4,"price":"on request"}` + "\n" + `{"item":5}` + "\n",
	} {
		ds, rep, err := Read(t.Context(), Options{Interactions: inter, Items: write(t, name, text)})
		if err != nil {
			t.Fatal(err)
		}
		var got []float64
		for _, it := range ds.Items {
			got = append(got, it.Price)
		}
		if !reflect.DeepEqual(got, []float64{12.5, 1299, 0, 0, 0}) || !strings.Contains(strings.Join(rep.Notes, "\n"), "1 prices cannot be read") {
			t.Errorf("%s: %v, notes %q", name, got, rep.Notes)
		}
	}
}

// What happened within one second keeps its order, though a data set has seconds.
func TestOrderWithinASecond(t *testing.T) {
	ds, _, err := Read(t.Context(), Options{Interactions: write(t, "t.csv", "user,item,time\na,z,1600000000300\na,x,1600000000100\nb,x,1600000000000\na,y,1600000000200\n")})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, x := range labelledtest.Rows(ds) {
		order = append(order, ds.UserIDs[x.User]+ds.Items[x.Item].ID)
	}
	if got := strings.Join(order, " "); got != "ax ay az bx" {
		t.Errorf("order %s", got)
	}
}
