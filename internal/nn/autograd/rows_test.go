package autograd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// chain is a sparse symmetric matrix of a ring with a few hubs: from a few rows some layers
// reach part of it, more layers all of it.
func chain(n int) *tensor.CSR {
	r := rand.New(rand.NewPCG(4, 9))
	at := make([]map[int32]float32, n)
	for i := range at {
		at[i] = map[int32]float32{}
	}
	link := func(a, b int) {
		v := float32(r.NormFloat64())
		at[a][int32(b)], at[b][int32(a)] = v, v
	}
	for i := range n {
		link(i, (i+1)%n)
		if i%3 == 0 {
			link(i, r.IntN(4)*n/4)
		}
	}
	s := &tensor.CSR{Rows: n, Cols: n, Indptr: []int64{0}}
	for _, row := range at {
		cols := make([]int32, 0, len(row))
		for c := range row {
			cols = append(cols, c)
		}
		slices.Sort(cols)
		for _, c := range cols {
			s.Indices, s.Values = append(s.Indices, c), append(s.Values, row[c])
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	return s
}

// Propagation over the neighbourhood of some rows is that over the whole matrix, value and
// gradient, to the last bit, however far the neighbourhood reaches and on any number of
// processors. Old contents of the tape's buffers must not show.
func TestPropagateRowsIsPropagateToTheLastBit(t *testing.T) {
	s := chain(400)
	reach := tensor.NewReach(s)
	p := randomParams(rand.New(rand.NewPCG(1, 2)), [][2]int{{400, 24}})[0]
	tape := NewTape()
	loss := func(layers int, rows []int32, near bool) (float32, []float32) {
		tape.Reset()
		for range 12 { // spoil what the step's buffers hold
			old := tape.Buffer(400, 24).Data
			for i := range old {
				old[i] = float32(math.NaN())
			}
		}
		tape.Reset()
		x, to := tape.Param(p), tape.Const(p.Value.RowRange(0, len(rows)))
		var score *Var
		if near {
			score = tape.RowDots(tape.PropagateRows(reach, s, s, x, layers, 0.3, rows), nil, to, nil)
		} else {
			score = tape.RowDots(tape.Propagate(s, s, x, layers, 0.3), rows, to, nil)
		}
		l := tape.BPR(score, tape.Scale(-0.5, score))
		tape.Backward(l)
		return l.Scalar(), slices.Clone(p.Grad.Data)
	}
	for _, layers := range []int{0, 1, 2, 3, 4} {
		for _, rows := range [][]int32{{7}, {399, 20, 21, 22, 5}, {0, 100}, allRows(400)} {
			t.Run(fmt.Sprintf("%d layers to %d rows", layers, len(rows)), func(t *testing.T) {
				want, gradient := loss(layers, rows, false)
				for _, procs := range []int{1, 2, 3} {
					old := runtime.GOMAXPROCS(procs)
					got, g := loss(layers, rows, true)
					runtime.GOMAXPROCS(old)
					if got != want || !slices.Equal(g, gradient) {
						t.Fatalf("on %d processors the loss is %v, want %v, or the gradients differ", procs, got, want)
					}
				}
			})
		}
	}
}

func allRows(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// Rows that are held get nothing by way of the holding, and all that comes to them otherwise.
func TestHoldRows(t *testing.T) {
	p, other := NewParam("p", 3, 1), NewParam("other", 3, 1)
	copy(p.Value.Data, []float32{1, 2, 3})
	copy(other.Value.Data, []float32{10, 20, 30})
	all := []int32{0, 1, 2}
	tape := NewTape()
	held := tape.HoldRows(tape.Param(p), []int32{0, 2})
	if !slices.Equal(held.Value.Data, p.Value.Data) {
		t.Errorf("held rows are %v", held.Value.Data)
	}
	dots := tape.Add(tape.RowDots(held, all, tape.Param(other), all), tape.Scale(0.5, tape.Param(p)))
	ones := tape.Const(tensor.FromSlice(1, 3, []float32{1, 1, 1}))
	tape.Backward(tape.Linear(ones, tape.Linear(tape.Const(tensor.FromSlice(1, 1, []float32{1})), dots, nil), nil))
	if want := []float32{0.5, 20.5, 0.5}; !slices.Equal(p.Grad.Data, want) {
		t.Errorf("gradient %v, want %v", p.Grad.Data, want)
	}
	if want := []float32{1, 2, 3}; !slices.Equal(other.Grad.Data, want) {
		t.Errorf("gradient of the other side %v, want %v", other.Grad.Data, want)
	}
	fixed := tape.HoldRows(tape.Const(other.Value), all)
	tape.Backward(tape.RowDots(fixed, all[:1], fixed, all[:1])) // nobody to learn: no panic
}

// What is turned learns the opposite, by the factor; what stands beside it learns as ever.
func TestTurn(t *testing.T) {
	p, q := NewParam("p", 2, 1), NewParam("q", 2, 1)
	copy(p.Value.Data, []float32{2, 3})
	copy(q.Value.Data, []float32{5, 7})
	tape := NewTape()
	turned := tape.Turn(tape.Param(p), -0.5)
	if !slices.Equal(turned.Value.Data, p.Value.Data) {
		t.Errorf("turned values are %v", turned.Value.Data)
	}
	ones := tape.Const(tensor.FromSlice(1, 2, []float32{1, 1}))
	tape.Backward(tape.MatMul(ones, false, tape.Add(tape.Mul(turned, tape.Param(q)), tape.Param(p)), false))
	if want := []float32{1 - 2.5, 1 - 3.5}; !slices.Equal(p.Grad.Data, want) {
		t.Errorf("gradient %v, want %v", p.Grad.Data, want)
	}
	if want := []float32{2, 3}; !slices.Equal(q.Grad.Data, want) {
		t.Errorf("gradient of the other factor %v, want %v", q.Grad.Data, want)
	}
	tape.Backward(tape.MatMul(ones, false, tape.Turn(tape.Const(q.Value), -1), false)) // nobody to learn: no panic
}
