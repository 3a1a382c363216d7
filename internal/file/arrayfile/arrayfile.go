// Package arrayfile reads and writes the array formats that other tools share with
// us: NumPy's .npy, SciPy's sparse .npz and safetensors. It holds the vectors of
// Eq. 5 and 13, the graph of Eq. 6–11 and trained weights on disk.
//
// Everything is checked before it is believed: no header makes a reader allocate
// more than the file's own size justifies, and features with NaN or infinities are
// turned away with their row and column.
package arrayfile

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/mllmrec/mllmrec/internal/file/sniff"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// NonFiniteError names the first NaN or infinite element of a matrix.
type NonFiniteError struct {
	Row, Col int
	Value    float64 // as stored; it may be finite and too large for float32
}

// Error names the place.
func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("row %d, column %d holds %v, not a finite float32", e.Row, e.Col, e.Value)
}

// within hands an open file on with its size and names the file in errors.
func within(f *os.File, hint string, read func(r io.ReaderAt, size int64) error) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := read(f, info.Size()); err != nil {
		start := make([]byte, sniff.Length)
		n, _ := f.ReadAt(start, 0) // what can be read tells enough
		if found, ok := sniff.Kind(start[:n]); ok && !bytes.HasPrefix(start, []byte(npyMagic)) && !bytes.HasPrefix(start, []byte("PK")) {
			return usererr.New(found.Cure, "%s is %s", f.Name(), found.What)
		}
		return usererr.WrapAs(usererr.KindDamaged, fmt.Errorf("reading %s: %w", f.Name(), err), hint)
	}
	return nil
}

// mulFits multiplies dimensions and reports whether the product stays within limit.
func mulFits(limit int64, dims ...int64) (int64, bool) {
	n := int64(1)
	if slices.Min(dims) < 0 {
		return 0, false
	}
	if slices.Contains(dims, 0) { // any claim for the others would fit
		return 0, true
	}
	for _, d := range dims {
		if n > limit/d {
			return 0, false
		}
		n *= d
	}
	return n, true
}
