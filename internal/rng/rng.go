// Package rng derives independent random streams from one seed. A stream is named
// by what it is for and, where it recurs, by a number such as the epoch, so that
// any of them can be opened again without having run what came before it. Resuming
// a run therefore needs no generator state.
package rng

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Stream returns the generator of the stream (seed, purpose, n). Streams that
// differ in any of the three are independent for all practical purposes.
func Stream(seed uint64, purpose string, n uint64) *rand.Rand {
	buf := make([]byte, 16, 16+len(purpose))
	binary.LittleEndian.PutUint64(buf, seed)
	binary.LittleEndian.PutUint64(buf[8:], n)
	sum := sha256.Sum256(append(buf, purpose...))
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])))
}
