package train

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/model"
	_ "github.com/mllmrec/mllmrec/internal/model/all"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// BenchmarkEpoch times one training epoch at the shape of Amazon Baby: 19,445 users,
// 7,050 items, 118,551 interactions, batch 2048, visual vectors 4,096 wide and text vectors 384. For MLLMRec (384→256→64) it reports
// the arithmetic on the batches' distinct rows, forward and backward but for the
// first layer's input, and its share of what a plain product of the first layer's
// shape reaches. The product runs between the steps and medians are compared, so that
// other work on the machine slows both alike.
func BenchmarkEpoch(b *testing.B) {
	data := modeltest.Make(modeltest.BabyPictures, 1)
	for _, name := range modeltest.Trained() {
		b.Run(name, func(b *testing.B) {
			r := benchRun(b, name, data)
			peak := newProduct()
			var steps []time.Duration
			epoch := 0
			b.ReportAllocs()
			for b.Loop() {
				epoch++
				if m, ok := r.model.(model.EpochStarter); ok {
					if err := m.StartEpoch(epoch); err != nil {
						b.Fatal(err)
					}
				}
				if err := r.sampler.each(epoch, func(batch model.Batch) error {
					start := time.Now()
					r.step(batch, 1e-3)
					if name == "mllmrec" {
						steps = append(steps, time.Since(start))
						b.StopTimer()
						peak.run()
						b.StartTimer()
					}
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/epoch")
			b.ReportMetric(0, "ns/op")
			if name == "mllmrec" {
				rate := stepFlops(r, data.Inputs) / median(steps).Seconds()
				b.ReportMetric(rate/1e9, "GFLOP/s")
				b.ReportMetric(peak.rate()/1e9, "GEMM_GFLOP/s")
				b.ReportMetric(rate/peak.rate(), "of_GEMM_peak")
			}
		})
	}
}

// BenchmarkEvaluation times the validation that follows each epoch: all vectors, the
// whole catalogue ranked for every user, the top 50 measured.
func BenchmarkEvaluation(b *testing.B) {
	data := modeltest.Make(modeltest.Baby, 1)
	r := benchRun(b, "mllmrec", data)
	for b.Loop() {
		if _, err := r.measure(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/evaluation")
	b.ReportMetric(0, "ns/op")
}

func benchRun(b *testing.B, name string, data *modeltest.Data) *run {
	m, err := model.New(name, data.Inputs, nil)
	if err != nil {
		b.Fatal(err)
	}
	r, err := newRun(m, data.Inputs, eval.NewJudge(data.Dataset), Options{Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// stepFlops counts the multiply-adds of an epoch's towers, times two, and returns
// the mean over its steps.
func stepFlops(r *run, in model.Inputs) float64 {
	const hidden, out = 256, 64
	users, items := model.NewDistinct(in.Users), model.NewDistinct(in.Items)
	number := make([]int32, r.opt.BatchSize)
	rows, steps := 0, 0
	_ = r.sampler.each(1, func(b model.Batch) error {
		users.Reset()
		items.Reset()
		users.Number(number, b.Users)
		items.Number(number, b.Pos)
		items.Number(number, b.Neg)
		rows += len(users.Keys()) + len(items.Keys())
		steps++
		return nil
	})
	first, second := in.ItemVectors[model.Text].Cols*hidden, hidden*out
	return 2 * float64(rows) / float64(steps) * float64(2*first+3*second)
}

// product is the first layer's GEMM by itself.
type product struct {
	x, w, y *tensor.Matrix
	times   []time.Duration
}

func newProduct() *product {
	return &product{x: filled(4096, 384), w: filled(256, 384), y: filled(4096, 256)}
}

func (p *product) run() {
	start := time.Now()
	tensor.Gemm(false, true, 1, p.x, p.w, 0, p.y)
	p.times = append(p.times, time.Since(start))
}

// rate returns the median rate in FLOP/s.
func (p *product) rate() float64 {
	return 2 * float64(p.x.Rows*p.x.Cols*p.w.Rows) / median(p.times).Seconds()
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func filled(rows, cols int) *tensor.Matrix {
	m := tensor.New(rows, cols)
	for i := range m.Data {
		m.Data[i] = float32(i%17) / 17
	}
	return m
}

// BenchmarkStep takes a step apart, to see what is not arithmetic.
func BenchmarkStep(b *testing.B) {
	data := modeltest.Make(modeltest.Baby, 1)
	for _, name := range modeltest.Trained() {
		r := benchRun(b, name, data)
		var batch model.Batch
		_ = r.sampler.each(1, func(x model.Batch) error {
			batch = model.Batch{Users: slices.Clone(x.Users), Pos: slices.Clone(x.Pos), Neg: slices.Clone(x.Neg), Rows: slices.Clone(x.Rows)}
			return fmt.Errorf("one is enough")
		})
		b.Run(name+"/sampling", func(b *testing.B) {
			for b.Loop() {
				_ = r.sampler.each(1, func(model.Batch) error { return nil })
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N)/float64((data.Inputs.Train.Len()+2047)/2048), "ms/step")
		})
		tape := autograd.NewTape()
		b.Run(name+"/forward", func(b *testing.B) {
			for b.Loop() {
				tape.Reset()
				m := r.model.Loss(tape, batch)
				_ = m
			}
		})
		b.Run(name+"/all", func(b *testing.B) {
			for b.Loop() {
				r.step(batch, 1e-3)
			}
		})
	}
}
