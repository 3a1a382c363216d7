package parquetcheck

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errShort says that the bytes end inside a value, which may be complete with more bytes.
var errShort = errors.New("ends inside a value")

// The types of Thrift's compact protocol.
const (
	typeTrue   = 1
	typeFalse  = 2
	typeByte   = 3
	typeI16    = 4
	typeI32    = 5
	typeI64    = 6
	typeDouble = 7
	typeBinary = 8
	typeList   = 9
	typeSet    = 10
	typeMap    = 11
	typeStruct = 12
)

const maxDepth = 16

// walker walks over a Thrift structure without decoding it, to check its lengths against the
// bytes that the file has.
type walker struct {
	b   []byte
	pos int
	// total is the number of bytes in all, of which b may be only the first part.
	total int
	// integer is called for every integer field, with the ids of the fields that lead to it
	// (lists add none).
	integer func(path []int16, v int64)
	path    []int16
	depth   int
}

func (w *walker) byte() (byte, error) {
	if w.pos >= len(w.b) {
		return 0, errShort
	}
	w.pos++
	return w.b[w.pos-1], nil
}

func (w *walker) uvarint() (uint64, error) {
	v, n := binary.Uvarint(w.b[w.pos:])
	switch {
	case n == 0:
		return 0, errShort
	case n < 0:
		return 0, errors.New("a number is too long")
	}
	w.pos += n
	return v, nil
}

// count reads a length and checks that so many elements of at least size bytes fit.
func (w *walker) count(size int) (int, error) {
	v, err := w.uvarint()
	if err != nil {
		return 0, err
	}
	return w.fits(v, size)
}

func (w *walker) fits(v uint64, size int) (int, error) {
	if left := w.total - w.pos; left < 0 || v > uint64(left)/uint64(size) {
		return 0, fmt.Errorf("a length of %d where %d bytes are left", v, left)
	}
	return int(v), nil
}

func (w *walker) skip(n int) error {
	if n > len(w.b)-w.pos {
		return errShort
	}
	w.pos += n
	return nil
}

// structure walks one struct.
func (w *walker) structure() error {
	id := int16(0)
	for {
		head, err := w.byte()
		if err != nil {
			return err
		}
		if head == 0 {
			return nil
		}
		if delta := int16(head >> 4); delta != 0 {
			id += delta
		} else {
			z, err := w.uvarint()
			if err != nil {
				return err
			}
			id = int16(z>>1) ^ -int16(z&1)
		}
		w.path = append(w.path, id)
		if kind := head & 15; kind != typeTrue && kind != typeFalse { // these are in the header
			if err := w.value(kind); err != nil {
				return err
			}
		}
		w.path = w.path[:len(w.path)-1]
	}
}

func (w *walker) value(kind byte) error {
	if w.depth == maxDepth {
		return errors.New("nested too deeply")
	}
	w.depth++
	defer func() { w.depth-- }()
	switch kind {
	case typeTrue, typeFalse, typeByte: // in lists a boolean is a byte
		return w.skip(1)
	case typeI16, typeI32, typeI64:
		z, err := w.uvarint()
		if err == nil && w.integer != nil {
			w.integer(w.path, int64(z>>1)^-int64(z&1))
		}
		return err
	case typeDouble:
		return w.skip(8)
	case typeBinary:
		n, err := w.count(1)
		if err != nil {
			return err
		}
		return w.skip(n)
	case typeList, typeSet:
		return w.list()
	case typeMap:
		return w.mapping()
	case typeStruct:
		return w.structure()
	}
	return fmt.Errorf("type %d is not known", kind)
}

// smallest is the fewest bytes an element takes. A struct without fields is one byte.
func smallest(kind byte) int {
	if kind == typeDouble {
		return 8
	}
	return 1
}

func (w *walker) list() error {
	head, err := w.byte()
	if err != nil {
		return err
	}
	kind, n := head&15, int(head>>4)
	if n == 15 {
		if n, err = w.count(smallest(kind)); err != nil {
			return err
		}
	} else if _, err := w.fits(uint64(n), smallest(kind)); err != nil {
		return err
	}
	for range n {
		if err := w.value(kind); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) mapping() error {
	n, err := w.count(2)
	if err != nil || n == 0 {
		return err
	}
	kinds, err := w.byte()
	if err != nil {
		return err
	}
	for range n {
		if err := w.value(kinds >> 4); err != nil {
			return err
		}
		if err := w.value(kinds & 15); err != nil {
			return err
		}
	}
	return nil
}
