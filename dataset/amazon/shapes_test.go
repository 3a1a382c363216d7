package amazon

import (
	"reflect"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const toyReviews = `{"user_id": "A", "parent_asin": "T1", "timestamp": 1588687728923, "rating": 5.0}
{"user_id": "A", "parent_asin": "T2", "timestamp": 1588687729923, "rating": 4}
`

// items reads metadata of the two toys.
func items(t *testing.T, meta string) ([]dataset.Item, *dataset.Report) {
	t.Helper()
	ds, rep, err := Read(t.Context(), Options{Reviews: write(t, "r.jsonl", toyReviews), Meta: write(t, "m.jsonl", meta)})
	if err != nil {
		t.Fatalf("%s: %v", meta, err)
	}
	return ds.Items, rep
}

// The metadata of 2023 as downloaded, as the hub's loader hands them out, and after a way
// through a table are the same product.
func TestShapesOf2023(t *testing.T) {
	want := dataset.Item{ID: "T1", Title: "Train", Brand: "Acme & Sons", Categories: []string{"Toys", "Trains"}, Description: "Red. Fast.", Image: "https://i/main-large.jpg"}
	const rest = `"parent_asin": "T1", "title": "Train", "store": null, "categories": ["Toys", "Trains"], "description": ["Red.", "Fast."], `
	for name, line := range map[string]string{
		"as downloaded":     `{` + rest + `"details": {"Age": "3", "Brand": "Acme & Sons"}, "images": [{"thumb": "t", "large": "https://i/side.jpg", "variant": "PT01", "hi_res": null}, {"thumb": "t", "large": "https://i/main-large.jpg", "variant": "MAIN", "hi_res": "https://i/main.jpg"}], "videos": []}`,
		"by the loader":     `{` + rest + `"details": "{\"Age\": \"3\", \"Brand\": \"Acme & Sons\"}", "images": {"hi_res": [null, "https://i/main.jpg"], "large": ["https://i/side.jpg", "https://i/main-large.jpg"], "thumb": ["t", "t"], "variant": ["PT01", "MAIN"]}, "videos": {"title": [], "url": []}}`,
		"through a table":   `{` + rest + `"details": "{'Age': '3', 'Brand': 'Acme & Sons'}", "images": "[{'large': 'https://i/main-large.jpg', 'variant': 'MAIN', 'hi_res': None}]"}`,
		"text of the lists": `{` + rest + `"details": "{\"Brand\": \"Acme & Sons\"}", "images": "{\"large\": [null, \"https://i/main-large.jpg\"], \"variant\": [\"MAIN\", \"PT01\"]}"}`,
		"main without any":  `{` + rest + `"details": {"Brand": "Acme & Sons"}, "images": {"hi_res": ["https://i/main-large.jpg", "x"], "large": [null, "y"], "variant": ["MAIN", "PT01"]}}`,
		"None as text":      `{` + strings.Replace(rest, `"store": null`, `"store": "None"`, 1) + `"details": "{\"Brand\": \"Acme & Sons\"}", "images": {"hi_res": ["None"], "large": ["https://i/main-large.jpg"], "variant": ["MAIN"]}}`,
		"an address":        `{` + rest + `"details": {"Brand": "Acme & Sons"}, "images": "https://i/main-large.jpg"}`,
	} {
		if got, rep := items(t, line+"\n"); !reflect.DeepEqual(got[0], want) || !strings.Contains(rep.Files[1].Format, "2023") {
			t.Errorf("%s: %+v (%s)", name, got[0], rep.Files[1].Format)
		}
		if got, _ := items(t, "["+line+",\n"+line+"]\n"); !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s, in an array: %+v", name, got[0])
		}
	}
	// What only looks like an object says nothing, and stops nothing.
	if got, _ := items(t, `{`+rest+`"details": "{3 parts}", "images": "[none]"}`); got[0].Brand != "" || got[0].Image != "" || got[0].Title != "Train" {
		t.Errorf("no objects: %+v", got[0])
	}
}

func TestPricesOfAllYears(t *testing.T) {
	for line, want := range map[string]float64{
		`{"asin": "T1", "title": "Train", "price": "$12.99"}`:                    12.99,
		`{"parent_asin": "T1", "title": "Train", "price": 12.99}`:                12.99,
		`{'asin': 'T1', 'title': 'Train', 'price': 12.99}`:                       12.99,
		`{"parent_asin": "T1", "title": "Train", "price": "None"}`:               0,
		`{"parent_asin": "T1", "title": "Train", "price": null}`:                 0,
		`{"asin": "T1", "title": "Train", "price": "$10.00 - $20.00"}`:           10,
		`{"asin": "T1", "title": "Train", "price": ".a-box-inner{margin: 4px}"}`: 0,
	} {
		got, rep := items(t, line+"\n")
		if got[0].Price != want {
			t.Errorf("%s: %v, want %v", line, got[0].Price, want)
		}
		if told := strings.Contains(strings.Join(rep.Notes, "\n"), "prices that cannot be read as numbers: 1"); told != strings.Contains(line, "margin") {
			t.Errorf("%s: notes %q", line, rep.Notes)
		}
	}
}

// Page script and style sheets that the crawler took for text are no text of the product.
func TestPageScriptIsLeftOut(t *testing.T) {
	for _, junk := range []string{
		`var aPageStart = (new Date()).getTime();\nvar ue_t0=ue_t0||+new Date();`,
		`var aPageStart = (new Date()).getTime(); <!-- --> Amazon.com`,
		`(function(a,b){a.ue=b})(window)`,
		`P.when('A', 'jQuery').execute(function(A, $) { $('#x').hide(); });`,
		`.a-box-inner{background-color:#fff}#alohaBuyBoxWidget .selected{background-color:#fffbf3;border-color:#e77600}`,
		`@media screen { a:hover { color: red } } .x { margin: 0 }`,
		`window.ue_ihb = (window.ue_ihb || window.ueinit || 0) + 1;`,
		`noscript{display:none !important;}`,
	} {
		got, rep := items(t, `{"parent_asin": "T1", "title": "`+junk+`", "store": "`+junk+`", "categories": ["`+junk+`", "Toys"], "description": ["Red.", "`+junk+`"]}`+"\n")
		if got[0].Title != "" || got[0].Brand != "" || strings.Join(got[0].Categories, "") != "Toys" {
			t.Errorf("%q: %+v", junk, got[0])
		}
		if note := strings.Join(rep.Notes, "\n"); !strings.Contains(note, "page script or style sheets were left out: ") {
			t.Errorf("%q: notes %q", junk, note)
		}
	}
	for _, text := range []string{
		"Variable Speed Drill {new} (2 pcs.)", "C++ Primer; the function of var.", "Time Getter: #1 toy", "Size: {S, M, L}", "<span class=\"a\">Train</span>", "Function of Beauty (set)",
		"<style>.x{color:red}</style>Train", "a = b", "Learn JavaScript: the function keyword", "Men's T-Shirt .5 inch #2 {Blue}", "Document Holder. window. seat",
	} {
		got, rep := items(t, `{"parent_asin": "T1", "title": `+quoted(text)+`, "description": ["Teaches you to write var x = 1 in a page."]}`+"\n")
		if got[0].Title == "" || got[0].Description == "" || strings.Contains(strings.Join(rep.Notes, ""), "script") {
			t.Errorf("%q was left out: %+v", text, got[0])
		}
	}
}

// The page's words around a brand of 2018 are no part of it.
func TestBrandAlone(t *testing.T) {
	for brand, want := range map[string]string{
		`Visit Amazon's Jane Doe Page`: "Jane Doe", `by\n    \n    Acme`: "Acme", `by Terry`: "by Terry", `Visit Page`: "Visit Page", ` Acme`: "Acme",
	} {
		if got, _ := items(t, `{"asin": "T1", "brand": "`+brand+`"}`+"\n"); got[0].Brand != want {
			t.Errorf("%q: %q", brand, got[0].Brand)
		}
	}
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func TestOtherFilesAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ reviews, meta, want, hint string }{
		"ratings of 2023":        {"user_id,parent_asin,rating,timestamp\nA,B,5,1588687728923\n", "", "a table of ratings", "--user-column user_id"},
		"ratings without header": {"A1,B1,5.0,1388687728\n", "", "a table of ratings", "--no-header"},
		"reviews as metadata":    {toyReviews, toyReviews, "a file of reviews, and not of product metadata", "as reviews"},
		"metadata as reviews":    {`{"parent_asin": "T1", "title": "Train", "store": "x"}` + "\n", "", "a file of product metadata, and not of reviews", "as metadata"},
		"Git LFS":                {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "", "is a Git LFS pointer", "git lfs pull"},
		"Git LFS, metadata":      {toyReviews, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is a Git LFS pointer", "git lfs pull"},
		"Parquet":                {"PAR1\x15\x04", "", "is a Parquet file", "import tables"},
		"units mixed":            {toyReviews + `{"user_id": "A", "parent_asin": "T3", "timestamp": 1588687729}` + "\n", "", "is unix seconds, the file's first time was unix milliseconds", ""},
	} {
		policy := &dataset.RowPolicy{Skip: name != "units mixed"}
		opt := Options{Reviews: write(t, "r.jsonl", c.reviews), Policy: policy}
		if c.meta != "" {
			opt.Meta = write(t, "m.jsonl", c.meta)
		}
		_, _, err := Read(t.Context(), opt)
		if hint, user := usererr.Hint(err); !user || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint, c.hint) {
			t.Errorf("%s: %v (%s), want %q, %q", name, err, hint, c.want, c.hint)
		}
	}
}

// Broken bytes are replaced aloud; a marked or named encoding is read.
func TestBytesThatAreNoText(t *testing.T) {
	got, rep := items(t, "{\"parent_asin\": \"T1\", \"title\": \"M\xfcsli\"}\n")
	if got[0].Title != "M\uFFFDsli" || !strings.Contains(strings.Join(rep.Notes, "\n"), "in the texts of 1 items, bytes") {
		t.Errorf("broken: %+v, %q", got[0], rep.Notes)
	}
	ds, _, err := Read(t.Context(), Options{Reviews: write(t, "r.jsonl", "\ufeff"+toyReviews), Meta: write(t, "m.jsonl", "{\"parent_asin\": \"T1\", \"title\": \"M\xfcsli\"}\n"), Encoding: "latin1"})
	if err != nil || ds.Items[0].Title != "Müsli" {
		t.Errorf("named: %v", err)
	}
}
