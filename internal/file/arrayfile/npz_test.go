package arrayfile

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func decodeCSR(raw []byte) (*tensor.CSR, error) {
	return DecodeCSR(bytes.NewReader(raw), int64(len(raw)))
}

func encodeCSR(t testing.TB, s *tensor.CSR) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := EncodeCSR(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// randomCSR has ascending distinct columns and some empty rows.
func randomCSR(seed uint64, rows, cols int) *tensor.CSR {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := &tensor.CSR{Rows: rows, Cols: cols, Indptr: []int64{0}, Indices: []int32{}, Values: []float32{}}
	for range rows {
		for c := range cols {
			if rng.IntN(4) == 0 {
				s.Indices = append(s.Indices, int32(c))
				s.Values = append(s.Values, rng.Float32()-0.5)
			}
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	return s
}

func TestCSRRoundTrip(t *testing.T) {
	for seed, shape := range [][2]int{{0, 0}, {0, 5}, {4, 0}, {1, 1}, {7, 9}, {90, 40}} {
		want := randomCSR(uint64(seed), shape[0], shape[1])
		path := filepath.Join(t.TempDir(), "s.npz")
		if err := WriteCSR(path, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadCSR(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", shape, diff)
		}
		if !bytes.Equal(encodeCSR(t, want), encodeCSR(t, got)) {
			t.Errorf("%v: equal matrices, different bytes", shape)
		}
	}
}

// The files are SciPy's own; testdata/make.py wrote them.
func TestCSROfSciPy(t *testing.T) {
	want := &tensor.CSR{Rows: 3, Cols: 4, Indptr: []int64{0, 2, 2, 4}, Indices: []int32{1, 3, 0, 2}, Values: []float32{1.5, -2, 3, 0.25}}
	for _, name := range []string{"deflated_f8", "stored_f4", "wide", "array", "unsorted"} {
		got, err := ReadCSR(filepath.Join("testdata", name+".npz"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// SciPy reads what we write, where there is a SciPy.
func TestSciPyReadsOurs(t *testing.T) {
	python := ""
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(p, "-c", "import scipy.sparse").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		t.Skip("no python3 with scipy here")
	}
	dir, want := t.TempDir(), randomCSR(5, 6, 11)
	if err := WriteCSR(filepath.Join(dir, "s.npz"), want); err != nil {
		t.Fatal(err)
	}
	m := numbered(3, 5)
	if err := WriteNPY(filepath.Join(dir, "m.npy"), m); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", `
import json, numpy, scipy.sparse
s = scipy.sparse.load_npz("s.npz"); s.check_format(True); m = numpy.load("m.npy")
assert s.format == "csr" and s.dtype == "float32" and m.dtype == "float32" and m.flags.c_contiguous
print(json.dumps({"Rows": s.shape[0], "Cols": s.shape[1], "Indptr": s.indptr.tolist(), "Indices": s.indices.tolist(), "Values": s.data.tolist(), "M": m.tolist()}))`)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got struct {
		tensor.CSR
		M [][]float32
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got.CSR); diff != "" {
		t.Errorf("SciPy sees another matrix (-want +got):\n%s", diff)
	}
	if flat := slices.Concat(got.M...); len(got.M) != 3 || !slices.Equal(flat, m.Data) {
		t.Errorf("NumPy sees %v", got.M)
	}
}

// rezip copies an archive, with member data changed, dropped (nil) or doubled.
func rezip(t *testing.T, raw []byte, change func(name string, data []byte) [][]byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range z.File {
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		var data bytes.Buffer
		if _, err := data.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		for _, d := range change(strings.TrimSuffix(m.Name, ".npy"), data.Bytes()) {
			f, err := w.Create(m.Name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write(d); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCSRRejects(t *testing.T) {
	base := func() *tensor.CSR {
		return &tensor.CSR{Rows: 2, Cols: 3, Indptr: []int64{0, 2, 3}, Indices: []int32{0, 2, 1}, Values: []float32{1, 2, 3}}
	}
	for name, c := range map[string]struct {
		change func(*tensor.CSR)
		want   string
	}{
		"column out of range": {func(s *tensor.CSR) { s.Indices[1] = 3 }, "row 0: column 3 is outside"},
		"negative column":     {func(s *tensor.CSR) { s.Indices[2] = -1 }, "row 1: column -1 is outside"},
		"column twice":        {func(s *tensor.CSR) { s.Indices[1] = 0 }, "row 0: column 0 stands there twice"},
		"indptr falls":        {func(s *tensor.CSR) { s.Rows, s.Indptr = 3, []int64{0, 5, 2, 3} }, "falls from 5 to 2"},
		"indptr negative":     {func(s *tensor.CSR) { s.Indptr[1] = -1 }, "falls from 0 to -1"},
		"indptr too short":    {func(s *tensor.CSR) { s.Rows = 3 }, "3 rows need 4"},
		"indptr end":          {func(s *tensor.CSR) { s.Indptr[2] = 4 }, "not from 0 to 3"},
		"values too few":      {func(s *tensor.CSR) { s.Values = s.Values[:2] }, "3 indices for 2 values"},
		"NaN":                 {func(s *tensor.CSR) { s.Values[2] = float32(math.NaN()) }, "row 1, column 1 holds NaN"},
		"infinity":            {func(s *tensor.CSR) { s.Values[1] = float32(math.Inf(1)) }, "row 0, column 2 holds +Inf"},
	} {
		t.Run(name, func(t *testing.T) {
			s := base()
			c.change(s)
			if _, err := decodeCSR(encodeCSR(t, s)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	good := encodeCSR(t, base())
	flipped := slices.Clone(good)
	flipped[bytes.Index(flipped, []byte("\x00\x00\x80\x3f"))] ^= 1 // a bit of the value 1: the checksum tells
	only := func(name string, f func([]byte) [][]byte) []byte {
		return rezip(t, good, func(n string, d []byte) [][]byte {
			if n == name {
				return f(d)
			}
			return [][]byte{d}
		})
	}
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"empty":          {nil, "not an .npz archive"},
		"truncated":      {good[:len(good)-10], "not an .npz archive"},
		"flipped bit":    {flipped, "checksum"},
		"member missing": {only("indptr", func([]byte) [][]byte { return nil }), "indptr.npy is missing"},
		"member twice":   {only("data", func(d []byte) [][]byte { return [][]byte{d, d} }), "data.npy stands in the archive twice"},
		"member torn":    {only("indices", func(d []byte) [][]byte { return [][]byte{d[:len(d)-2]} }), "indices.npy: the file ends within the data"},
		"trailing bytes": {only("data", func(d []byte) [][]byte { return [][]byte{append(d, 0)} }), "bytes follow the data"},
		"shape negative": {only("shape", func(d []byte) [][]byte { d[len(d)-1] = 0x80; return [][]byte{d} }), "two sizes below"},
		"float indices":  {only("indices", func(d []byte) [][]byte { return [][]byte{bytes.Replace(d, []byte("<i4"), []byte("<f4"), 1)} }), "<i4 or <i8 is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decodeCSR(c.raw); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	for file, want := range map[string]string{"csc": `format is "csc"`, "duplicate": "column 1 stands there twice"} {
		_, err := ReadCSR(filepath.Join("testdata", file+".npz"))
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %v", file, err)
		}
	}
}

// Wide indices that do not fit are an error, not another column.
func TestCSRWideIndexOverflow(t *testing.T) {
	raw, err := os.ReadFile("testdata/wide.npz")
	if err != nil {
		t.Fatal(err)
	}
	bad := rezip(t, raw, func(name string, d []byte) [][]byte {
		if name == "indices" && strings.Contains(string(d[:80]), "<i8") {
			d[len(d)-3] = 1
		}
		return [][]byte{d}
	})
	if _, err := decodeCSR(bad); err == nil || !strings.Contains(err.Error(), "does not fit 32 bits") {
		t.Errorf("error %v", err)
	}
}

func FuzzCSR(f *testing.F) {
	files, err := filepath.Glob("testdata/*.npz")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds: ", err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add(encodeCSR(f, randomCSR(1, 3, 4)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := decodeCSR(raw)
		if err != nil {
			return
		}
		for i := range s.Rows {
			cols, _ := s.Row(i)
			for e, c := range cols {
				if c < 0 || int(c) >= s.Cols || e > 0 && cols[e-1] >= c {
					t.Fatalf("row %d: columns %v of %d", i, cols, s.Cols)
				}
			}
		}
		again, err := decodeCSR(encodeCSR(t, s))
		if err != nil || !slices.Equal(again.Indices, s.Indices) || !slices.Equal(again.Values, s.Values) || !slices.Equal(again.Indptr, s.Indptr) {
			t.Fatalf("does not come back: %v", err)
		}
	})
}

// FuzzNPYHeader aims at the literal parser: an archive's checksums keep most of
// FuzzCSR's inputs away from it.
func FuzzNPYHeader(f *testing.F) {
	f.Add("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }")
	f.Add(`{"shape": (3L,), "fortran_order": True, "descr": "|S3"}`)
	f.Add("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': ()}")
	f.Fuzz(func(t *testing.T, s string) {
		var h npyHeader
		if err := parseNPYDict(s, &h); err != nil {
			return
		}
		if slices.ContainsFunc(h.shape, func(d int64) bool { return d < 0 }) || len(h.shape) > 32 {
			t.Fatalf("%q gives shape %v", s, h.shape)
		}
	})
}

func TestErrorsAreUsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npz")
	if err := os.WriteFile(path, []byte("junk"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, read := range []func(string) error{
		func(p string) error { _, err := ReadCSR(p); return err },
		func(p string) error { _, err := ReadNPY(p); return err },
		func(p string) error { _, err := OpenNPY(p, NPYOptions{}); return err },
		func(p string) error { _, _, err := ReadSafetensors(p); return err },
		func(p string) error { _, _, err := StatSafetensors(p); return err },
	} {
		if hint, ok := usererr.Hint(read(path)); !ok || hint == "" || !strings.Contains(read(path).Error(), path) {
			t.Errorf("junk: %v", read(path))
		}
		if err := read(path + ".none"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("missing: %v", err)
		}
		if err := read(t.TempDir()); err == nil {
			t.Error("a folder is read")
		}
	}
}
