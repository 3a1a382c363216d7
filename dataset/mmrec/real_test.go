package mmrec

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
)

func babyFile(t testing.TB) string {
	dir := os.Getenv("MLLMREC_DATA_DIR")
	if dir == "" {
		t.Skip("MLLMREC_DATA_DIR is not set: no real data to read")
	}
	return filepath.Join(dir, "baby", "baby.inter")
}

// The published statistics of Amazon Baby under MMRec's protocol.
func TestRealBaby(t *testing.T) {
	ds, _, err := Read(t.Context(), Options{Inter: babyFile(t)})
	if err != nil {
		t.Fatal(err)
	}
	s := dataset.Compute(ds)
	if s.Users != 19445 || s.Items != 7050 || s.Train != 118551 || s.Valid != 20559 || s.Test != 21682 || s.UsersWithoutTrain != 0 {
		t.Errorf("statistics %+v", s)
	}
	if n := dataset.MergeDuplicates(ds); n != 0 {
		t.Errorf("%d duplicates in a file that has none", n)
	}
	if res := dataset.KCore(ds, 5); res.Rounds != 0 {
		t.Errorf("a 5-core lost something to a 5-core: %+v", res)
	}
	// Our random split must hand out the counts of the published one, user by user.
	want := make([][3]int, ds.Users())
	for _, x := range labelledtest.Rows(ds) {
		want[x.User][x.Label]++
	}
	dataset.SplitRandom(ds, 999)
	got := make([][3]int, ds.Users())
	for _, x := range labelledtest.Rows(ds) {
		got[x.User][x.Label]++
	}
	for u := range got {
		if got[u] != want[u] {
			t.Fatalf("user %d: random split %v, published %v", u, got[u], want[u])
		}
	}
}

func BenchmarkReadBaby(b *testing.B) {
	path := babyFile(b)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Read(b.Context(), Options{Inter: path}); err != nil {
			b.Fatal(err)
		}
	}
}
