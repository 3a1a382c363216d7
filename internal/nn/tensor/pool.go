package tensor

import (
	"math/bits"
	"sync"
	"unsafe"
)

// cacheLine is the alignment of scratch buffers in bytes.
const cacheLine = 64

// scratch is a pooled buffer whose first element is aligned to a cache line.
type scratch struct {
	data  []float32
	raw   []float32
	class int
}

// scratchPools holds buffers of 2^class elements.
var scratchPools [48]sync.Pool

// getScratch returns a buffer of n elements with undefined contents.
func getScratch(n int) *scratch {
	const pad = cacheLine / 4
	class := bits.Len(uint(max(n, 1024) - 1))
	s, _ := scratchPools[class].Get().(*scratch)
	if s == nil {
		s = &scratch{raw: make([]float32, 1<<class+pad), class: class}
	}
	skip := int(-uintptr(unsafe.Pointer(&s.raw[0]))%cacheLine) / 4
	s.data = s.raw[skip : skip+n]
	return s
}

// release gives the buffer back; none is none to give back.
func (s *scratch) release() {
	if s != nil {
		scratchPools[s.class].Put(s)
	}
}
