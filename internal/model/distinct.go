package model

// Distinct numbers the keys of a batch by first appearance, so that a step computes
// each of them once. It is made for keys in [0, n) and used again for each batch.
type Distinct struct {
	mark  []int32 // number of each key, valid where epoch agrees
	epoch []uint32
	now   uint32
	keys  []int32
}

// NewDistinct returns a Distinct for keys in [0, n).
func NewDistinct(n int) *Distinct {
	return &Distinct{mark: make([]int32, n), epoch: make([]uint32, n)}
}

// Reset starts a new batch.
func (d *Distinct) Reset() {
	d.keys = d.keys[:0]
	if d.now++; d.now == 0 {
		clear(d.epoch)
		d.now = 1
	}
}

// Number writes the number of each key to dst, which has len(keys).
func (d *Distinct) Number(dst, keys []int32) {
	for r, k := range keys {
		if d.epoch[k] != d.now {
			d.epoch[k], d.mark[k] = d.now, int32(len(d.keys))
			d.keys = append(d.keys, k)
		}
		dst[r] = d.mark[k]
	}
}

// Keys returns the distinct keys since Reset, in order of their numbers. It is valid
// until the next Reset.
func (d *Distinct) Keys() []int32 { return d.keys }
