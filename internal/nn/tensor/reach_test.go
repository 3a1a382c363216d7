package tensor

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMulAddRowsIsMulDenseThenAxpy(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(6, 11))
		for _, d := range []int{8, 64, 136} {
			s := randomCSR(r, 70, 50)
			x, y := randomMatrix(r, 50, d), randomMatrix(r, 70, d)
			want := New(70, d)
			s.MulDense(want, x)
			Axpy(0.3, y.Data, want.Data)
			for _, procs := range []int{1, 2} {
				all := randomMatrix(r, 70, d)
				atProcs(procs, func() { s.MulAddRows(all, x, 0.3, y, nil) })
				sameBits(t, "all rows", want.Data, all.Data)

				rows := []int32{69, 0, 35, 34, 6, 35}
				listed := randomMatrix(r, len(rows), d)
				atProcs(procs, func() { s.MulAddRows(listed, x, 0.3, y, rows) })
				for k, i := range rows {
					sameBits(t, "listed row", want.Row(int(i)), listed.Row(k))
				}

				in := randomMatrix(r, 70, d)
				before := in.Clone()
				ascending := []int32{0, 1, 2, 34, 35, 69}
				atProcs(procs, func() { s.MulAddInPlace(in, x, 0.3, y, ascending) })
				for i := range 70 {
					row := before.Row(i)
					if slices.Contains(ascending, int32(i)) {
						row = want.Row(i)
					}
					sameBits(t, "row in place", row, in.Row(i))
				}
			}
		}
	})
}

func TestReach(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	s := randomCSR(r, 40, 30)
	reach := NewReach(s)
	for _, rows := range [][]int32{{}, {1}, {3, 0, 39}, {20}, {39, 38, 20, 2}} {
		var want []int32
		entries := 0
		for _, i := range rows {
			cols, _ := s.Row(int(i))
			want, entries = append(want, cols...), entries+len(cols)
		}
		slices.Sort(want)
		want = slices.Compact(want)
		if got := reach.Columns(1, rows); !slices.Equal(got, want) {
			t.Errorf("rows %v reach %v, want %v", rows, got, want)
		}
		if got := s.Entries(rows); got != entries {
			t.Errorf("rows %v have %d entries, want %d", rows, got, entries)
		}
		part := reach.Transposed(rows)
		got, whole := part.dense(), s.Transpose().dense()
		for c := range s.Cols {
			for k, i := range rows {
				if got[c][k] != whole[c][i] {
					t.Errorf("rows %v: element (%d,%d) of the transpose is %v, want %v", rows, c, k, got[c][k], whole[c][i])
				}
			}
			order, _ := part.Row(c)
			if !slices.IsSortedFunc(order, func(a, b int32) int { return int(rows[a]) - int(rows[b]) }) {
				t.Errorf("rows %v: entries of row %d in the order %v", rows, c, order)
			}
		}
	}
}

func TestMulAddPanics(t *testing.T) {
	s := &CSR{Rows: 2, Cols: 3, Indptr: []int64{0, 1, 2}, Indices: []int32{0, 2}, Values: []float32{1, 1}}
	for name, f := range map[string]func(){
		"row too large":          func() { s.MulAddRows(New(1, 8), New(3, 8), 1, New(2, 8), []int32{2}) },
		"negative row":           func() { s.MulAddInPlace(New(2, 8), New(3, 8), 1, New(2, 8), []int32{-1}) },
		"too few rows":           func() { s.MulAddRows(New(1, 8), New(3, 8), 1, New(2, 8), nil) },
		"addend of other height": func() { s.MulAddInPlace(New(2, 8), New(3, 8), 1, New(3, 8), []int32{0}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
