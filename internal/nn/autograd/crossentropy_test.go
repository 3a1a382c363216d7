package autograd

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

var (
	entropyTargets = []int32{6, 0, 3, 3, 1}
	entropyOffsets = []float32{0.5, -1, 0, 2, -0.25, 0.75, 1.5}
)

// entropyRef is the mean cross-entropy at entropyTargets, from its definition.
func entropyRef(offsets []float32) func([]mat) mat {
	return func(in []mat) mat {
		var total float64
		for r, target := range entropyTargets {
			var z, own float64
			for i := range in[1].r {
				var s float64
				for j, v := range in[1].row(i) {
					s += v * in[0].at(r, j)
				}
				if i == int(target) {
					own = s
				} else if offsets != nil {
					s += float64(offsets[i])
				}
				z += math.Exp(s)
			}
			total += math.Log(z) - own
		}
		return mat{1, 1, []float64{total / float64(len(entropyTargets))}}
	}
}

// entropyOf returns the loss and both gradients of n users over some items.
func entropyOf(n, items int) []float32 {
	ps := randomParams(rand.New(rand.NewPCG(3, 3)), [][2]int{{n, 24}, {items, 24}})
	for _, p := range ps {
		tensor.Scale(0.3, p.Value.Data)
	}
	target := make([]int32, n)
	for r := range target {
		target[r] = int32(r * 7 % items)
	}
	tape := NewTape()
	loss := tape.CrossEntropy(tape.Param(ps[0]), tape.Param(ps[1]), target, nil)
	tape.Backward(loss)
	return slices.Concat([]float32{loss.Scalar()}, ps[0].Grad.Data, ps[1].Grad.Data)
}

// Several blocks of logits, each large enough to be shared out.
func TestCrossEntropyHasTheSameBitsOnAnyProcessors(t *testing.T) {
	n, items := 130, 150_000
	if testing.Short() {
		n, items = 70, 150_001
	}
	if block := logitBlock(n, items); block >= n {
		t.Fatalf("%d users are one block", n)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := entropyOf(n, items)
	runtime.GOMAXPROCS(3)
	if !slices.Equal(entropyOf(n, items), one) {
		t.Error("results at GOMAXPROCS 1 and 3 differ")
	}
}

func TestBlocksOfLogitsAreBounded(t *testing.T) {
	for _, c := range [][3]int{{2048, 19220, 392}, {2048, 100, 2048}, {2048, 1_000_000, 8}, {2048, 20_000_000, 1}, {3, 19220, 3}} {
		if got := logitBlock(c[0], c[1]); got != c[2] {
			t.Errorf("%d users over %d items: blocks of %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

// A logit far above the others must neither overflow nor make a gradient of NaN.
func TestCrossEntropyOfExtremes(t *testing.T) {
	users, items := NewParam("u", 2, 1), NewParam("i", 3, 1)
	copy(users.Value.Data, []float32{1, -1})
	copy(items.Value.Data, []float32{900, 0, -900})
	tape := NewTape()
	loss := tape.CrossEntropy(tape.Param(users), tape.Param(items), []int32{2, 2}, nil)
	tape.Backward(loss)
	if got := loss.Scalar(); got != 900 { // (1800 + 0) / 2
		t.Errorf("loss %v, want 900", got)
	}
	if want := []float32{0.5, 0, -0.5}; !slices.Equal(items.Grad.Data, want) {
		t.Errorf("gradient of the items %v, want %v", items.Grad.Data, want)
	}
}

// Where nobody needs a gradient none is computed; the loss is the same.
func TestCrossEntropyOfConstants(t *testing.T) {
	ps := randomParams(rand.New(rand.NewPCG(7, 7)), [][2]int{{5, 3}, {7, 3}})
	tape := NewTape()
	fixed := tape.CrossEntropy(tape.Const(ps[0].Value), tape.Const(ps[1].Value), entropyTargets, nil)
	tape.Backward(fixed)
	value := fixed.Scalar()
	loss := tape.CrossEntropy(tape.Const(ps[0].Value), tape.Param(ps[1]), entropyTargets, nil)
	tape.Backward(loss)
	if loss.Scalar() != value || !ps[1].HasGrad() || ps[0].HasGrad() {
		t.Errorf("loss %v with a gradient, %v without; gradients %v %v", loss.Scalar(), value, ps[0].HasGrad(), ps[1].HasGrad())
	}
}

// A step of model pool on MicroLens: 2048 users over 19,220 items, 128 wide.
func BenchmarkCrossEntropy(b *testing.B) {
	ps := randomParams(rand.New(rand.NewPCG(3, 3)), [][2]int{{2048, 128}, {19220, 128}})
	for _, p := range ps {
		tensor.Scale(0.1, p.Value.Data)
	}
	target := make([]int32, 2048)
	for r := range target {
		target[r] = int32(r * 7)
	}
	tape := NewTape()
	for b.Loop() {
		tape.Reset()
		tape.Backward(tape.CrossEntropy(tape.Param(ps[0]), tape.Param(ps[1]), target, nil))
	}
	const products = 3 // logits, and both gradients
	b.ReportMetric(products*2*2048*19220*128*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
