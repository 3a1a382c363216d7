package arrayfile

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"unsafe"
)

// littleEndian: the machine's float32 are laid out as the files' are, so that files
// are read into, and written from, the slices themselves.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// bytesOf returns the memory of v as bytes.
func bytesOf(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

// halfToFloat widens an IEEE 754 binary16 exactly.
func halfToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h & 0x3ff)
	switch {
	case exp == 0x1f: // infinity or NaN
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	case exp == 0: // zero or subnormal: frac · 2⁻²⁴
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(f))
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}

func bfloatToFloat(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// elem is an element type as both formats have them: its width and how a run of
// them becomes float32.
type elem struct {
	name   string
	width  int
	decode func(dst []float32, src []byte)
}

// native reports whether elements are float32 as the machine has them.
func (e elem) native() bool { return littleEndian && (e.name == "<f4" || e.name == "F32") }

// readRun fills dst with the elements at byte offset at, through buf where they must
// be converted, and returns the bytes as the file has them.
func (e elem) readRun(r io.ReaderAt, dst []float32, at int64, buf []byte) ([]byte, error) {
	raw := bytesOf(dst)
	if !e.native() {
		raw = buf[:len(dst)*e.width]
	}
	if got, err := r.ReadAt(raw, at); got < len(raw) {
		return nil, torn("the data", err)
	}
	if !e.native() {
		e.decode(dst, raw)
	}
	return raw, nil
}

// buffer returns what readRun needs for runs of n elements.
func (e elem) buffer(n int) []byte {
	if e.native() {
		return nil
	}
	return make([]byte, n*e.width)
}

func decodeF32(order binary.ByteOrder) func([]float32, []byte) {
	return func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = math.Float32frombits(order.Uint32(src[4*i:]))
		}
	}
}

func decodeF64(order binary.ByteOrder) func([]float32, []byte) {
	return func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = float32(math.Float64frombits(order.Uint64(src[8*i:])))
		}
	}
}

func decode16(order binary.ByteOrder, widen func(uint16) float32) func([]float32, []byte) {
	return func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = widen(order.Uint16(src[2*i:]))
		}
	}
}

// writeF32 writes v in little-endian order.
func writeF32(w io.Writer, v []float32) error {
	if littleEndian {
		_, err := w.Write(bytesOf(v))
		return err
	}
	const chunk = 64 << 10
	buf := make([]byte, 0, 4*min(chunk, len(v)))
	for len(v) > 0 {
		n := min(chunk, len(v))
		buf = buf[:0]
		for _, f := range v[:n] {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(f))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		v = v[n:]
	}
	return nil
}

// firstNonFinite returns the index of the first NaN or infinity, or -1.
func firstNonFinite(v []float32) int {
	const exp = 0x7f800000
	for i, f := range v {
		if math.Float32bits(f)&exp == exp {
			return i
		}
	}
	return -1
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C of values as they are stored, little-endian float32. It
// costs a tenth of what SHA-256 does and finds damage, not forgery.
func Checksum(v []float32) uint32 {
	h := crc32.New(castagnoli)
	writeF32(h, v) //nolint:errcheck // a hash takes everything
	return h.Sum32()
}
