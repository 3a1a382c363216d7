package training

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/train"
)

// partsFolder holds, in the folder of a run under way, what of a fitted model is made already.
// The folder is that of one input and one set of options, so that a part found there is the one
// that is wanted.
const partsFolder = "parts"

// parts keeps the parts of a fitted model until it is whole.
type parts struct {
	b     *stage.Build
	seed  uint64
	judge train.Evaluator
}

// keep implements model.Fitting.Keep. A part that cannot be read is made again.
func (p *parts) keep(part string, make func() (model.Weights, error)) (model.Weights, error) {
	path := p.b.Path(filepath.Join(partsFolder, part+".safetensors"))
	if tensors, _, err := arrayfile.ReadSafetensors(path); err == nil {
		w := model.Weights{}
		for name, t := range tensors {
			w[name] = model.Tensor{Shape: t.Shape, Data: t.Data}
		}
		p.b.Note(p.b.Stage, "%s: made before the interruption", part)
		return w, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		p.b.Note(p.b.Stage, "%s is made again: %v", part, err)
	}
	w, err := make()
	if err != nil || w == nil {
		return w, err
	}
	tensors := map[string]arrayfile.Tensor{}
	for name, t := range w {
		tensors[name] = arrayfile.Tensor{Shape: t.Shape, Data: t.Data}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, fmt.Errorf("keep part %s: %w", part, err)
	}
	return w, arrayfile.WriteSafetensors(path, tensors, map[string]string{"format": "pt"})
}

// train implements model.Fitting.Train.
func (p *parts) train(ctx context.Context, name string, in model.Inputs, settings map[string]string, epochs int) (model.Weights, error) {
	m, opt, err := part(name, in, settings, epochs, p.seed)
	if err != nil {
		return nil, err
	}
	dir := p.b.Path(filepath.Join(partsFolder, name))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("train part %s: %w", name, err)
	}
	opt.Dir, opt.Resume = dir, true
	opt.OnEpoch = func(e train.Epoch) {
		p.b.Emit(stage.Event{Stage: p.b.Stage, Message: EpochLine(name, e, p.b.Leaky), End: true, Elapsed: time.Duration((e.TrainSeconds + e.EvalSeconds) * float64(time.Second))})
	}
	if _, err := train.Run(ctx, m, in, p.judge, opt); err != nil {
		return nil, fmt.Errorf("train %s: %w", name, err)
	}
	return weightsOf(m), nil
}

// part builds a model that is part of a fitted one, and the options to train it with: it stops
// after the second epoch in a row without gain.
func part(name string, in model.Inputs, settings map[string]string, epochs int, seed uint64) (model.Model, train.Options, error) {
	opt, own, err := train.Configure(name, settings)
	if err != nil {
		return nil, opt, err
	}
	m, err := model.New(name, in, own)
	opt.Epochs, opt.Seed, opt.Patience = epochs, seed, 1
	return m, opt, err
}

// weightsOf are the parameters of a trained model.
func weightsOf(m model.Model) model.Weights {
	w := model.Weights{}
	for _, param := range m.Params() {
		w[param.Name] = model.Tensor{Shape: param.Shape(), Data: param.Value.Data}
	}
	return w
}

// remove takes the parts away once the whole is written.
func (p *parts) remove() error { return os.RemoveAll(p.b.Path(partsFolder)) }
