package lightgcn

import (
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
)

// A step over the batch's neighbourhood has the loss and the gradients of one over the whole
// graph, to the last bit: for batches whose neighbourhood is small and for such where it is
// all there is.
func TestNeighbourhoodIsTheWholeGraphToTheLastBit(t *testing.T) {
	in := modeltest.MakePowerLaw(modeltest.Shape{Users: 400, Items: 300, Train: 2400, Tastes: 8}, 2).Inputs
	for _, layers := range []string{"1", "2", "3"} {
		for _, pairs := range []int{1, 3, 500} {
			m, err := model.New("lightgcn", in, map[string]string{"embedding_dim": "16", "layers": layers})
			if err != nil {
				t.Fatal(err)
			}
			r := m.(*recommender)
			var b model.Batch
			for k := range pairs {
				u := int32(k * 7 % in.Users)
				b.Users, b.Pos, b.Neg = append(b.Users, u), append(b.Pos, in.Train.Items(int(u))[0]), append(b.Neg, int32(k*11%in.Items))
			}
			step := func(loss func(t *autograd.Tape, users, items *autograd.Var) *autograd.Var) []float32 {
				tape := autograd.NewTape()
				tape.Reset()
				l := loss(tape, tape.Param(r.users), tape.Param(r.items))
				tape.Backward(l)
				return slices.Concat([]float32{l.Scalar()}, r.users.Grad.Data, r.items.Grad.Data)
			}
			near := step(func(tape *autograd.Tape, users, items *autograd.Var) *autograd.Var {
				return r.ranking(tape, users, items, b)
			})
			whole := step(func(tape *autograd.Tape, users, items *autograd.Var) *autograd.Var {
				h := r.propagate(tape, users, items)
				return tape.BPRGamma(tape.RowDots(h, b.Users, h, r.itemNodes(tape, b.Pos)), tape.RowDots(h, b.Users, h, r.itemNodes(tape, b.Neg)))
			})
			if !slices.Equal(near, whole) {
				t.Errorf("%s layers, %d pairs: loss %v, over the whole graph %v, or the gradients differ", layers, pairs, near[0], whole[0])
			}
		}
	}
}
