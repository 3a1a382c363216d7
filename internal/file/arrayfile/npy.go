package arrayfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const npyHint = "The file must be a float matrix as numpy.save writes it: one row a user or an item, '<f4' for preference, no NaN or infinity."

// NPYOptions widen what [ReadNPYWith] accepts; the zero value is [ReadNPY]'s.
type NPYOptions struct {
	Allow1D        bool // read a vector of n elements as a 1×n matrix
	AllowNonFinite bool // keep NaN and infinities
}

// NPYInfo is what a .npy header says.
type NPYInfo struct {
	Rows, Cols int
	DType      string // NumPy's descr, as "<f4"
	Fortran    bool   // columns first
}

var npyElems = map[string]elem{
	"<f4": {"<f4", 4, decodeF32(binary.LittleEndian)},
	">f4": {">f4", 4, decodeF32(binary.BigEndian)},
	"<f8": {"<f8", 8, decodeF64(binary.LittleEndian)},
	">f8": {">f8", 8, decodeF64(binary.BigEndian)},
	"<f2": {"<f2", 2, decode16(binary.LittleEndian, halfToFloat)},
	">f2": {">f2", 2, decode16(binary.BigEndian, halfToFloat)},
}

// ReadNPY reads a two-dimensional float matrix (f2, f4 or f8 of either byte order, C
// or Fortran order) as float32. NaN, infinities and values beyond float32 are errors
// that name row and column ([NonFiniteError]).
func ReadNPY(path string) (*tensor.Matrix, error) { return ReadNPYWith(path, NPYOptions{}) }

// ReadNPYWith is [ReadNPY] with options.
func ReadNPYWith(path string, opt NPYOptions) (*tensor.Matrix, error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return npyOf(f, opt)
}

// NPYOf is [ReadNPY] for a file that is open.
func NPYOf(f *os.File) (*tensor.Matrix, error) { return npyOf(f, NPYOptions{}) }

func npyOf(f *os.File, opt NPYOptions) (m *tensor.Matrix, err error) {
	err = within(f, npyHint, func(r io.ReaderAt, size int64) error {
		m, err = DecodeNPY(r, size, opt)
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// DecodeNPY reads a .npy stream of size bytes.
func DecodeNPY(r io.ReaderAt, size int64, opt NPYOptions) (*tensor.Matrix, error) {
	d, err := newNPYFile(r, size, opt)
	if err != nil {
		return nil, err
	}
	m := tensor.New(d.Rows, d.Cols)
	if len(m.Data) == 0 { // a dimension of 0 lets the other claim anything
		return m, nil
	}
	if d.Fortran {
		err = d.readColumns(m)
	} else {
		err = d.ReadRows(m, 0)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// NPYFile is an open .npy matrix whose rows are read as they are wanted. It is safe
// for concurrent use.
type NPYFile struct {
	NPYInfo
	r    io.ReaderAt
	base int64
	elem elem
	opt  NPYOptions
	file *os.File
}

// OpenNPY checks header and size of a .npy file and leaves the data on disk.
func OpenNPY(path string, opt NPYOptions) (*NPYFile, error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	d, err := newNPYFile(f, info.Size(), opt)
	if err != nil {
		f.Close()
		return nil, usererr.WrapAs(usererr.KindDamaged, fmt.Errorf("reading %s: %w", path, err), npyHint)
	}
	d.file = f
	return d, nil
}

// Close closes the file.
func (d *NPYFile) Close() error {
	if d.file == nil {
		return nil
	}
	return d.file.Close()
}

func newNPYFile(r io.ReaderAt, size int64, opt NPYOptions) (*NPYFile, error) {
	h, err := readNPYHeader(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	d := &NPYFile{NPYInfo: NPYInfo{DType: h.descr, Fortran: h.fortran}, r: r, base: h.length, opt: opt}
	var ok bool
	if d.elem, ok = npyElems[h.descr]; !ok {
		return nil, fmt.Errorf("element type %q is not read (f2, f4 and f8 are); convert with .astype('float32')", h.descr)
	}
	shape := h.shape
	if len(shape) == 1 && opt.Allow1D {
		shape, d.Fortran = []int64{1, shape[0]}, false
	}
	if len(shape) != 2 {
		return nil, fmt.Errorf("the array has shape %s, a matrix (rows, columns) is needed", shapeString(shape))
	}
	payload := size - h.length
	want, fits := mulFits(payload, shape[0], shape[1], int64(d.elem.width))
	if !fits {
		return nil, fmt.Errorf("the file is cut off: shape %s of %s needs more than the %d bytes that follow the header", shapeString(shape), h.descr, payload)
	}
	if want != payload {
		return nil, fmt.Errorf("shape %s of %s needs %d bytes, %d follow the header", shapeString(shape), h.descr, want, payload)
	}
	if shape[0] > math.MaxInt32 || shape[1] > math.MaxInt32 {
		return nil, fmt.Errorf("shape %s has more than 2³¹−1 rows or columns", shapeString(shape))
	}
	d.Rows, d.Cols = int(shape[0]), int(shape[1])
	return d, nil
}

// ReadRows fills dst with rows from..from+dst.Rows of a C-ordered file.
func (d *NPYFile) ReadRows(dst *tensor.Matrix, from int) error {
	if d.Fortran {
		return errors.New("the file holds columns first (Fortran order); rows cannot be read singly")
	}
	if dst.Cols != d.Cols || from < 0 || from+dst.Rows > d.Rows {
		return fmt.Errorf("rows %d to %d of width %d asked of a %d×%d file", from, from+dst.Rows, dst.Cols, d.Rows, d.Cols)
	}
	return d.read(dst.Data, int64(from)*int64(d.Cols), func(at int64) (int, int) {
		return int(at / int64(d.Cols)), int(at % int64(d.Cols))
	})
}

func (d *NPYFile) readColumns(m *tensor.Matrix) error {
	col := make([]float32, d.Rows)
	for j := range d.Cols {
		err := d.read(col, int64(j)*int64(d.Rows), func(at int64) (int, int) {
			return int(at % int64(d.Rows)), int(at / int64(d.Rows))
		})
		if err != nil {
			return err
		}
		for i, v := range col {
			m.Data[i*m.Cols+j] = v
		}
	}
	return nil
}

// read decodes len(dst) elements from element `from` on; place turns an element's
// number into its row and column.
func (d *NPYFile) read(dst []float32, from int64, place func(int64) (int, int)) error {
	chunk := min(len(dst), 64<<10)
	buf := d.elem.buffer(chunk)
	for len(dst) > 0 {
		n := min(chunk, len(dst))
		raw, err := d.elem.readRun(d.r, dst[:n], d.base+from*int64(d.elem.width), buf)
		if err != nil {
			return err
		}
		if !d.opt.AllowNonFinite {
			if i := firstNonFinite(dst[:n]); i >= 0 {
				row, col := place(from + int64(i))
				return &NonFiniteError{Row: row, Col: col, Value: d.stored(raw, i)}
			}
		}
		dst, from = dst[n:], from+int64(n)
	}
	return nil
}

// stored returns element i as the file has it, before it was narrowed.
func (d *NPYFile) stored(raw []byte, i int) float64 {
	switch d.elem.name {
	case "<f8":
		return math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
	case ">f8":
		return math.Float64frombits(binary.BigEndian.Uint64(raw[8*i:]))
	}
	var one [1]float32
	d.elem.decode(one[:], raw[i*d.elem.width:])
	return float64(one[0])
}

// WriteNPY writes m as '<f4' in C order, atomically.
func WriteNPY(path string, m *tensor.Matrix) error {
	return atomicfile.Write(path, func(w io.Writer) error { return EncodeNPY(w, m) })
}

// EncodeNPY writes m as a .npy stream of version 1.0.
func EncodeNPY(w io.Writer, m *tensor.Matrix) error {
	if _, err := w.Write(npyHeaderBytes("<f4", fmt.Sprintf("(%d, %d)", m.Rows, m.Cols))); err != nil {
		return err
	}
	return writeF32(w, m.Data)
}

// npyHeaderBytes pads as NumPy does, so that the data begins at a multiple of 64.
func npyHeaderBytes(descr, shape string) []byte {
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape)
	total := (10 + len(dict) + 1 + 63) / 64 * 64
	b := make([]byte, 0, total)
	b = append(b, npyMagic+"\x01\x00"...)
	b = binary.LittleEndian.AppendUint16(b, uint16(total-10))
	b = append(b, dict...)
	b = append(b, strings.Repeat(" ", total-11-len(dict))...)
	return append(b, '\n')
}

func shapeString(dims []int64) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = fmt.Sprint(d)
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
