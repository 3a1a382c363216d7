package arrayfile

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
)

// ReadSafetensorsInts reads one tensor of whole numbers (I64 or I32) and its shape. A file
// without it gives nil.
func ReadSafetensorsInts(path, name string) (values []int64, shape []int, err error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	err = within(f, safetensorsHint, func(r io.ReaderAt, size int64) error {
		infos, _, base, err := readSafetensorsHeader(r, size)
		if err != nil {
			return err
		}
		for _, t := range infos {
			if t.Name == name {
				values, err = readInts(r, base, t)
				shape = t.Shape
			}
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return values, shape, nil
}

func readInts(r io.ReaderAt, base int64, t TensorInfo) ([]int64, error) {
	if t.DType != "I64" && t.DType != "I32" {
		return nil, fmt.Errorf("tensor %q has elements of type %s; I64 or I32 are read", t.Name, t.DType)
	}
	raw := make([]byte, t.End-t.Begin)
	if _, err := r.ReadAt(raw, base+t.Begin); err != nil && len(raw) > 0 {
		return nil, torn(fmt.Sprintf("tensor %q", t.Name), err)
	}
	width := int(safetensorsWidths[t.DType])
	values := make([]int64, len(raw)/width)
	for i := range values {
		if width == 4 {
			values[i] = int64(int32(binary.LittleEndian.Uint32(raw[4*i:])))
		} else {
			values[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
		}
	}
	return values, nil
}
