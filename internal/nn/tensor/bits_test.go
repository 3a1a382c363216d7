package tensor

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// exactSlice holds multiples of 2⁻¹⁴ below 4: no function of package math takes part, so
// the numbers are the same on every processor.
func exactSlice(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.IntN(1<<17)-1<<16) / (1 << 14)
	}
	return x
}

func hashBits(x []float32) uint64 {
	h := fnv.New64a()
	for _, v := range x {
		_ = binary.Write(h, binary.LittleEndian, math.Float32bits(v))
	}
	return h.Sum64()
}

// kernelResults are outputs of the vector kernels on fixed inputs, whose lengths are
// multiples of eight where Go computes what is over: amd64 rounds the product and the
// sum, arm64 the sum only. Sparse rows have no such bound: Go rounds there as the kernels do.
func kernelResults() map[string][]float32 {
	r := rand.New(rand.NewPCG(1, 17))
	const n = 8 * 29
	x, y, z, w := exactSlice(r, n), exactSlice(r, n), exactSlice(r, n), exactSlice(r, n)
	clone := func(x []float32) []float32 { return append([]float32(nil), x...) }
	out := map[string][]float32{}
	parts := func(v float64) []float32 { return []float32{float32(v), float32(v - float64(float32(v)))} }

	wide := clone(x) // sums of these round in float64
	for i := range wide {
		wide[i] *= float32(uint64(1) << (i * 7 % 50))
	}
	for _, n := range []int{8, 24, 32, 40, 64, 8 * 29} {
		out["dot"] = append(out["dot"], Dot(x[:n], y[:n]))
		out["sum"] = append(out["sum"], parts(Sum(wide[:n]))...)
		out["squares"] = append(out["squares"], parts(squaresAbout(wide[:n], 0.1))...)
		v := clone(y[:n])
		Axpy(0.3, x[:n], v)
		Axpy(-0.7, v, v)
		out["axpy"] = append(out["axpy"], v...)
	}
	v := clone(x)
	Scale(1.0/3, v)
	out["scale"] = v

	v = clone(x)
	copy(v[8:], []float32{0, -1.5, float32(math.Copysign(0, -1))})
	biasLeaky(v, y, 0.01)
	out["bias and leaky ReLU"] = v
	g := make([]float32, n)
	leakyGrad(g, v, z, 0.01)
	out["its gradient"] = g

	p, m, s := clone(x), clone(y), clone(z)
	for i := range s {
		s[i] *= s[i]
	}
	k := constants(1e-3, 0.9, 0.999, 1e-8, 0.19, 0.002, 0.01)
	adam(p, w, m, s, &k)
	adam(p, y, m, s, &k)
	out["adam"] = append(append(p, m...), s...)

	v = make([]float32, 0, 3*n)
	for i := range cap(v) {
		v = append(v, float32(i-360)/4+x[i%n]/8)
	}
	e := clone(v)
	expShifted(e, 0.25)
	out["exp"] = e
	v = clone(v)
	Scale(0.1, v)
	gelu(v)
	out["gelu"] = v
	v = clone(x)
	layerNorm(v, v, y, z, 1e-5)
	out["layer norm"] = v
	v = clone(x[:100])
	out["largest"] = []float32{largest(v), largest(v[:8]), largest(v[:17])}

	cases := []gemmCase{
		{m: 29, n: 37, k: 53, alpha: 1}, {m: 8, n: 8, k: 4, alpha: 1, padC: 1}, {m: 45, n: 70, k: 65, alpha: -0.7, transB: true, padA: 1, padB: 2, padC: 3},
		{m: 23, n: 41, k: 47, alpha: 0.3, beta: 0.6, transA: true, padA: 2, padB: 1, padC: 2}, {m: 15, n: 14, k: 31, alpha: 1, beta: 1, transA: true, transB: true},
		{m: 31, n: 13, k: 1100, alpha: 0.9, beta: 0.1, padA: 1}, {m: 9, n: 44, k: 1600, alpha: 1, transA: true, transB: true},
	}
	for m := 1; m <= 14; m++ { // every height of a tile, in both forms, by every rule
		for i, k := range []int{3, 4, 9} {
			g := gemmCase{m: m, n: 43, k: k, alpha: []float32{1, 0.3, 0.7}[i], beta: []float32{0, 0, 0.1}[i]}
			cases = append(cases, g, gemmCase{transA: true, m: g.m, n: g.n, k: g.k, alpha: g.alpha, beta: g.beta})
		}
	}
	for _, g := range cases {
		lda, ldb, ldc := g.k+g.padA, g.n+g.padB, g.n+g.padC
		if g.transA {
			lda = g.m + g.padA
		}
		if g.transB {
			ldb = g.k + g.padB
		}
		a, b, c := exactSlice(r, max(g.m, g.k)*lda), exactSlice(r, max(g.n, g.k)*ldb), exactSlice(r, g.m*ldc)
		Sgemm(g.transA, g.transB, g.m, g.n, g.k, g.alpha, a, lda, b, ldb, g.beta, c, ldc)
		out["gemm"] = append(out["gemm"], c...)
	}

	for _, d := range []int{8, 64, 88, 136, 4, 7, 65, 100} {
		sp := CSR{Rows: 20, Cols: 30, Indptr: []int64{0}}
		for i := range sp.Rows {
			for range i * i % 17 {
				sp.Indices = append(sp.Indices, int32(r.IntN(sp.Cols)))
			}
			sp.Indptr = append(sp.Indptr, int64(len(sp.Indices)))
		}
		sp.Values = exactSlice(r, len(sp.Indices))
		dst := New(sp.Rows, d)
		sp.MulDense(dst, FromSlice(sp.Cols, d, exactSlice(r, sp.Cols*d)))
		name := "sparse × dense"
		if d%8 != 0 {
			name += ", columns over"
		}
		out[name] = append(out[name], dst.Data...)
	}
	return out
}

// TestVectorKernelsGiveTheSameBits: AVX2, AVX-512 and NEON add in one order, so that one
// hash of each kernel's results holds for all of them.
func TestVectorKernelsGiveTheSameBits(t *testing.T) {
	want := map[string]uint64{
		"adam":                         0x73e632a33012797b,
		"axpy":                         0x69db8ffbf91e536b,
		"bias and leaky ReLU":          0xda90a04efcf9d041,
		"dot":                          0x72d40c81d0ad6601,
		"exp":                          0x153d5efa3b120c4c,
		"gelu":                         0x8b7f8869dc16def8,
		"gemm":                         0xd602276e8e12044c,
		"its gradient":                 0xcb040d526489d9c5,
		"largest":                      0xaeb0bb3104a10edd,
		"layer norm":                   0xfb6bcf5c78140a65,
		"scale":                        0xfd266454734829ba,
		"sparse × dense":               0xce7ec2b24b05b43e,
		"sparse × dense, columns over": 0xd7e6b2d4a24e51ec,
		"squares":                      0x212d58267d6773f3,
		"sum":                          0x1339deab4b6b11a4,
	}
	for _, l := range levels() {
		if l == levelGeneric {
			continue
		}
		t.Run(l.String(), func(t *testing.T) {
			setLevel(l)
			defer setLevel(detected)
			got := kernelResults()
			if len(got) != len(want) {
				t.Errorf("%d kernels, want %d", len(got), len(want))
			}
			for name, x := range got {
				if h := hashBits(x); h != want[name] {
					t.Errorf("%q: %#016x, want %#016x", name, h, want[name])
				}
			}
		})
	}
}

// TestSelectionKernels compares what picks candidates for TopK with plain loops, bit by
// bit: the result of TopK does not show when a first threshold is lower than it need be.
func TestSelectionKernels(t *testing.T) {
	signalling := math.Float32frombits(0x7f800001)
	odd := []float32{nan, signalling, -nan, posInf, negInf, 0, float32(math.Copysign(0, -1)), 1, 1}
	atEachLevel(t, func(t *testing.T) {
		if active == levelGeneric {
			t.Skip("plain Go has none of them")
		}
		r := rand.New(rand.NewPCG(2, 17))
		for round := range 60 {
			blocks, depth := 1+r.IntN(5), 1+r.IntN(6)
			x := exactSlice(r, 16*blocks*depth)
			for i := range x {
				if r.IntN(1+round/10) > 1 {
					x[i] = odd[r.IntN(len(odd))]
				}
			}
			threshold := x[r.IntN(len(x))]

			tops := make([]float32, 16*blocks)
			groupMaxVector(&x[0], blocks, depth, &tops[0])
			for g, top := range tops {
				want := negInf
				for d := range depth {
					if v := x[g/16*16*depth+16*d+g%16]; v > want {
						want = v
					}
				}
				if math.Float32bits(top) != math.Float32bits(want) {
					t.Fatalf("group %d of %d blocks, %d deep: %g, want %g", g, blocks, depth, top, want)
				}
			}

			var above []int32
			atLeast, base := 0, int32(r.IntN(1000))
			for i, v := range x {
				if v > threshold {
					above = append(above, base+int32(i))
				}
				if v >= threshold {
					atLeast++
				}
			}
			hits := make([]int32, len(x)+16)
			if got := hits[:filterVector(&x[0], len(x), base, threshold, &hits[0])]; !slices.Equal(got, above) {
				t.Fatalf("above %g: %v, want %v", threshold, got, above)
			}
			if got := countAtLeastVector(&x[0], len(x), threshold); got != atLeast {
				t.Fatalf("%d of %d reach %g, want %d", got, len(x), threshold, atLeast)
			}

			ints, most := make([]int32, len(x)), uint32(0)
			for i := range ints {
				ints[i] = int32(r.Uint32() >> (round % 30))
				most = max(most, uint32(ints[i]))
			}
			if got := maxUint32Vector(&ints[0], len(ints)); got != most {
				t.Fatalf("largest of %v: %d, want %d", ints, got, most)
			}
		}
	})
}
