package amazon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
)

// bulk repeats one row with running ids up to about 16 MB, its text made as long as
// in the real files.
func bulk(b *testing.B, rows string) string {
	b.Helper()
	row := strings.SplitAfter(rows, "\n")[0]
	row = strings.Replace(row, "good", strings.Repeat("these are the words of a review, ", 12), 1)
	row = strings.Replace(row, "two", strings.Repeat("these are the words of a description, ", 12), 1)
	var out strings.Builder
	for i := 0; out.Len() < 16<<20; i++ {
		ids := strings.NewReplacer("B1", fmt.Sprintf("B%07d", i*7919%50000), "A1", fmt.Sprintf("A%07d", i*104729%80000))
		ids.WriteString(&out, row)
	}
	path := filepath.Join(b.TempDir(), "bulk")
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(out.Len()))
	b.ReportAllocs()
	return path
}

func BenchmarkReviews(b *testing.B) {
	for year, rows := range map[string]string{"2014": reviews2014, "2018": reviews2018, "2023": reviews2023} {
		b.Run(year, func(b *testing.B) {
			path := bulk(b, rows)
			for b.Loop() {
				if _, _, err := ReadReviews(b.Context(), Options{Reviews: path}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The same through gzip, in uncompressed bytes.
func BenchmarkReviewsGzip(b *testing.B) {
	path := bulk(b, reviews2014)
	raw, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(zip(string(raw))), 0o644); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := ReadReviews(b.Context(), Options{Reviews: path}); err != nil {
			b.Fatal(err)
		}
	}
}

// One product in ten is wanted, as after a k-core.
func BenchmarkMetadata(b *testing.B) {
	for year, rows := range map[string]string{"2014": meta2014, "2018": meta2018, "2023": meta2023} {
		b.Run(year, func(b *testing.B) {
			path := bulk(b, rows)
			for b.Loop() {
				ds := &dataset.Dataset{}
				for i := range 5000 {
					ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprintf("B%07d", i)})
				}
				if err := AddMetadata(b.Context(), ds, path, nil, &dataset.Report{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
