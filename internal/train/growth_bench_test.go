package train

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
)

// BenchmarkGrowth times LightGCN's epoch on data of the size of Amazon Baby and of twenty
// times that, 300,000 users and 60,000 items, by the batch size: the median of 15 steps, times the
// steps of an epoch, for the larger. MB is what the process holds at the end. Growth is apart
// from 'make bench', because the larger data need minutes:
//
//	go test -run '^$' -bench Growth -benchtime 1x ./internal/train
func BenchmarkGrowth(b *testing.B) {
	small := modeltest.Shape{Users: 19445, Items: 7050, Train: 118551, Tastes: 40}
	for _, c := range []struct {
		shape   modeltest.Shape
		batches []int
	}{{small, []int{2048}}, {modeltest.Large, []int{2048, 8192, 32768}}} {
		data := modeltest.MakePowerLaw(c.shape, 1)
		n := data.Inputs.Train.Len()
		for _, layers := range []string{"2", "3"} {
			for _, batch := range c.batches {
				b.Run(fmt.Sprintf("%d/layers=%s/batch=%d", n, layers, batch), func(b *testing.B) {
					m, err := model.New("lightgcn", data.Inputs, map[string]string{"layers": layers})
					if err != nil {
						b.Fatal(err)
					}
					r, err := newRun(m, data.Inputs, eval.NewJudge(data.Dataset), Options{Seed: 1, BatchSize: batch})
					if err != nil {
						b.Fatal(err)
					}
					enough := errors.New("enough steps")
					var took []time.Duration
					for b.Loop() {
						err = r.sampler.each(1, func(x model.Batch) error {
							start := time.Now()
							r.step(x, 1e-3)
							if took = append(took, time.Since(start)); len(took)%16 == 0 {
								return enough
							}
							return nil
						})
						if err != nil && !errors.Is(err, enough) {
							b.Fatal(err)
						}
					}
					var mem runtime.MemStats
					runtime.ReadMemStats(&mem)
					each := median(took).Seconds()
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(each*1e3, "ms/step")
					b.ReportMetric(each*float64(r.sampler.steps()), "s/epoch")
					b.ReportMetric(float64(mem.Sys)/1e6, "MB")
				})
			}
		}
	}
}
