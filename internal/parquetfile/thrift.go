package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Types of Thrift's compact protocol, in which parquet writes its metadata.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
	thriftUUID   = 13
)

// maxDepth bounds nesting; parquet's own structures stay below ten.
const maxDepth = 32

var errShort = errors.New("the metadata ends too early")

// walker steps over Thrift values to find out whether every length in them is backed
// by bytes. The library's decoder allocates lists before it reads them.
type walker struct {
	b []byte
	i int
}

// structLength returns how many bytes the struct at the start of b takes.
func structLength(b []byte) (int, error) {
	w := walker{b: b}
	if err := w.structure(0); err != nil {
		return 0, err
	}
	return w.i, nil
}

func (w *walker) skip(n uint64) error {
	if n > uint64(len(w.b)-w.i) {
		return errShort
	}
	w.i += int(n)
	return nil
}

func (w *walker) byte() (byte, error) {
	if w.i >= len(w.b) {
		return 0, errShort
	}
	w.i++
	return w.b[w.i-1], nil
}

func (w *walker) varint() (uint64, error) {
	v, n := binary.Uvarint(w.b[w.i:])
	switch {
	case n == 0:
		return 0, errShort
	case n < 0:
		return 0, errors.New("a number in the metadata is too long")
	}
	w.i += n
	return v, nil
}

func (w *walker) structure(depth int) error {
	if depth > maxDepth {
		return errors.New("the metadata is nested too deeply")
	}
	for {
		head, err := w.byte()
		if err != nil {
			return err
		}
		if head == 0 {
			return nil
		}
		if head>>4 == 0 { // the field's number follows
			if _, err := w.varint(); err != nil {
				return err
			}
		}
		kind := head & 15
		if kind == thriftTrue || kind == thriftFalse {
			continue // the type is the value
		}
		if err := w.value(kind, depth); err != nil {
			return err
		}
	}
}

func (w *walker) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return w.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := w.varint()
		return err
	case thriftDouble:
		return w.skip(8)
	case thriftUUID:
		return w.skip(16)
	case thriftBinary:
		n, err := w.varint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case thriftList, thriftSet:
		return w.list(depth)
	case thriftMap:
		return w.table(depth)
	case thriftStruct:
		return w.structure(depth + 1)
	}
	return fmt.Errorf("type %d in the metadata is unknown", kind)
}

func (w *walker) list(depth int) error {
	head, err := w.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = w.varint(); err != nil {
			return err
		}
	}
	return w.values(n, depth, head&15)
}

func (w *walker) table(depth int) error {
	n, err := w.varint()
	if err != nil || n == 0 {
		return err
	}
	head, err := w.byte()
	if err != nil {
		return err
	}
	return w.values(n, depth, head>>4, head&15)
}

// values steps over n tuples of the given types; each value takes a byte or more.
func (w *walker) values(n uint64, depth int, kinds ...byte) error {
	if depth > maxDepth {
		return errors.New("the metadata is nested too deeply")
	}
	if n > uint64(len(w.b)-w.i) {
		return errShort
	}
	for range n {
		for _, kind := range kinds {
			if err := w.value(kind, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
