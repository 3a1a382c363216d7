package autograd

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

const (
	logitBytes = 32 << 20 // of a block of logits: those of a whole batch would be larger by far
	logitRows  = 56       // rows of a block are a multiple of this, whole tiles of the product's kernels
)

// CrossEntropy returns the mean over the rows of users of −log softmax(users·itemsᵀ) at the row's
// target, a row of items. offset, unless nil, is one number an item that is added to the item's
// logits but where it is the target.
//
// It works on blocks of users and takes a block's gradients while its logits are at hand, so that
// memory holds 32 MiB of logits at a time (one user's, where a catalogue is larger than that), and
// each product is computed once. The blocks depend on the shapes only. target and offset are kept
// until Reset and must not change.
func (t *Tape) CrossEntropy(users, items *Var, target []int32, offset []float32) *Var {
	return t.crossEntropyBy(logitBlock(users.Rows(), items.Rows()), users, items, target, offset)
}

// crossEntropyBy is CrossEntropy by blocks of the given number of users.
func (t *Tape) crossEntropyBy(block int, users, items *Var, target []int32, offset []float32) *Var {
	n, d := users.Rows(), users.Cols()
	if n == 0 || d != items.Cols() || len(target) != n || offset != nil && len(offset) != items.Rows() {
		panic(fmt.Sprintf("autograd: cross-entropy of %d×%d users and %d×%d items with %d targets and %d offsets", n, d, items.Rows(), items.Cols(), len(target), len(offset)))
	}
	out := t.output(1, 1, users, items)
	c := t.newCrossEntropy(users, items)
	logits := t.Buffer(block, items.Rows())
	losses := make([]float64, n)
	for lo := 0; lo < n; lo += block {
		hi := min(lo+block, n)
		l := logits.RowRange(0, hi-lo)
		c.score.Mul(users.Value.RowRange(lo, hi), l)
		tensor.CrossEntropyRows(l, target[lo:hi], offset, 1/float32(n), losses[lo:hi])
		c.backward(l, lo, hi)
	}
	var total float64
	for _, v := range losses {
		total += v
	}
	out.Value.Data[0] = float32(total / float64(n))
	out.back = func() {
		t.addScaled(users, out.grad.Data[0], c.dUsers)
		t.addScaled(items, out.grad.Data[0], c.dItems)
	}
	return out
}

// logitBlock returns how many of n rows of logits are held at a time.
func logitBlock(n, items int) int {
	block := max(1, logitBytes/4/items)
	if block > logitRows {
		block -= block % logitRows
	}
	return min(block, n)
}

// crossEntropy holds the matrices of one call of CrossEntropy. Gradients are nil where nobody
// needs them.
type crossEntropy struct {
	users          *tensor.Matrix
	score          *tensor.Packed // itemsᵀ, which users are multiplied by
	spread         *tensor.Packed // items, which the logits' gradients are multiplied by
	dUsers, dItems *tensor.Matrix
}

func (t *Tape) newCrossEntropy(users, items *Var) *crossEntropy {
	n, d, v := items.Rows(), items.Cols(), items.Value
	c := &crossEntropy{users: users.Value}
	c.score = tensor.PackInto(t.Buffer(1, tensor.PackedLen(d, n)).Data, true, d, n, v.Data, d)
	if users.needs {
		c.dUsers = t.Buffer(users.Rows(), d)
		c.spread = tensor.PackInto(t.Buffer(1, tensor.PackedLen(n, d)).Data, false, n, d, v.Data, d)
	}
	if items.needs {
		c.dItems = t.Buffer(n, d)
	}
	return c
}

// backward takes the gradients of users lo to hi from those of their logits.
func (c *crossEntropy) backward(logits *tensor.Matrix, lo, hi int) {
	if c.dUsers != nil {
		c.spread.Mul(logits, c.dUsers.RowRange(lo, hi))
	}
	if c.dItems != nil {
		beta := float32(1)
		if lo == 0 {
			beta = 0
		}
		tensor.Gemm(true, false, 1, logits, c.users.RowRange(lo, hi), beta, c.dItems)
	}
}

// addScaled adds alpha·g to the gradient of v; a nil g is that of a variable that needs none.
func (t *Tape) addScaled(v *Var, alpha float32, g *tensor.Matrix) {
	if g == nil {
		return
	}
	if dst, beta := t.overwrite(v); beta == 0 {
		scaled(dst, alpha, g)
	} else {
		add(dst, alpha, g)
	}
}

// ScaleBy returns s·x for a 1×1 variable s.
func (t *Tape) ScaleBy(s, x *Var) *Var {
	out := t.output(x.Rows(), x.Cols(), s, x)
	scaled(out.Value, s.Scalar(), x.Value)
	out.back = func() {
		if s.needs {
			var sum float64
			for r := range x.Rows() { // in this order, whoever computes the rest
				sum += float64(tensor.Dot(out.grad.Row(r), x.Value.Row(r)))
			}
			t.sum(s).Data[0] += float32(sum)
		}
		if x.needs {
			t.addScaled(x, s.Scalar(), out.grad)
		}
	}
	return out
}
