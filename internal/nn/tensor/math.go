package tensor

import "math"

// mathTable holds the constants of the vector functions, each in eight lanes; the
// assembly reads the fields by name.
type mathTable struct {
	high, low  [8]float32    // beyond these e^x is Inf or 0
	log2e      [8]float32    // 1/ln 2
	ln2a, ln2b [8]float32    // ln 2 in two parts, the first exact in few bits
	taylor     [8][8]float32 // 1/7!, …, 1/1!, 1/0!
	one, half  [8]float32
	rootHalf   [8]float32 // √½
	abs, sign  [8]float32 // bit masks
	erfP       [8]float32
	erfA       [5][8]float32 // a5 … a1
}

var vectorMath = newMathTable()

func newMathTable() *mathTable {
	fill := func(v float64) (lanes [8]float32) {
		for i := range lanes {
			lanes[i] = float32(v)
		}
		return lanes
	}
	const ln2a = 0x1.62ep-1 // the leading 12 bits: n·ln2a is exact for |n| < 2^11
	t := &mathTable{high: fill(89), low: fill(-105), log2e: fill(math.Log2E),
		ln2a: fill(ln2a), ln2b: fill(math.Ln2 - ln2a), one: fill(1), half: fill(0.5), rootHalf: fill(math.Sqrt2 / 2),
		erfP: fill(0.3275911)}
	factorial := 1.0
	for i := range t.taylor {
		t.taylor[len(t.taylor)-1-i] = fill(1 / factorial)
		factorial *= float64(i + 1)
	}
	for i, a := range []float64{1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592} {
		t.erfA[i] = fill(a)
	}
	for i := range t.abs {
		t.abs[i] = math.Float32frombits(1<<31 - 1)
		t.sign[i] = math.Float32frombits(1 << 31)
	}
	return t
}

// inEights calls f on x in runs of a multiple of eight elements, the last ones in a
// padded copy, so that a result does not depend on the place of its element.
func inEights(x []float32, f func(x *float32, n int)) {
	n := len(x) &^ 7
	if n > 0 {
		f(&x[0], n)
	}
	if n < len(x) {
		var rest [8]float32
		copy(rest[:], x[n:])
		f(&rest[0], 8)
		copy(x[n:], rest[:])
	}
}

// expShifted replaces x by e^(x-shift).
func expShifted(x []float32, shift float32) {
	if active != levelGeneric {
		inEights(x, func(x *float32, n int) { expVector(x, shift, n, vectorMath) })
		return
	}
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - shift)))
	}
}

// gelu replaces x by x·Φ(x).
func gelu(x []float32) {
	if active != levelGeneric {
		inEights(x, func(x *float32, n int) { geluVector(x, n, vectorMath) })
		return
	}
	for i, v := range x {
		x[i] = float32(float64(v) * 0.5 * math.Erfc(-float64(v)/math.Sqrt2))
	}
}

// largest returns the largest element of x, which is not empty. With NaN in x the
// result is any of its elements.
func largest(x []float32) float32 {
	i, top := 0, x[0]
	if n := len(x) &^ 7; active != levelGeneric && n > 0 {
		i, top = n, maxVector(&x[0], n)
	}
	for _, v := range x[i:] {
		if v > top {
			top = v
		}
	}
	return top
}
