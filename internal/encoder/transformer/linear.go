package transformer

import "github.com/mllmrec/mllmrec/internal/nn/tensor"

// linear is a fully connected layer y = x·Wᵀ + bias.
type linear struct {
	in, out int
	weight  *tensor.Packed // Wᵀ, in × out
	bias    []float32
}

func (l *linear) pack(weight []float32) { l.weight = tensor.Pack(true, l.in, l.out, weight, l.in) }

// apply sets dst = x·Wᵀ + bias; dst is rows × out, x rows × in.
func (l *linear) apply(dst, x []float32, rows int) {
	for i := range rows {
		copy(dst[i*l.out:(i+1)*l.out], l.bias)
	}
	l.weight.MulAdd(rows, x, l.in, dst, l.out)
}

// applyResidual sets dst = residual + x·Wᵀ + bias; residual is rows × out.
func (l *linear) applyResidual(dst, residual, x []float32, rows int) {
	for i := range rows {
		d, r := dst[i*l.out:(i+1)*l.out], residual[i*l.out:(i+1)*l.out]
		for j, b := range l.bias {
			d[j] = r[j] + b
		}
	}
	l.weight.MulAdd(rows, x, l.in, dst, l.out)
}
