package arrayfile

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sort"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

const npzHint = "The file must be a sparse matrix as scipy.sparse.save_npz writes it, in CSR format (call .tocsr() first)."

// ReadCSR reads a sparse matrix that scipy.sparse.save_npz wrote (members stored or
// deflated; 32- or 64-bit indices; f2, f4 or f8 values). Columns of a row may stand
// in any order and come out ascending; a column twice in a row, an index out of range
// and a value that is no finite float32 are errors.
func ReadCSR(path string) (*tensor.CSR, error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return CSROf(f)
}

// CSROf is [ReadCSR] for a file that is open.
func CSROf(f *os.File) (s *tensor.CSR, err error) {
	err = within(f, npzHint, func(r io.ReaderAt, size int64) error {
		s, err = DecodeCSR(r, size)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// DecodeCSR reads an .npz archive of size bytes.
func DecodeCSR(r io.ReaderAt, size int64) (*tensor.CSR, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("not an .npz archive, or cut off: %w", err)
	}
	format, err := readMember(z, "format", decodeFormat)
	if err != nil {
		return nil, err
	}
	if format != "csr" {
		return nil, fmt.Errorf("the sparse format is %q, only csr is read", format)
	}
	shape, err := readMember(z, "shape", decodeInts)
	if err != nil {
		return nil, err
	}
	if len(shape) != 2 || min(shape[0], shape[1]) < 0 || max(shape[0], shape[1]) > math.MaxInt32 {
		return nil, fmt.Errorf("member shape holds %.60s, two sizes below 2³¹ are needed", fmt.Sprint(shape))
	}
	s := &tensor.CSR{Rows: int(shape[0]), Cols: int(shape[1])}
	if s.Indptr, err = readMember(z, "indptr", decodeInts); err != nil {
		return nil, err
	}
	if s.Indices, err = readMember(z, "indices", decodeIndices); err != nil {
		return nil, err
	}
	if s.Values, err = readMember(z, "data", decodeFloats); err != nil {
		return nil, err
	}
	if err := checkCSR(s); err != nil {
		return nil, err
	}
	return s, nil
}

// checkCSR makes sure that indptr, indices and data fit each other and the shape,
// and sorts rows that are not ascending.
func checkCSR(s *tensor.CSR) error {
	if len(s.Indptr) != s.Rows+1 {
		return fmt.Errorf("indptr has %d entries, %d rows need %d", len(s.Indptr), s.Rows, s.Rows+1)
	}
	if len(s.Indices) != len(s.Values) {
		return fmt.Errorf("%d indices for %d values", len(s.Indices), len(s.Values))
	}
	if s.Indptr[0] != 0 || s.Indptr[s.Rows] != int64(len(s.Indices)) {
		return fmt.Errorf("indptr goes from %d to %d, not from 0 to %d", s.Indptr[0], s.Indptr[s.Rows], len(s.Indices))
	}
	for i := range s.Rows { // all of indptr first: a row is only sliced when every bound is good
		if s.Indptr[i+1] < s.Indptr[i] {
			return fmt.Errorf("indptr falls from %d to %d at row %d", s.Indptr[i], s.Indptr[i+1], i)
		}
	}
	for i := range s.Rows {
		cols, vals := s.Row(i)
		sorted := true
		for e, c := range cols {
			if c < 0 || int(c) >= s.Cols {
				return fmt.Errorf("row %d: column %d is outside the %d columns", i, c, s.Cols)
			}
			sorted = sorted && (e == 0 || cols[e-1] < c)
		}
		if !sorted {
			sort.Sort(byColumn{cols, vals})
		}
		for e := 1; e < len(cols); e++ {
			if cols[e-1] == cols[e] {
				return fmt.Errorf("row %d: column %d stands there twice; call .sum_duplicates() first", i, cols[e])
			}
		}
		if e := firstNonFinite(vals); e >= 0 {
			return &NonFiniteError{Row: i, Col: int(cols[e]), Value: float64(vals[e])}
		}
	}
	return nil
}

// readMember reads the array <name>.npy of the archive.
func readMember[T any](z *zip.Reader, name string, decode func(npyHeader, io.Reader) (T, error)) (T, error) {
	var none T
	var f *zip.File
	for _, m := range z.File {
		if m.Name == name+".npy" {
			if f != nil {
				return none, fmt.Errorf("member %s.npy stands in the archive twice", name)
			}
			f = m
		}
	}
	if f == nil {
		return none, fmt.Errorf("member %s.npy is missing", name)
	}
	r, err := f.Open()
	if err != nil {
		return none, fmt.Errorf("member %s.npy: %w", name, err)
	}
	defer r.Close()
	h, err := readNPYHeader(r)
	if err != nil {
		return none, fmt.Errorf("member %s.npy: %w", name, err)
	}
	v, err := decode(h, r)
	if err != nil {
		return none, fmt.Errorf("member %s.npy: %w", name, err)
	}
	// Reading past the data finds trailing bytes and makes zip compare its checksum.
	var one [1]byte
	switch n, err := io.ReadFull(r, one[:]); {
	case n > 0:
		return none, fmt.Errorf("member %s.npy: bytes follow the data", name)
	case err != io.EOF:
		return none, fmt.Errorf("member %s.npy: %w", name, err)
	}
	return v, nil
}

func decodeFormat(h npyHeader, r io.Reader) (string, error) {
	width := 0
	if n, err := fmt.Sscanf(h.descr, "|S%d", &width); n != 1 || err != nil || width < 1 || width > 16 || len(h.shape) != 0 {
		return "", fmt.Errorf("%q of shape %s is no short byte string", h.descr, shapeString(h.shape))
	}
	b := make([]byte, width)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", torn("the data", err)
	}
	return string(b), nil
}

func decodeInts(h npyHeader, r io.Reader) ([]int64, error) {
	switch h.descr {
	case "<i8":
		return decodeVector(h, r, 8, func(b []byte) (int64, error) { return int64(binary.LittleEndian.Uint64(b)), nil })
	case "<i4":
		return decodeVector(h, r, 4, func(b []byte) (int64, error) { return int64(int32(binary.LittleEndian.Uint32(b))), nil })
	}
	return nil, fmt.Errorf("element type %q, <i4 or <i8 is needed", h.descr)
}

func decodeIndices(h npyHeader, r io.Reader) ([]int32, error) {
	switch h.descr {
	case "<i4":
		return decodeVector(h, r, 4, func(b []byte) (int32, error) { return int32(binary.LittleEndian.Uint32(b)), nil })
	case "<i8":
		return decodeVector(h, r, 8, func(b []byte) (int32, error) {
			v := int64(binary.LittleEndian.Uint64(b))
			if v != int64(int32(v)) {
				return 0, fmt.Errorf("index %d does not fit 32 bits", v)
			}
			return int32(v), nil
		})
	}
	return nil, fmt.Errorf("element type %q, <i4 or <i8 is needed", h.descr)
}

func decodeFloats(h npyHeader, r io.Reader) ([]float32, error) {
	e, ok := npyElems[h.descr]
	if !ok {
		return nil, fmt.Errorf("element type %q, f2, f4 or f8 is needed", h.descr)
	}
	return decodeVector(h, r, e.width, func(b []byte) (float32, error) {
		var one [1]float32
		e.decode(one[:], b)
		return one[0], nil
	})
}

// decodeVector reads a one-dimensional array. The slice grows with the bytes that
// really come, so that a lying shape costs nothing.
func decodeVector[T any](h npyHeader, r io.Reader, width int, one func([]byte) (T, error)) ([]T, error) {
	if len(h.shape) != 1 {
		return nil, fmt.Errorf("shape %s, a vector is needed", shapeString(h.shape))
	}
	left := h.shape[0]
	const chunk = 32 << 10
	buf := make([]byte, width*int(min(left, chunk)))
	out := make([]T, 0, min(left, chunk))
	for left > 0 {
		n := int(min(left, chunk))
		raw := buf[:n*width]
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, torn("the data", err)
		}
		for ; len(raw) > 0; raw = raw[width:] {
			v, err := one(raw)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		left -= int64(n)
	}
	return out, nil
}

// WriteCSR writes s so that scipy.sparse.load_npz reads it, atomically. Members are
// stored, not deflated: neighbour lists hardly shrink, and reading is quicker.
func WriteCSR(path string, s *tensor.CSR) error {
	return atomicfile.Write(path, func(w io.Writer) error { return EncodeCSR(w, s) })
}

// EncodeCSR writes s as an .npz archive; equal matrices give equal bytes.
func EncodeCSR(w io.Writer, s *tensor.CSR) error {
	if len(s.Indices) > math.MaxInt32 {
		return errors.New("more than 2³¹−1 entries")
	}
	z := zip.NewWriter(w)
	indices := func(w io.Writer) error { return writeInt32(w, s.Indices, func(v int32) int32 { return v }) }
	// SciPy wants indices and indptr of one width, so indptr narrows to 32 bits too.
	indptr := func(w io.Writer) error { return writeInt32(w, s.Indptr, func(v int64) int32 { return int32(v) }) }
	shape := func(w io.Writer) error {
		b := binary.LittleEndian.AppendUint64(nil, uint64(s.Rows))
		_, err := w.Write(binary.LittleEndian.AppendUint64(b, uint64(s.Cols)))
		return err
	}
	format := func(w io.Writer) error { _, err := io.WriteString(w, "csr"); return err }
	data := func(w io.Writer) error { return writeF32(w, s.Values) }
	for _, m := range []struct {
		name, descr, shape string
		write              func(io.Writer) error
	}{
		{"indices", "<i4", fmt.Sprintf("(%d,)", len(s.Indices)), indices},
		{"indptr", "<i4", fmt.Sprintf("(%d,)", len(s.Indptr)), indptr},
		{"format", "|S3", "()", format},
		{"shape", "<i8", "(2,)", shape},
		{"data", "<f4", fmt.Sprintf("(%d,)", len(s.Values)), data},
	} {
		f, err := z.CreateHeader(&zip.FileHeader{Name: m.name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		if _, err := f.Write(npyHeaderBytes(m.descr, m.shape)); err != nil {
			return err
		}
		if err := m.write(f); err != nil {
			return err
		}
	}
	return z.Close()
}

func writeInt32[T any](w io.Writer, v []T, narrow func(T) int32) error {
	const chunk = 64 << 10
	buf := make([]byte, 0, 4*min(chunk, len(v)))
	for len(v) > 0 {
		n := min(chunk, len(v))
		buf = buf[:0]
		for _, x := range v[:n] {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(narrow(x)))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		v = v[n:]
	}
	return nil
}

// byColumn sorts a row's columns and carries the values along.
type byColumn struct {
	cols []int32
	vals []float32
}

func (p byColumn) Len() int           { return len(p.cols) }
func (p byColumn) Less(i, j int) bool { return p.cols[i] < p.cols[j] }
func (p byColumn) Swap(i, j int) {
	p.cols[i], p.cols[j] = p.cols[j], p.cols[i]
	p.vals[i], p.vals[j] = p.vals[j], p.vals[i]
}
