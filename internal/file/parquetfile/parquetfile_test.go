package parquetfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type row struct {
	ID    string   `parquet:"id"`
	Label string   `parquet:"label,dict"`
	Tags  []string `parquet:"tags,list"`
	N     int32    `parquet:"n"`
	F     float32  `parquet:"f"`
	T     int64    `parquet:"t"`
}

func rows(n int) []row {
	all := []row{}
	for i := range n {
		r := row{ID: fmt.Sprintf("id-%d", i), Label: []string{"train", "test"}[i%2], N: int32(i), F: float32(i) / 3, T: int64(i) << 33}
		for k := range i % 4 {
			r.Tags = append(r.Tags, strings.Repeat("x", k+1))
		}
		all = append(all, r)
	}
	return all
}

// fileOf writes rows and returns the bytes.
func fileOf(t testing.TB, all []row) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.parquet")
	if err := Write(path, slices.Values(all)); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func read[T any](raw []byte) ([]T, error) {
	all := []T{}
	err := EachOf(bytes.NewReader(raw), int64(len(raw)), func(_ int, v *T) error {
		all = append(all, *v)
		return nil
	})
	return all, err
}

func TestRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, batchRows, 3*batchRows + 5} {
		want := rows(n)
		got, err := read[row](fileOf(t, want))
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if len(got[i].Tags) == 0 { // nil and empty are one in parquet
				got[i].Tags = nil
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d rows (-want +got):\n%.2000s", n, diff)
		}
	}
}

// The files are pyarrow's and DuckDB's own; testdata/make.py wrote them.
func TestForeignFiles(t *testing.T) {
	want := []row{{"a", "train", []string{"x", "y"}, 1, 0.5, 1}, {"ü", "test", nil, -2, 1.5, 1 << 40}, {"a", "train", []string{"z"}, 3, -2.5, -3}}
	for _, name := range []string{"pyarrow", "duckdb"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name+".parquet"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := read[row](raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i := range got {
			if len(got[i].Tags) == 0 {
				got[i].Tags = nil
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestErrorsNameFileAndRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.parquet")
	if err := os.WriteFile(path, fileOf(t, rows(5)), 0o666); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	err := Each(path, func(i int, _ *row) error {
		if i == 3 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "row 3") {
		t.Errorf("error %v", err)
	}
	type other struct {
		Missing string `parquet:"missing"`
	}
	if err := Each(path, func(int, *other) error { return nil }); err == nil || !strings.Contains(err.Error(), "column missing is missing") {
		t.Errorf("error %v", err)
	}
	type retyped struct {
		N string `parquet:"n"`
	}
	if err := Each(path, func(int, *retyped) error { return nil }); err == nil || !strings.Contains(err.Error(), "column n has type INT") {
		t.Errorf("error %v", err)
	}
}

func TestTruncated(t *testing.T) {
	raw := fileOf(t, rows(300))
	for n := range raw {
		if _, err := read[row](raw[:n]); err == nil || !strings.Contains(err.Error(), "Parquet file") && !strings.Contains(err.Error(), "damaged") {
			t.Fatalf("%d of %d bytes: %v", n, len(raw), err)
		}
	}
}

// A flipped bit anywhere gives an error or other values; never a panic, and never
// memory out of proportion.
func TestFlippedBits(t *testing.T) {
	raw := fileOf(t, rows(8))
	var before, after runtime.MemStats
	noticed := 0
	for at := range raw {
		bad := slices.Clone(raw)
		bad[at] ^= 1 << (at * 5 % 8)
		runtime.ReadMemStats(&before)
		if _, err := read[row](bad); err != nil {
			noticed++
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
			t.Fatalf("byte %d: %d MB allocated for %d bytes", at, used>>20, len(raw))
		}
	}
	if noticed < len(raw)/2 {
		t.Errorf("%d of %d flips noticed", noticed, len(raw))
	}
}

func FuzzEach(f *testing.F) {
	f.Add(fileOf(f, rows(3)))
	f.Add(fileOf(f, rows(0)))
	f.Add(fileOf(f, rows(40))[:200])
	f.Add([]byte("PAR1\x08\x00\x00\x00PAR1"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		got, err := read[row](raw)
		if err == nil && len(got) > 1<<20 {
			t.Fatalf("%d rows from %d bytes", len(got), len(raw))
		}
	})
}
