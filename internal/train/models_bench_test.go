package train

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/mmrec"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/rng"
)

// publishedSize is Amazon Baby as the published models were run on it: 4096 numbers of a picture, 384 of a
// text. The interactions are real where MLLMREC_DATA_DIR names the folder; vectors and times are random.
func publishedSize(b *testing.B) (model.Inputs, *dataset.Dataset) {
	data := modeltest.Make(modeltest.Baby, 1)
	in, ds := data.Inputs, data.Dataset
	if dir := os.Getenv("MLLMREC_DATA_DIR"); dir != "" {
		real, _, err := mmrec.Read(b.Context(), mmrec.Options{Inter: filepath.Join(dir, "baby", "baby.inter")})
		if err != nil {
			b.Fatal(err)
		}
		ds, in.Train = real, real.TrainHistories()
		if in.Train.Users() != in.Users || in.Train.NumItems() != in.Items {
			b.Fatalf("%d users and %d items, the vectors are of %d and %d", in.Train.Users(), in.Train.NumItems(), in.Users, in.Items)
		}
	}
	visual, r := tensor.New(in.Items, 4096), rng.Stream(1, "pictures", 0)
	for i := range visual.Data {
		visual.Data[i] = max(0, float32(r.NormFloat64())) // what a network with rectified units gives
	}
	in.ItemVectors = map[string]*tensor.Matrix{modality.Visual: visual, model.Text: in.ItemVectors[model.Text]}
	return in, ds
}

// BenchmarkEpochOf gives every trained model one row of a table: seconds to build it, of an epoch and of the
// evaluation that follows (the least of the epochs run), processor seconds of both (where others use the machine,
// half of them is what two idle cores would take at best), and the most memory that the process held from
// the building on, vectors of the data set included (Linux).
func BenchmarkEpochOf(b *testing.B) {
	in, ds := publishedSize(b)
	for _, name := range modeltest.Trained() {
		b.Run(name, func(b *testing.B) {
			epochs, trained, evaluated, worked := 0, math.Inf(1), math.Inf(1), math.Inf(1)
			debug.FreeOSMemory()
			forgetPeak()
			opt, settings, err := Configure(name, map[string]string{})
			if err != nil {
				b.Fatal(err)
			}
			m, err := model.New(name, in, settings)
			if err != nil {
				b.Fatal(err)
			}
			built := b.Elapsed().Seconds()
			opt.Seed = 1
			r, err := newRun(m, in, eval.NewJudge(ds), opt)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				epochs++
				before := processorSeconds()
				e, err := r.epoch(b.Context(), epochs)
				if err != nil {
					b.Fatal(err)
				}
				r.Epochs = append(r.Epochs, e)
				trained, evaluated = min(trained, e.TrainSeconds), min(evaluated, e.EvalSeconds)
				worked = min(worked, processorSeconds()-before)
			}
			b.ReportMetric(built, "s/build")
			b.ReportMetric(trained, "s/epoch")
			b.ReportMetric(evaluated, "s/evaluation")
			b.ReportMetric(worked, "cpu-s/both")
			if peak := peakMemory(); peak > 0 {
				b.ReportMetric(peak, "peak-MB")
			}
			b.ReportMetric(0, "ns/op")
			runtime.KeepAlive(r)
		})
	}
}

// processorSeconds is what the process has used of all processors; 0 where the system does not say.
func processorSeconds() float64 {
	stat, err := os.ReadFile("/proc/self/stat")
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if err != nil || len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// forgetPeak makes the kernel forget how much memory the process held at most.
func forgetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peakMemory returns the most memory that the process held, in megabytes; 0 where the system does not say.
func peakMemory() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %g kB", &kib); n == 1 {
			return kib / 1e3 * 1.024
		}
	}
	return 0
}
