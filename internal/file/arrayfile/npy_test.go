package arrayfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// numbered returns a matrix whose elements all differ.
func numbered(rows, cols int) *tensor.Matrix {
	m := tensor.New(rows, cols)
	for i := range m.Data {
		m.Data[i] = float32(i)*0.37 - 5
	}
	return m
}

func decodeNPY(raw []byte, opt NPYOptions) (*tensor.Matrix, error) {
	return DecodeNPY(bytes.NewReader(raw), int64(len(raw)), opt)
}

// npyBytes is a .npy stream with any header.
func npyBytes(header string, data []byte) []byte {
	b := append([]byte(npyMagic), 1, 0, byte(len(header)), byte(len(header)>>8))
	return append(append(b, header...), data...)
}

func TestNPYRoundTrip(t *testing.T) {
	for _, shape := range [][2]int{{0, 4}, {3, 0}, {1, 1}, {3, 5}, {700, 200}} {
		m := numbered(shape[0], shape[1])
		path := filepath.Join(t.TempDir(), "m.npy")
		if err := WriteNPY(path, m); err != nil {
			t.Fatal(err)
		}
		got, err := ReadNPY(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.Rows != m.Rows || got.Cols != m.Cols || !slices.Equal(got.Data, m.Data) {
			t.Errorf("shape %v does not come back", shape)
		}
	}
}

// The files are NumPy's own; testdata/make.py wrote them.
func TestNPYOfNumPy(t *testing.T) {
	exact := []float32{1.5, -2, 0, 65504, 6.1e-5, 0.333251953125}
	half := slices.Clone(exact)
	half[4] = 1023.0 / (1 << 24) // 6.1e-5 is subnormal in f2
	for _, name := range []string{"f2", "f4", "f8", "be_f2", "be_f4", "be_f8", "fortran", "v2", "v3"} {
		m, err := ReadNPY(filepath.Join("testdata", name+".npy"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := exact
		if strings.HasSuffix(name, "f2") {
			want = half
		}
		if m.Rows != 2 || m.Cols != 3 || !slices.Equal(m.Data, want) {
			t.Errorf("%s: %+v, want 2×3 %v", name, m, want)
		}
	}
	v, err := ReadNPYWith("testdata/vector.npy", NPYOptions{Allow1D: true})
	if err != nil || v.Rows != 1 || !slices.Equal(v.Data, []float32{1, 2.5, -3}) {
		t.Errorf("vector: %+v, %v", v, err)
	}
}

// What we write is byte for byte what NumPy writes.
func TestNPYBytesEqualNumPy(t *testing.T) {
	want, err := os.ReadFile("testdata/f4.npy")
	if err != nil {
		t.Fatal(err)
	}
	m, err := decodeNPY(want, NPYOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := EncodeNPY(&got, m); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got %q, %v, want %q", got.Bytes(), err, want)
	}
}

func TestNPYRejects(t *testing.T) {
	const good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }"
	data := make([]byte, 8)
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"empty":           {nil, "ends within the .npy magic"},
		"other format":    {[]byte("PK\x03\x04 something"), "not a .npy file"},
		"version":         {[]byte(npyMagic + "\x04\x00\x00\x00"), "version 4.0"},
		"torn length":     {[]byte(npyMagic + "\x01\x00v"), "ends within the .npy header length"},
		"torn header":     {npyBytes(good, data)[:30], "ends within the .npy header"},
		"torn data":       {npyBytes(good, data[:5]), "cut off"},
		"extra data":      {npyBytes(good, make([]byte, 9)), "needs 8 bytes, 9 follow"},
		"no dictionary":   {npyBytes("[1, 2]", data), "no dictionary"},
		"missing key":     {npyBytes("{'descr': '<f4', 'shape': (1, 2)}", data), "fortran_order"},
		"key twice":       {npyBytes("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}", data), "twice"},
		"unknown key":     {npyBytes("{'x': '<f4'}", data), "unknown key"},
		"text behind":     {npyBytes(good+"x", data), "after the dictionary"},
		"huge shape":      {npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", data), "cut off"},
		"overlong number": {npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 1)}", data), "no number"},
		"huge and empty":  {npyBytes("{'descr': '<f4', 'fortran_order': True, 'shape': (4611686018427387904, 0)}", nil), "2³¹−1"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decodeNPY(c.raw, NPYOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	for file, want := range map[string]string{
		"vector.npy": "shape (3,), a matrix", "cube.npy": "shape (2, 2, 2), a matrix",
		"int.npy": `"<i8" is not read`, "struct.npy": "structured", "object.npy": `"|O" is not read`, "none.npy": "no such file",
	} {
		_, err := ReadNPY(filepath.Join("testdata", file))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %v, want one with %q", file, err, want)
		}
		if _, ok := usererr.Hint(err); file != "none.npy" && !ok {
			t.Errorf("%s: %v carries no hint", file, err)
		}
	}
}

func TestNPYNonFinite(t *testing.T) {
	const rows, cols = 300, 400 // several chunks
	for _, at := range [][2]int{{0, 0}, {170, 399}, {299, 399}} {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			m := numbered(rows, cols)
			m.Row(at[0])[at[1]] = bad
			var b bytes.Buffer
			if err := EncodeNPY(&b, m); err != nil {
				t.Fatal(err)
			}
			_, err := decodeNPY(b.Bytes(), NPYOptions{})
			var nf *NonFiniteError
			if !errors.As(err, &nf) || nf.Row != at[0] || nf.Col != at[1] {
				t.Errorf("%v at %v: error %v", bad, at, err)
			}
			if got, err := decodeNPY(b.Bytes(), NPYOptions{AllowNonFinite: true}); err != nil || len(got.Data) != rows*cols {
				t.Errorf("allowed: %v", err)
			}
		}
	}
}

// In Fortran order the place is still row and column; a float64 beyond float32 shows
// the value that the file has.
func TestNPYNonFinitePlaceAndValue(t *testing.T) {
	data := make([]byte, 2*3*8)
	bits := math.Float64bits(1e300)
	for k := range 8 { // element 3 in column order of a 2×3 matrix: row 1, column 1
		data[3*8+k] = byte(bits >> (8 * k))
	}
	raw := npyBytes("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3)}", data)
	_, err := decodeNPY(raw, NPYOptions{})
	if err == nil || !strings.Contains(err.Error(), "row 1, column 1 holds 1e+300") {
		t.Errorf("error %v", err)
	}
}

// A header may claim what it likes: memory follows the bytes that are there.
func TestLyingHeadersAllocateLittle(t *testing.T) {
	safetensors := func(header string) []byte {
		return append([]byte{byte(len(header)), byte(len(header) >> 8), 0, 0, 0, 0, 0, 0}, header...)
	}
	for name, read := range map[string]func() error{
		"npy shape": func() error {
			_, err := decodeNPY(npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000, 8)}", make([]byte, 64)), NPYOptions{})
			return err
		},
		"npy header length": func() error {
			_, err := decodeNPY([]byte(npyMagic+"\x02\x00\xff\xff\xff\x7f"), NPYOptions{})
			return err
		},
		"safetensors header length": func() error {
			_, _, err := DecodeSafetensors(bytes.NewReader([]byte{0, 0, 0, 5, 0, 0, 0, 0, '{', '}'}), 10)
			return err
		},
		"safetensors shape": func() error {
			raw := safetensors(`{"a":{"dtype":"F32","shape":[2000000000,8],"data_offsets":[0,64000000000]}}`)
			_, _, err := DecodeSafetensors(bytes.NewReader(raw), int64(len(raw)))
			return err
		},
		"npz shape": func() error {
			_, err := decodeVector(npyHeader{shape: []int64{1 << 40}}, io.LimitReader(zeros{}, 64), 4, func([]byte) (int32, error) { return 0, nil })
			return err
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := read()
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: allocated %d bytes for a tiny file", name, used)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestNPYFileReadsRows(t *testing.T) {
	m := numbered(50, 7)
	path := filepath.Join(t.TempDir(), "m.npy")
	if err := WriteNPY(path, m); err != nil {
		t.Fatal(err)
	}
	f, err := OpenNPY(path, NPYOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Rows != 50 || f.Cols != 7 || f.DType != "<f4" {
		t.Errorf("header %+v", f.NPYInfo)
	}
	got := tensor.New(3, 7)
	if err := f.ReadRows(got, 46); err != nil || !slices.Equal(got.Data, m.RowRange(46, 49).Data) {
		t.Errorf("rows 46–48: %v, %v", got.Data, err)
	}
	for _, from := range []int{-1, 48} {
		if err := f.ReadRows(got, from); err == nil {
			t.Errorf("rows from %d are accepted", from)
		}
	}
	if err := f.ReadRows(tensor.New(1, 6), 0); err == nil {
		t.Error("a wrong width is accepted")
	}
}

func TestHalfToFloatIsExact(t *testing.T) {
	for h := range 1 << 16 {
		sign, exp, frac := 1-2*float64(h>>15), h>>10&31, float64(h&1023)
		want := sign * math.Ldexp(1+frac/1024, exp-15)
		switch {
		case exp == 0:
			want = sign * math.Ldexp(frac, -24)
		case exp == 31 && frac == 0:
			want = sign * math.Inf(1)
		case exp == 31:
			want = math.NaN()
		}
		got := float64(halfToFloat(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (h>>15 == 1) {
			t.Fatalf("%#04x: %v, want %v", h, got, want)
		}
	}
}

func FuzzNPY(f *testing.F) {
	files, err := filepath.Glob("testdata/*.npy")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds: ", err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(raw)-3])
	}
	f.Add(npyBytes("{'descr': '<f4', 'fortran_order': True, 'shape': (4611686018427387904, 0)}", nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := decodeNPY(raw, NPYOptions{Allow1D: true})
		if err != nil {
			return
		}
		if len(m.Data) != m.Rows*m.Cols || 2*len(m.Data) > len(raw) || firstNonFinite(m.Data) >= 0 {
			t.Fatalf("%d×%d with %d elements from %d bytes", m.Rows, m.Cols, len(m.Data), len(raw))
		}
		var b bytes.Buffer
		if err := EncodeNPY(&b, m); err != nil {
			t.Fatal(err)
		}
		again, err := decodeNPY(b.Bytes(), NPYOptions{})
		if err != nil || again.Rows != m.Rows || !slices.Equal(again.Data, m.Data) {
			t.Fatalf("does not come back: %v", err)
		}
	})
}

func BenchmarkReadNPY(b *testing.B) {
	const rows, cols = 19_445, 384
	path := filepath.Join(b.TempDir(), "m.npy")
	if err := WriteNPY(path, numbered(rows, cols)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(rows * cols * 4)
	for b.Loop() {
		if _, err := ReadNPY(path); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteNPY(b *testing.B) {
	const rows, cols = 19_445, 384
	path, m := filepath.Join(b.TempDir(), "m.npy"), numbered(rows, cols)
	b.SetBytes(rows * cols * 4)
	for b.Loop() {
		if err := WriteNPY(path, m); err != nil {
			b.Fatal(fmt.Errorf("writing: %w", err))
		}
	}
}
