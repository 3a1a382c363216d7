package tensor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// bandwidth reports GB/s for b.N calls that each move bytes.
func bandwidth(b *testing.B, bytes int) { b.SetBytes(int64(bytes)) }

// The sizes below are those of the baby data set: 19,445 users, 7,050 items, 64 dimensions.
const babyUsers, babyItems, babyDim = 19445, 7050, 64

func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, g := range []gemmCase{
		{m: 4096, n: 256, k: 384, transB: true}, {m: 4096, n: 64, k: 256, transB: true},
		{m: 4096, n: 384, k: 256}, {m: 4096, n: 256, k: 64},
		{m: 256, n: 384, k: 4096, transA: true}, {m: 64, n: 256, k: 4096, transA: true},
		{m: 256, n: babyItems, k: babyDim, transB: true}, {m: 32, n: 32, k: 64, transB: true},
		// Projections of a batch's pictures, of pictures and texts, and their gradients.
		{m: 2500, n: 64, k: 4096, transB: true}, {m: 2500, n: 64, k: 4480, transB: true},
		{m: 64, n: 4096, k: 2500, transA: true}, {m: 64, n: 4480, k: 2500, transA: true}, {m: 2500, n: 4096, k: 64},
	} {
		b.Run(fmt.Sprintf("%dx%dx%d", g.m, g.n, g.k), func(b *testing.B) {
			x, y, c := randomMatrix(r, g.m, g.k), randomMatrix(r, g.k, g.n), New(g.m, g.n)
			if g.transA {
				x = FromSlice(g.k, g.m, x.Data)
			}
			if g.transB {
				y = FromSlice(g.n, g.k, y.Data)
			}
			b.ReportAllocs()
			for b.Loop() {
				Gemm(g.transA, g.transB, 1, x, y, 0, c)
			}
			b.ReportMetric(2*float64(g.m)*float64(g.n)*float64(g.k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}

// BenchmarkLightGCNPropagation multiplies a user-item graph of baby's size (both
// directions, 26,495 nodes, 237,102 entries).
func BenchmarkLightGCNPropagation(b *testing.B) {
	r := rand.New(rand.NewPCG(2, 1))
	n := babyUsers + babyItems
	s := &CSR{Rows: n, Cols: n, Indptr: make([]int64, 1, n+1)}
	for i := range n {
		degree, base, span := 6, babyUsers, babyItems
		if i >= babyUsers {
			degree, base, span = 17, 0, babyUsers
		}
		row := make([]int32, 0, degree)
		for range degree {
			row = append(row, int32(base+r.IntN(span)))
		}
		slices.Sort(row)
		s.Indices = append(s.Indices, slices.Compact(row)...)
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	s.Values = randomSlice(r, len(s.Indices))
	for _, d := range []int{babyDim, 384} {
		b.Run(fmt.Sprint(d), func(b *testing.B) {
			x, y := randomMatrix(r, n, d), New(n, d)
			bandwidth(b, s.NNZ()*d*4)
			for b.Loop() {
				s.MulDense(y, x)
			}
		})
	}
}

func BenchmarkTopK(b *testing.B) {
	scores := randomSlice(rand.New(rand.NewPCG(3, 1)), babyItems)
	idx, val := make([]int32, 50), make([]float32, 50)
	bandwidth(b, 4*len(scores))
	for b.Loop() {
		TopK(scores, 50, idx, val)
	}
}

// BenchmarkFullRanking scores every user of baby against every item, 148 users at a
// time, and selects the 50 best: one evaluation.
func BenchmarkFullRanking(b *testing.B) {
	r := rand.New(rand.NewPCG(4, 1))
	users, items := randomMatrix(r, babyUsers, babyDim), randomMatrix(r, babyItems, babyDim)
	const block, k = 148, 50
	scores := New(block, babyItems)
	idx, val := make([]int32, block*k), make([]float32, block*k)
	for b.Loop() {
		packed := Pack(true, babyDim, babyItems, items.Data, babyDim)
		for lo := 0; lo < babyUsers; lo += block {
			hi := min(lo+block, babyUsers)
			tile := scores.RowRange(0, hi-lo)
			packed.Mul(users.RowRange(lo, hi), tile)
			Parallel(hi-lo, 16, func(a, z int) {
				for i := a; i < z; i++ {
					TopK(tile.Row(i), k, idx[i*k:(i+1)*k], val[i*k:(i+1)*k])
				}
			})
		}
	}
}

func BenchmarkAdam(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 1))
	n := (babyUsers + babyItems) * babyDim
	p, g, m, v := randomSlice(r, n), randomSlice(r, n), make([]float32, n), make([]float32, n)
	bandwidth(b, 7*4*n)
	for b.Loop() {
		AdamStep(p, g, m, v, 1e-3, 0.9, 0.999, 1e-8, 0.1, 0.001, 0)
	}
}

func BenchmarkElementwise(b *testing.B) {
	r := rand.New(rand.NewPCG(6, 1))
	x, y, z := randomMatrix(r, 4096, 256), randomMatrix(r, 4096, 256), New(4096, 256)
	bias, idx := randomSlice(r, 256), make([]int32, 4096)
	for i := range idx {
		idx[i] = int32(r.IntN(4096))
	}
	for _, c := range []struct {
		name  string
		moves int // operands read or written
		f     func()
	}{
		{"BiasLeakyReLU", 2, func() { AddBiasLeakyReLU(x, bias, 0.01) }},
		{"LeakyReLUGrad", 3, func() { LeakyReLUGrad(z, x, y, 0.01) }},
		{"ColumnSums", 1, func() { ColumnSums(bias, x) }},
		{"Gather", 2, func() { Gather(z, x, idx) }},
		{"ScatterAdd", 3, func() { ScatterAdd(z, y, idx) }},
		{"NormalizeRows", 2, func() { y.NormalizeRows(1e-12) }},
		{"GELU", 2, func() { copy(z.Data, x.Data); GELU(z.Data) }}, // afresh: repeated, it ends in denormals
		{"SoftmaxRows", 2, func() { copy(z.Data, x.Data); SoftmaxRows(z) }},
		{"LayerNormRows", 2, func() { LayerNormRows(z, y, bias, bias, 1e-12) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			bandwidth(b, c.moves*4*len(x.Data))
			for b.Loop() {
				c.f()
			}
		})
	}
}
