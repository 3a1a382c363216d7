package microlens

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
)

func realFiles(t testing.TB) Options {
	dir := os.Getenv("MLLMREC_DATA_DIR")
	if dir == "" {
		t.Skip("MLLMREC_DATA_DIR is not set: no real data to read")
	}
	dir = filepath.Join(dir, "microlens")
	return Options{Pairs: filepath.Join(dir, "MicroLens-50k_pairs.tsv"), Titles: filepath.Join(dir, "MicroLens-50k_titles.csv")}
}

func TestRealMicroLens(t *testing.T) {
	ds, _, err := Read(t.Context(), realFiles(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := dataset.MergeDuplicates(ds); n != 0 {
		t.Errorf("%d duplicates in a file that has none", n)
	}
	if err := dataset.SplitLeaveLatest(ds); err != nil {
		t.Fatal(err)
	}
	s := dataset.Compute(ds)
	if s.Users != 50000 || s.Items != 19220 || s.Train != 259708 || s.Valid != 50000 || s.Test != 50000 || s.ItemsWithoutText != 0 {
		t.Errorf("statistics %+v", s)
	}
	if x := labelledtest.Rows(ds)[4]; ds.Items[x.Item].ID != "1707" || x.Label != dataset.Test {
		t.Errorf("the first user's test item is %s (%s), want 1707", ds.Items[x.Item].ID, x.Label)
	}
}

func BenchmarkReadMicroLens(b *testing.B) {
	opt := realFiles(b)
	var size int64
	for _, path := range []string{opt.Pairs, opt.Titles} {
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		size += info.Size()
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Read(b.Context(), opt); err != nil {
			b.Fatal(err)
		}
	}
}
