package arrayfile

import (
	"encoding/binary"
	"math"
)

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

func decodeF32(order binary.ByteOrder) func([]float32, []byte) {
	if order == binary.ByteOrder(binary.LittleEndian) {
		return func(dst []float32, src []byte) { // the common case, kept free of interface calls
			src = src[:4*len(dst)]
			for i := range dst {
				dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
			}
		}
	}
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

// encodeF32 appends v in little-endian order.
func encodeF32(dst []byte, v []float32) []byte {
	for _, f := range v {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(f))
	}
	return dst
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
