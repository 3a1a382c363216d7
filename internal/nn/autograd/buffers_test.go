//go:build !race

// Under the race detector sync.Pool drops what it is given at random, so that
// allocations cannot be counted.

package autograd

import (
	"runtime"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// The buffers of a step come from the step before: what is allocated must not grow
// with the matrices.
func TestStepReusesItsBuffers(t *testing.T) {
	w, b := NewParam("w", 64, 128), NewVector("b", 64)
	x := tensor.New(2000, 128)
	tape := NewTape()
	idx := make([]int32, 2000)
	step := func() {
		tape.Reset()
		h := tape.LinearLeakyReLU(tape.Gather(tape.Const(x), idx), tape.Param(w), tape.Param(b), 0.01)
		s := tape.RowDots(h, idx, h, nil)
		tape.Backward(tape.BPR(s, s))
	}
	step()
	const rowsBytes = 2000 * 64 * 4
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		step()
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / 10; got > rowsBytes/10 {
		t.Errorf("a step allocates %d bytes; one of its matrices has %d", got, rowsBytes)
	}
}
