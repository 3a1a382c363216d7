package parquetcheck

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

type sample struct {
	ID   string   `parquet:"id,dict"`
	Tags []string `parquet:"tags,list"`
	N    int64    `parquet:"n,delta"`
}

func good(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[sample](&b, parquet.Compression(&parquet.Zstd), parquet.KeyValueMetadata("k", "v"))
	for i := range 2000 {
		if _, err := w.Write([]sample{{strings.Repeat("x", i%7), []string{"a", "b"}[:i%3%2+1], int64(i)}}); err != nil {
			t.Fatal(err)
		}
		if i%900 == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpenGood(t *testing.T) {
	f, err := openBytes(good(t))
	if err != nil {
		t.Fatal(err)
	}
	if f.NumRows() != 2000 || len(f.RowGroups()) != 4 {
		t.Errorf("%d rows in %d groups", f.NumRows(), len(f.RowGroups()))
	}
}

// file puts a footer into an otherwise empty file.
func file(footer ...byte) []byte {
	b := append([]byte("PAR1"), footer...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(footer)))
	return append(b, "PAR1"...)
}

// allocated returns the bytes allocated by fn.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestLyingFooters(t *testing.T) {
	const list, text, i32, structure = 9, 8, 5, 12
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x07} // 2^31−1
	for name, c := range map[string]struct {
		footer []byte
		want   string
	}{
		"list of structs": {append([]byte{0x20 | list, 0xf0 | structure}, huge...), "length of 2147483647"},
		"text":            {append([]byte{0x60 | text}, huge...), "length of 2147483647"},
		"map":             {append([]byte{0x10 | typeMap}, huge...), "length of 2147483647"},
		"open end":        {[]byte{0x10 | i32}, "ends inside"},
		"unknown type":    {[]byte{0x1e, 0}, "type 14"},
		"deep":            {bytes.Repeat([]byte{0x10 | structure}, 100), "too deeply"},
		"deep lists":      {append([]byte{0x10 | list}, bytes.Repeat([]byte{0x10 | list}, 1000)...), "too deeply"},
		"endless number":  {append([]byte{0x10 | i32}, bytes.Repeat([]byte{0xff}, 20)...), "too long"},
		"no schema":       {[]byte{0}, "damaged footer"},
	} {
		var err error
		if n := allocated(func() { _, err = openBytes(file(c.footer...)) }); n > 1<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, n, len(c.footer))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	whole := good(t)
	for n := range len(whole) {
		if n%97 == 0 {
			if _, err := openBytes(whole[:n]); err == nil {
				t.Fatalf("the first %d of %d bytes were taken for a file", n, len(whole))
			}
		}
	}
}

// header writes a data page header that claims these numbers.
func header(uncompressed, compressed, values int64) []byte {
	b := []byte{0x15, 0, 0x15}
	b = binary.AppendVarint(b, uncompressed)
	b = append(b, 0x15)
	b = binary.AppendVarint(b, compressed)
	b = append(b, 0x2c, 0x15)
	b = binary.AppendVarint(b, values)
	return append(b, 0, 0)
}

func TestLyingPages(t *testing.T) {
	page := make([]byte, 100)
	for name, c := range map[string]struct {
		pages []byte
		want  string
	}{
		"honest":           {append(header(100, 100, 10), page...), ""},
		"two":              {append(append(append(header(100, 100, 10), page...), header(0, 50, 0)...), page[:50]...), ""},
		"too long":         {append(header(100, 101, 10), page...), "claims 101 bytes where 100"},
		"negative":         {append(header(100, -1, 10), page...), "claims -1 bytes"},
		"bomb":             {append(header(1<<30, 100, 10), page...), "claims 1073741824 bytes out of 100"},
		"negative size":    {append(header(-5, 100, 10), page...), "claims -5 bytes"},
		"many values":      {append(header(100, 100, 1<<31-1), page...), "claims 2147483647 values"},
		"negative values":  {append(header(100, 100, -3), page...), "claims -3 values"},
		"second is broken": {append(append(header(100, 100, 10), page...), 0x15), "header of page 1"},
	} {
		err := checkPages(bytes.NewReader(c.pages), 0, int64(len(c.pages)), int64(len(c.pages)))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	// Headers longer than the first window are read whole.
	long := append([]byte{0x15, 0, 0x15, 2, 0x15, 2, 0x4c, 0x18, 0x88, 0x27}, make([]byte, 5000)...)
	long = append(append(long, 0, 0), 1)
	if err := checkPages(bytes.NewReader(long), 0, int64(len(long)), int64(len(long))); err != nil {
		t.Errorf("long header: %v", err)
	}
}

// Whatever the bytes are, opening comes back, and allocates in proportion to them.
func FuzzOpen(f *testing.F) {
	f.Add(good(f))
	f.Add(file(0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := allocated(func() { openBytes(data) }); n > 16<<20+4096*uint64(len(data)) {
			t.Fatalf("%d bytes allocated for a file of %d", n, len(data))
		}
	})
}

func openBytes(b []byte) (*parquet.File, error) {
	r := bytes.NewReader(b)
	f, err := Open(r, int64(len(b)))
	if err == nil {
		err = Columns(f, r, int64(len(b)))
	}
	return f, err
}
