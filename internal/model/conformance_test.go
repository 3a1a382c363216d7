package model_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/rng"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

var tiny = modeltest.Shape{Users: 30, Items: 24, Train: 140, Width: 10, Tastes: 4}

// small keeps a model's width low, so that a gradient check sees all of it.
func small(name string) map[string]string {
	settings := map[string]string{}
	for _, s := range model.Settings(name) {
		switch s.Name {
		case "embedding_dim":
			settings[s.Name] = "6"
		case "modalities":
			settings[s.Name] = "visual,text"
		case "k": // all: which items are the nearest has no gradient, and a step must not change it
			settings[s.Name] = "30"
		case "noise": // it goes by the signs of vectors, which a step may change
			settings[s.Name] = "0"
		case "targets", "adversarial_weight": // for differentiable to see
			settings[s.Name] = s.Default
		}
	}
	return settings
}

// differentiable leaves out of settings what makes gradients differ from the derivatives of the loss on purpose:
// targets that are held, and a critic that learns what its adversary unlearns.
func differentiable(settings map[string]string) map[string]string {
	settings = maps.Clone(settings)
	for name, value := range map[string]string{"targets": "moving", "adversarial_weight": "0"} {
		if _, ok := settings[name]; ok {
			settings[name] = value
		}
	}
	return settings
}

// conformanceCases are all registered models, and again with every choice that a
// setting of theirs has.
func conformanceCases() map[string]map[string]string {
	cases := map[string]map[string]string{}
	for _, name := range modeltest.Trained() {
		cases[name] = small(name)
		for _, s := range model.Settings(name) {
			for _, choice := range s.Choices {
				settings := maps.Clone(small(name))
				settings[s.Name] = choice
				cases[fmt.Sprintf("%s %s=%s", name, s.Name, choice)] = settings
			}
		}
	}
	return cases
}

func modelName(key string) string {
	for i, c := range key {
		if c == ' ' {
			return key[:i]
		}
	}
	return key
}

func build(t *testing.T, key string, settings map[string]string, in model.Inputs) model.Model {
	t.Helper()
	m, err := model.New(modelName(key), in, settings)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// randomBatch takes n train rows with arbitrary negatives.
func randomBatch(in model.Inputs, n int, seed uint64) model.Batch {
	r := rng.Stream(seed, "batch", 0)
	lists := in.Train.Lists()
	var b model.Batch
	for range n {
		row := r.IntN(len(lists.Items))
		u := 0
		for lists.Offsets[u+1] <= row {
			u++
		}
		b.Rows, b.Users, b.Pos = append(b.Rows, int32(row)), append(b.Users, int32(u)), append(b.Pos, lists.Items[row])
		b.Neg = append(b.Neg, int32(r.IntN(in.Items)))
	}
	return b
}

func lossAndGradients(m model.Model, b model.Batch, t *autograd.Tape) float32 {
	loss := lossOf(m, b, t)
	t.Backward(loss)
	return loss.Scalar()
}

// lossOf is the loss of the first step of an epoch.
func lossOf(m model.Model, b model.Batch, t *autograd.Tape) *autograd.Var {
	t.Reset()
	if s, ok := m.(model.EpochStarter); ok {
		if err := s.StartEpoch(1); err != nil {
			panic(err)
		}
	}
	return m.Loss(t, b)
}

func TestConformance(t *testing.T) {
	data := modeltest.Make(tiny, 3)
	for key, settings := range conformanceCases() {
		t.Run(key, func(t *testing.T) {
			t.Run("gradients", func(t *testing.T) {
				checkGradients(t, build(t, key, differentiable(settings), data.Inputs), data.Inputs)
			})
			t.Run("represent", func(t *testing.T) { checkRepresent(t, build(t, key, settings, data.Inputs), data.Inputs) })
			t.Run("learns", func(t *testing.T) { checkLearns(t, build(t, key, settings, data.Inputs), data.Inputs) })
			t.Run("deterministic", func(t *testing.T) {
				checkDeterministic(t, func() model.Model { return build(t, key, settings, data.Inputs) }, data.Inputs)
			})
			t.Run("needs", func(t *testing.T) { checkNeeds(t, key, settings, data.Inputs) })
			t.Run("saved", func(t *testing.T) { checkSaved(t, build(t, key, settings, data.Inputs)) })
			t.Run("restored", func(t *testing.T) {
				checkRestored(t, build(t, key, settings, data.Inputs), data.Inputs)
			})
		})
	}
}

// checkGradients compares directional derivatives, by central differences of the
// loss, with the gradients: in each parameter one direction, half along the gradient,
// so that there is something to see in float32, and half at random.
func checkGradients(t *testing.T, m model.Model, in model.Inputs) {
	b := randomBatch(in, 40, 1)
	tape := autograd.NewTape()
	for _, p := range m.Params() {
		lossAndGradients(m, b, tape)
		if !p.HasGrad() {
			t.Errorf("%s has no gradient", p.Name)
			continue
		}
		norm := tensor.Norm2(p.Grad.Data)
		dir := direction(p, norm)
		var want float64
		for i, g := range p.DenseGrad() {
			want += float64(dir[i]) * float64(g)
		}
		start := slices.Clone(p.Value.Data)
		at := func(h float32) float64 {
			for i := range dir {
				p.Value.Data[i] = start[i] + h*dir[i]
			}
			return float64(lossOf(m, b, tape).Scalar())
		}
		// A step too long crosses kinks of the activations, one too short drowns in the
		// rounding of the loss; a right gradient agrees at one of these.
		var got []float64
		ok := false
		for _, h := range []float32{1e-2, 3e-3, 1e-3, 3e-4} {
			d := (at(h) - at(-h)) / (2 * float64(h))
			got = append(got, d)
			ok = ok || math.Abs(d-want) < 1e-7/float64(h)+0.01*norm
		}
		copy(p.Value.Data, start)
		if !ok {
			t.Errorf("%s: directional derivative %g, the gradient says %g (norm %g)", p.Name, got, want, norm)
		}
	}
}

func direction(p *autograd.Param, norm float64) []float32 {
	r := rng.Stream(5, "direction "+p.Name, 0)
	random := make([]float32, len(p.Value.Data))
	for i := range random {
		random[i] = float32(r.NormFloat64())
	}
	scale := tensor.Norm2(random)
	for i, g := range p.DenseGrad() {
		random[i] = float32(float64(random[i])/scale + float64(g)/max(norm, 1e-30))
	}
	return random
}

func checkRepresent(t *testing.T, m model.Model, in model.Inputs) {
	users, items, err := m.Represent()
	if err != nil {
		t.Fatal(err)
	}
	if users.Rows != in.Users || items.Rows != in.Items || users.Cols != items.Cols {
		t.Fatalf("users %d×%d, items %d×%d for %d users and %d items", users.Rows, users.Cols, items.Rows, items.Cols, in.Users, in.Items)
	}
	// The vectors are the caller's: scribbling on them must not reach the model.
	first := users.Clone()
	for i := range users.Data {
		users.Data[i] = 7
	}
	clear(items.Data)
	again, _, err := m.Represent()
	if err != nil || !slices.Equal(again.Data, first.Data) {
		t.Errorf("the model changed with the vectors it had given away (%v)", err)
	}
	for _, v := range first.Data {
		if v-v != 0 {
			t.Fatalf("a user vector holds %g", v)
		}
	}
}

func checkLearns(t *testing.T, m model.Model, in model.Inputs) {
	b, tape, adam := randomBatch(in, 64, 2), autograd.NewTape(), train.NewAdam(m.Params(), 0)
	first := lossAndGradients(m, b, tape)
	loss := first
	for range 30 {
		adam.Step(0.01)
		loss = lossAndGradients(m, b, tape)
	}
	if !(loss < 0.9*first) {
		t.Errorf("loss %g after 30 steps on one batch, %g before", loss, first)
	}
}

func checkDeterministic(t *testing.T, build func() model.Model, in model.Inputs) {
	outcome := func(procs int) (values []float32) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		m, tape := build(), autograd.NewTape()
		adam := train.NewAdam(m.Params(), 1e-4)
		for step := range 4 {
			values = append(values, lossAndGradients(m, randomBatch(in, 64, uint64(step)), tape))
			adam.Step(0.01)
		}
		for _, p := range m.Params() {
			values = append(values, p.Value.Data...)
		}
		users, items, err := m.Represent()
		if err != nil {
			t.Fatal(err)
		}
		return append(append(values, users.Data...), items.Data...)
	}
	if one, two := outcome(1), outcome(2); !slices.Equal(one, two) {
		t.Error("results at GOMAXPROCS 1 and 2 differ")
	}
}

// only returns of the inputs what a model needs.
func only(needs model.Needs, in model.Inputs) model.Inputs {
	least := model.Inputs{Train: in.Train, Users: in.Users, Items: in.Items, Seed: in.Seed, ItemVectors: map[string]*tensor.Matrix{}}
	for _, modality := range needs.ItemVectors {
		least.ItemVectors[modality] = in.ItemVectors[modality]
	}
	if needs.Preferences {
		least.Preferences = in.Preferences
	}
	if needs.Graph {
		least.Graph = in.Graph
	}
	if needs.Times {
		least.Times = in.Times
	}
	return least
}

// checkNeeds gives the model what it says it needs and nothing else, which must be
// enough; then one thing less, which must be refused; then more than it can use, which
// must change nothing.
func checkNeeds(t *testing.T, key string, settings map[string]string, in model.Inputs) {
	needs, err := model.NeedsOf(modelName(key), settings)
	if err != nil {
		t.Fatal(err)
	}
	least := only(needs, in)
	want := afterOneStep(t, build(t, key, settings, least), least)
	for what, less := range oneLess(needs, least) {
		_, err := model.New(modelName(key), less, settings)
		if _, ok := usererr.Hint(err); !ok {
			t.Errorf("without its %s the model was built, or the error is not the user's: %v", what, err)
		}
	}
	more := in
	more.ItemVectors = maps.Clone(in.ItemVectors)
	more.ItemVectors["smell"] = tensor.New(in.Items+1, 3) // no model reads it, so nobody checks it
	if !needs.Preferences {
		more.Preferences = tensor.New(1, 1)
	}
	if !needs.Graph {
		more.Graph = &tensor.CSR{Rows: 1, Cols: 1, Indptr: []int64{0, 0}}
	}
	if got := afterOneStep(t, build(t, key, settings, more), more); !slices.Equal(got, want) {
		t.Error("inputs that the model does not need changed what it learns")
	}
}

// oneLess returns the inputs without each thing needed in turn.
func oneLess(needs model.Needs, in model.Inputs) map[string]model.Inputs {
	less := map[string]model.Inputs{}
	for _, modality := range needs.ItemVectors {
		one := in
		one.ItemVectors = maps.Clone(in.ItemVectors)
		delete(one.ItemVectors, modality)
		less[modality+" item vectors"] = one
	}
	without := func(what string, needed bool, drop func(*model.Inputs)) {
		if needed {
			one := in
			drop(&one)
			less[what] = one
		}
	}
	without("preferences", needs.Preferences, func(in *model.Inputs) { in.Preferences = nil })
	without("graph", needs.Graph, func(in *model.Inputs) { in.Graph = nil })
	without("times", needs.Times, func(in *model.Inputs) { in.Times = nil })
	return less
}

// afterOneStep trains one step and returns loss and vectors.
func afterOneStep(t *testing.T, m model.Model, in model.Inputs) []float32 {
	t.Helper()
	tape, adam := autograd.NewTape(), train.NewAdam(m.Params(), 0)
	loss := lossAndGradients(m, randomBatch(in, 64, 1), tape)
	adam.Step(0.01)
	users, items, err := m.Represent()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat([]float32{loss}, users.Data, items.Data)
}

// checkSaved compares a weights file with the model that was saved.
func checkSaved(t *testing.T, m model.Model) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := train.SaveWeights(path, m, 3, nil); err != nil {
		t.Fatal(err)
	}
	saved, err := train.ReadSavedModel(path)
	if err != nil || saved.Model != m.Name() || saved.Epoch != 3 || !maps.Equal(saved.Config, m.Config()) {
		t.Fatalf("saved model reads as %+v (%v)", saved, err)
	}
	tensors, _, err := arrayfile.ReadSafetensors(path)
	if err != nil || len(tensors) != len(m.Params()) {
		t.Fatalf("%d tensors saved of %d parameters (%v)", len(tensors), len(m.Params()), err)
	}
	for _, p := range m.Params() {
		if !slices.Equal(tensors[p.Name].Data, p.Value.Data) || !slices.Equal(tensors[p.Name].Shape, p.Shape()) {
			t.Errorf("tensor %s is not the parameter of that name", p.Name)
		}
	}
}

// restore is train.Restore from the file at path.
func restore(path string) (model.Placer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return train.Restore(f)
}

// checkRestored compares placing by the weights file alone with placing by the whole
// model, and a person placed alone with the same person in a batch. Parameters are those
// after some training, so that none is at its initial value.
func checkRestored(t *testing.T, m model.Model, in model.Inputs) {
	afterOneStep(t, m, in)
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := train.SaveWeights(path, m, 1, nil); err != nil {
		t.Fatal(err)
	}
	restored, err := restore(path)
	var want *tensor.Matrix
	wantErr := fmt.Errorf("%s is no placer", m.Name())
	if whole, ok := m.(model.Placer); ok {
		want, wantErr = whole.Place(in.Preferences)
	}
	if wantErr != nil {
		if _, ok := usererr.Hint(err); !ok {
			t.Fatalf("the model cannot place anybody (%v), restoring it gives %v", wantErr, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := restored.Place(in.Preferences)
	if err != nil || !equal(got, want) {
		t.Fatalf("vectors differ from the whole model's (%v)", err)
	}
	for u := range in.Preferences.Rows {
		one, err := restored.Place(in.Preferences.RowRange(u, u+1))
		if err != nil || !slices.Equal(one.Data, want.Row(u)) {
			t.Errorf("user %d is placed elsewhere alone than in the batch (%v)", u, err)
		}
	}
	if _, err := restored.Place(tensor.New(2, in.Preferences.Cols+1)); err == nil {
		t.Error("vectors of another width were placed")
	}
}

func equal(a, b *tensor.Matrix) bool {
	return a.Rows == b.Rows && a.Cols == b.Cols && slices.Equal(a.Data, b.Data)
}
