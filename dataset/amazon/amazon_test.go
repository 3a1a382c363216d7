package amazon

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// One small shop as each generation writes it.
const (
	reviews2014 = `{"reviewerID": "A1", "asin": "B1", "reviewerName": "J. \"Q\"", "helpful": [0, 2], "reviewText": "so {good}, \u00e9", "overall": 5.0, "summary": "x", "unixReviewTime": 1360000000, "reviewTime": "02 4, 2013"}
{"reviewerID": "A2", "asin": "B2", "helpful": [0, 0], "overall": 1.0, "unixReviewTime": 1350000000}
{"reviewerID": "A1", "asin": "B3", "helpful": [1, 1], "overall": 4.0, "unixReviewTime": 1350000000}
`
	reviews2018 = `{"overall": 5.0, "vote": "3", "verified": true, "reviewTime": "02 4, 2013", "reviewerID": "A1", "asin": "B1", "style": {"Size:": " L"}, "unixReviewTime": 1360000000}
{"overall": 1.0, "verified": false, "reviewerID": "A2", "asin": "B2", "unixReviewTime": 1350000000}
{"overall": 4.0, "verified": true, "reviewerID": "A1", "asin": "B3", "unixReviewTime": 1350000000, "image": ["http://i/x.jpg"]}
`
	reviews2023 = `{"rating": 5.0, "title": "t", "text": "so {good}", "images": [], "asin": "B1V", "parent_asin": "B1", "user_id": "A1", "timestamp": 1360000000123, "helpful_vote": 0, "verified_purchase": true}
{"rating": 1.0, "asin": "B2", "parent_asin": "B2", "user_id": "A2", "timestamp": 1350000000999}
{"rating": 4.0, "asin": "B3", "parent_asin": "B3", "user_id": "A1", "timestamp": 1350000000000}
`
	meta2014 = `{'asin': 'B1', 'title': "It's a Caf\xc3\xa9 &amp; Bar", 'price': 3.17, 'imUrl': 'http://i/1.jpg', 'related': {'also_bought': ['B9', 'B8'], 'bought_together': ['B2']}, 'salesRank': {'Toys': 211836}, 'brand': 'Coxlures', 'categories': [['Sports', 'Other &amp; More'], ['Second']], 'description': "two\nlines<br />here"}
{'asin': 'B7', 'title': 'not wanted', 'categories': [['X']]}
{'asin': 'B2', 'categories': [['Sports']], 'description': u'd\xe9j\xe0'}
{'asin': 'B1', 'title': 'again'}
`
	meta2018 = `{"category": ["Sports", "Other &amp; More"], "tech1": "", "description": ["two", "lines<br />here"], "title": "It's a Caf\u00e9 &amp;amp; Bar", "also_buy": ["B9"], "imageURL": ["http://i/1.small.jpg"], "imageURLHighRes": ["http://i/1.jpg", "http://i/2.jpg"], "brand": "Coxlures", "main_cat": "Sports &amp; Outdoors", "asin": "B1"}
{"category": [], "main_cat": "Sports", "description": ["d\u00e9j\u00e0"], "title": "", "brand": "", "asin": "B2", "image": []}
`
	meta2023 = `{"main_category": "All", "title": "It's a Café & Bar", "average_rating": 4.8, "features": ["f"], "description": ["two", "lines<br/>here"], "price": null, "images": [{"thumb": "http://i/t.jpg", "large": "http://i/2.jpg", "variant": "PT01", "hi_res": null}, {"thumb": "http://i/1t.jpg", "large": "http://i/1.jpg", "variant": "MAIN", "hi_res": "http://i/1h.jpg"}], "videos": [], "store": "Coxlures", "categories": ["Sports", "Other & More"], "details": {"Brand": "Ignored"}, "parent_asin": "B1", "bought_together": null}
{"main_category": "Sports", "title": null, "description": ["déjà"], "images": [], "store": null, "categories": [], "details": {"Weight": "1", "Brand": "Detail"}, "parent_asin": "B2"}
`
)

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func zip(content string) string {
	var b bytes.Buffer
	for _, part := range []string{content[:len(content)/2], content[len(content)/2:]} { // two members
		z := gzip.NewWriter(&b)
		z.Write([]byte(part))
		z.Close()
	}
	return b.String()
}

func TestGenerations(t *testing.T) {
	first := dataset.Item{ID: "B1", Title: "It's a Café & Bar", Brand: "Coxlures", Categories: []string{"Sports", "Other & More"}, Description: "two lines here", Image: "http://i/1.jpg"}
	second := dataset.Item{ID: "B2", Categories: []string{"Sports"}, Description: "déjà"}
	for _, c := range []struct{ year, reviews, meta, brand2 string }{
		{"2014", reviews2014, meta2014, ""}, {"2018", reviews2018, meta2018, ""}, {"2023", reviews2023, meta2023, "Detail"},
	} {
		for _, packed := range []bool{false, true} {
			if packed {
				c.reviews, c.meta = zip(c.reviews), zip(c.meta)
			}
			ds, rep, err := Read(t.Context(), Options{Reviews: write(t, "Baby_5.json.gz", c.reviews), Meta: write(t, "meta.json", c.meta)})
			if err != nil {
				t.Errorf("%s: %v", c.year, err)
				continue
			}
			second.Brand = c.brand2
			if first.Price = 0; c.year == "2014" { // the others' products say none
				first.Price = 3.17
			}
			want := []dataset.Item{first, second, {ID: "B3"}}
			if !reflect.DeepEqual(ds.Items, want) {
				t.Errorf("%s: items %+v\nwant %+v", c.year, ds.Items, want)
			}
			got := labelledtest.Rows(ds)
			if wanted := []dataset.Interaction{{User: 0, Item: 2, Rating: 4, Time: 1350000000}, {User: 0, Item: 0, Rating: 5, Time: 1360000000}, {User: 1, Item: 1, Rating: 1, Time: 1350000000}}; !reflect.DeepEqual(got, wanted) {
				t.Errorf("%s: interactions %+v", c.year, got)
			}
			if ds.Name != "Baby_5" || ds.Clock != dataset.ClockMoment {
				t.Errorf("%s: name %q, clock %q", c.year, ds.Name, ds.Clock)
			}
			for i, kind := range []string{"reviews", "metadata"} {
				f := rep.Files[i]
				if !strings.HasPrefix(f.Format, "Amazon "+c.year+" "+kind) || strings.HasSuffix(f.Format, "gzip") != packed || f.Bytes == 0 {
					t.Errorf("%s: report %+v", c.year, f)
				}
			}
			if !strings.Contains(rep.Notes[0], "1 of 3 items") {
				t.Errorf("%s: notes %q", c.year, rep.Notes)
			}
		}
	}
}

func TestPythonReviews(t *testing.T) {
	ds, rep, err := Read(t.Context(), Options{Reviews: write(t, "r", `{'reviewerID': 'A1', 'asin': u'B1', 'overall': 5, 'unixReviewTime': 1360000000L}`)})
	if err != nil || ds.NumInteractions() != 1 || rep.Files[0].Format != "Amazon 2014 or 2018 reviews, one Python literal a line" {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestKCoreBeforeMetadata(t *testing.T) {
	var b strings.Builder
	for _, p := range []string{"U9 B9", "U1 B2", "U1 B1", "U2 B1", "U2 B2", "U2 B1"} {
		b.WriteString(`{"reviewerID": "` + p[:2] + `", "asin": "` + p[3:] + `", "unixReviewTime": 5}` + "\n")
	}
	opt := Options{Reviews: write(t, "r", b.String()), Meta: write(t, "m", `{'asin': 'B2', 'title': 'two'}`), KCore: 2}
	ds, rep, err := Read(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Merged != 1 || rep.Core.Users != 1 || rep.Core.Items != 1 || ds.Items[0].ID != "B2" || ds.Items[0].Title != "two" || ds.UserIDs[0] != "U1" || ds.NumInteractions() != 4 {
		t.Errorf("core %+v of %+v", rep, ds)
	}
	opt.KCore = 3
	if _, _, err := Read(t.Context(), opt); !isUser(err) || !strings.Contains(err.Error(), "3-core is empty") {
		t.Errorf("empty core: %v", err)
	}
}

func isUser(err error) bool {
	_, user := usererr.Hint(err)
	return err != nil && user
}

func TestBadReviews(t *testing.T) {
	for name, c := range map[string]struct {
		row, reason string
		column      int
	}{
		"torn":               {`{"reviewerID": "A", "asin`, "closing quote", 21},
		"no user":            {`{"asin": "B", "unixReviewTime": 1}`, "no reviewerID", 0},
		"null user":          {`{"reviewerID": null, "asin": "B", "unixReviewTime": 1}`, "no reviewerID", 0},
		"user is a number":   {`{"reviewerID": 7, "asin": "B", "unixReviewTime": 1}`, "no text", 16},
		"empty user":         {`{"reviewerID": "", "asin": "B", "unixReviewTime": 1}`, "empty id", 16},
		"no time":            {`{"reviewerID": "A", "asin": "B"}`, "no unixReviewTime", 0},
		"time is a text":     {`{"reviewerID": "A", "asin": "B", "unixReviewTime": "now"}`, "no time", 52},
		"milliseconds":       {`{"reviewerID": "A", "asin": "B", "unixReviewTime": 1400000000000}`, "unix milliseconds, the file's first time was unix seconds", 52},
		"time too large":     {`{"reviewerID": "A", "asin": "B", "unixReviewTime": 1e300}`, "no time", 52},
		"rating is a list":   {`{"reviewerID": "A", "asin": "B", "unixReviewTime": 1, "overall": [5]}`, "no number", 66},
		"rating too large":   {`{"reviewerID": "A", "asin": "B", "unixReviewTime": 1, "overall": 1e99}`, "no number", 66},
		"other generation":   {`{"user_id": "A", "parent_asin": "B", "timestamp": 1}`, "another generation", 0},
		"2023 without item":  {`{"user_id": "A", "asin": "B", "timestamp": 1}`, "no parent_asin", 0},
		"a list":             {`["reviewerID"]`, "object", 1},
		"text after the end": {`{"reviewerID": "A", "asin": "B", "unixReviewTime": 1}}`, "the end", 54},
		"deep":               {`{"x": ` + strings.Repeat("[", 200), "deeper", 70},
		"NUL in id":          {`{"reviewerID": "A\u0000", "asin": "B", "unixReviewTime": 1}`, "control", 16},
		"half a character":   {"{\"reviewerID\": \"A\xff\", \"asin\": \"B\", \"unixReviewTime\": 1}", "UTF-8", 16},
		"word":               {`reviewerID`, "object", 1},
		"Python":             {`{'reviewerID': 'A', 'asin': 'B', 'unixReviewTime': 1}`, "name in quotes", 2},
		"huge":               {strings.Repeat(" ", 16<<20) + "{}", "longer than 16 MiB", 0},
	} {
		path := write(t, "r.json", reviews2014+c.row+"\n"+reviews2014[:strings.Index(reviews2014, "\n")])
		_, _, err := Read(t.Context(), Options{Reviews: path})
		var row dataset.RowError
		if !isUser(err) || !errors.As(err, &row) || row.Line != 4 || row.Column != c.column || !strings.Contains(row.Reason, c.reason) {
			t.Errorf("%s: %v, want line 4, column %d, %q", name, err, c.column, c.reason)
		}
		policy := &dataset.RowPolicy{Skip: true}
		if ds, _, err := Read(t.Context(), Options{Reviews: path, Policy: policy}); err != nil || policy.Count != 1 || ds.NumInteractions() != 4 || ds.Users() != 2 {
			t.Errorf("%s, skipping: %v, %+v", name, err, policy)
		}
	}
}

func TestBadMetadata(t *testing.T) {
	reviews := write(t, "r.json", reviews2014)
	for name, c := range map[string]struct {
		row, reason string
		column      int
	}{
		"code":         {`{'asin': __import__('os').system('true')}`, "value", 10},
		"no asin":      {`{'title': 'x'}`, "neither asin", 0},
		"asin number":  {`{'asin': 17}`, "no text", 10},
		"empty asin":   {`{'asin': ''}`, "empty id", 10},
		"wrong escape": {`{'asin': 'B3', 'title': 'a\N{DASH}'}`, "\\N", 27},
		"torn":         {`{'asin': 'B3', 'title': 'a`, "closing quote", 25},
	} {
		opt := Options{Reviews: reviews, Meta: write(t, "m.json", meta2014+c.row+"\n")}
		_, _, err := Read(t.Context(), opt)
		var row dataset.RowError
		if !isUser(err) || !errors.As(err, &row) || row.Line != 5 || row.Column != c.column || !strings.Contains(row.Reason, c.reason) || !strings.HasSuffix(row.File, "m.json") {
			t.Errorf("%s: %v, want line 5, column %d, %q", name, err, c.column, c.reason)
		}
		policy := &dataset.RowPolicy{Skip: true}
		opt.Policy = policy
		if ds, _, err := Read(t.Context(), opt); err != nil || policy.Count != 1 || ds.Items[0].Title == "" || ds.Items[2].Title != "" {
			t.Errorf("%s, skipping: %v, %+v", name, err, policy)
		}
	}
}

func TestBadFiles(t *testing.T) {
	packed := zip(reviews2014)
	for name, c := range map[string]struct{ reviews, meta, want string }{
		"empty reviews":  {"", meta2014, "no usable reviews"},
		"meta as review": {meta2014, meta2014, "product metadata, and not of reviews"},
		"empty meta":     {reviews2014, "\n", "no usable products"},
		"another shop":   {reviews2014, `{"asin": "Z"}`, "describes none of the 3 items"},
		"reviews twice":  {reviews2014, `{"reviewerID": "A1", "asin": "Z"}`, "reviews, and not of product metadata"},
		"torn gz":        {packed[:len(packed)-20], meta2014, "r.json.gz: the gzip file is cut off"},
		"torn header":    {packed[:5], meta2014, "cut off"},
		"torn meta":      {reviews2014, zip(meta2014)[:200], "m.json.gz: the gzip file is cut off"},
		"bad checksum":   {packed[:len(packed)-6] + "xxxxxx", meta2014, "broken gzip"},
		"trailing junk":  {packed + "junk", meta2014, "no gzip data follow"},
	} {
		_, _, err := Read(t.Context(), Options{Reviews: write(t, "r.json.gz", c.reviews), Meta: write(t, "m.json.gz", c.meta)})
		if !isUser(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want a user's error with %q", name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Read(ctx, Options{Reviews: write(t, "r", reviews2014)}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Products that nobody wants must cost no memory, however many there are.
func TestMetadataOfOthersCostsNothing(t *testing.T) {
	line := strings.SplitAfter(meta2014, "\n")[1]
	path := write(t, "m", strings.Repeat(line, 8<<20/len(line))+meta2014)
	ds := &dataset.Dataset{Items: []dataset.Item{{ID: "B1"}}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := AddMetadata(t.Context(), ds, path, nil, &dataset.Report{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
		t.Errorf("%d bytes allocated in reading one product of 8 MiB", n)
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"a <b>bold</b> H<sub>2</sub>O":                          "a bold H2O",
		"one<br>two<BR/>three</p>four":                          "one two three four",
		"5 &lt; 6 &amp;amp; 7 > 2":                              "5 < 6 & 7 > 2",
		"sizes <m> and <xl>":                                    "sizes <m> and <xl>",
		"if x<a and b>c":                                        "if xc",
		"<script>if (a<b) {}</script>text<!-- no -->":           "text",
		"<style type='x'>p{}</style >kept":                      "kept",
		"<script>never closed":                                  "never closed",
		"<b never closed":                                       "<b never closed",
		"open <!-- comment":                                     "open",
		"&quot;q&quot;&nbsp;&#39;&eacute;":                      "\"q\" 'é",
		"&lt;p&gt;encoded&lt;/p&gt;":                            "encoded",
		"a\x00b\n\tc &#0;":                                      "a b c \uFFFD",
		"<span id=\"productTitle\" class=\"a-size\"> T </span>": "T",
		"<": "<", "</": "</", "": "",
	} {
		if got, _ := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}

func fuzz(f *testing.F, opt func(path string) Options) {
	path := filepath.Join(f.TempDir(), "fuzzed")
	f.Fuzz(func(t *testing.T, data []byte, skip bool) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		o := opt(path)
		o.Policy = &dataset.RowPolicy{Skip: skip}
		ds, rep, err := Read(t.Context(), o)
		if err != nil {
			if !isUser(err) {
				t.Fatalf("not marked as the user's: %v", err)
			}
			return
		}
		bad := 0
		for _, r := range rep.Files {
			bad += r.Bad
		}
		if bad != o.Policy.Count || ds.NumInteractions() != rep.Files[0].Rows {
			t.Fatalf("report %+v, %d bad rows, %d interactions", rep, o.Policy.Count, ds.NumInteractions())
		}
		for _, it := range ds.Items {
			if _, dirty := dataset.CleanText(it.Title + it.Brand + it.Description + it.Image + strings.Join(it.Categories, "")); dirty {
				t.Fatalf("unclean text in %+v", it)
			}
		}
	})
}

func fuzzReviews(f *testing.F, seed string) {
	f.Add([]byte(seed), true)
	f.Add([]byte(zip(seed)), false)
	f.Add([]byte(strings.ReplaceAll(seed, `"`, `'`)), true)
	fuzz(f, func(path string) Options { return Options{Reviews: path} })
}

func FuzzReview2014(f *testing.F) { fuzzReviews(f, reviews2014) }
func FuzzReview2018(f *testing.F) { fuzzReviews(f, reviews2018) }
func FuzzReview2023(f *testing.F) { fuzzReviews(f, reviews2023) }

func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{meta2014, meta2018, meta2023} {
		f.Add([]byte(seed), true)
		f.Add([]byte(zip(seed)), false)
	}
	reviews := write(f, "r", reviews2014)
	fuzz(f, func(path string) Options { return Options{Reviews: reviews, Meta: path} })
}
