package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
)

func openText(t testing.TB, text string) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, Encoding{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestLines(t *testing.T) {
	long := strings.Repeat("y", 700_000) // beyond the buffer, below the limit
	l := NewLines(openText(t, "\ufeffa\r\n\n"+long+"\n"+strings.Repeat("x", MaxLine+1)+"\nb\r\r\nlast"))
	for n, want := range []string{"a", "", long, "too long", "b", "last"} {
		got, err := l.Next()
		var bad dataset.RowError
		if want == "too long" {
			if !errors.As(err, &bad) || bad.Line != 4 {
				t.Errorf("line 4: %v", err)
			}
			continue
		}
		if err != nil || string(got) != want || l.Number() != n+1 {
			t.Errorf("line %d: %.20q, %v", l.Number(), got, err)
		}
	}
	if _, err := l.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last line: %v", err)
	}
	if cap(l.long) > 2*MaxLine {
		t.Errorf("a line too long took %d bytes of memory", cap(l.long))
	}
}

func TestReport(t *testing.T) {
	f := openText(t, "abc")
	if _, err := io.Copy(io.Discard, f); err != nil {
		t.Fatal(err)
	}
	r := f.Report("text")
	if r.Bytes != 3 || r.SHA256 != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("report %+v", r)
	}
}

func TestCSVPositions(t *testing.T) {
	c := NewCSV(openText(t, "a,\"b\",c\n\n\"two\nlines\",\"x\"\"y\",z\n\"bad\"x,1\nlast"), ',', QuoteAuto)
	type record struct {
		cells   []string
		line    int
		columns []int
	}
	for _, want := range []record{{[]string{"a", "b", "c"}, 1, []int{1, 3, 7}}, {[]string{"two\nlines", "x\"y", "z"}, 3, []int{1, 0, 0}}, {nil, 5, nil}, {[]string{"last"}, 6, []int{1}}} {
		cells, err := c.Next()
		if want.cells == nil {
			if !isRow(err) || c.Line() != want.line {
				t.Errorf("bad record: %v on line %d", err, c.Line())
			}
			continue
		}
		got := record{line: c.Line()}
		for i, b := range cells {
			got.cells = append(got.cells, string(b))
			got.columns = append(got.columns, c.Column(i))
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	if _, err := c.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last record: %v", err)
	}
}

// What encoding/csv reads without complaint must come out the same here.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("a,b\n\"c\",\"d\"\"e\"\r\n\"f\ng\",\n"))
	f.Add([]byte(",\n\"\",\"\"\"\"\n"))
	path := filepath.Join(f.TempDir(), "f")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		file, err := Open(path, Encoding{})
		if err != nil {
			return
		}
		defer file.Close()
		var got [][]string
		var problem error
		for c := NewCSV(file, ',', QuoteAuto); ; {
			cells, err := c.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				problem = err
				if isRow(err) {
					continue
				}
				break
			}
			record := make([]string, len(cells))
			for i, b := range cells {
				record[i] = string(b)
			}
			got = append(got, record)
		}
		std := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
		std.FieldsPerRecord = -1
		want, err := std.ReadAll()
		if err != nil || file.Gzip() || bytes.ContainsAny(data, " \t\r\v\f") || !isASCII(data) {
			return // blank lines of white space and lone carriage returns are read differently
		}
		if problem != nil || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("got %q, %v; want %q", got, problem, want)
		}
	})
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
