package train

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Names of the files in a run's folder.
const (
	ModelFile = "model.safetensors" // weights of the best epoch
	LastFile  = "last.safetensors"  // everything needed to resume
	LogFile   = "log.jsonl"         // one Epoch a line
)

const weightsHint = "The file is damaged or of another model; train again in a new run."

// SavedModel says what a weights file holds.
type SavedModel struct {
	Model  string             `json:"model"`
	Config map[string]string  `json:"config"` // the model's effective settings
	Epoch  int                `json:"epoch"`
	Valid  map[string]float64 `json:"valid,omitempty"`
}

// SaveWeights writes m's present parameters to path, atomically.
func SaveWeights(path string, m model.Model, epoch int, valid map[string]float64) error {
	tensors := map[string]arrayfile.Tensor{}
	for _, p := range m.Params() {
		tensors[p.Name] = arrayfile.Tensor{Shape: p.Shape(), Data: p.Value.Data}
	}
	about, err := json.Marshal(SavedModel{m.Name(), m.Config(), epoch, valid})
	if err != nil {
		return fmt.Errorf("describing the weights: %w", err)
	}
	return arrayfile.WriteSafetensors(path, tensors, map[string]string{"format": "pt", "mllmrec": string(about)})
}

// SaveFitted writes the weights of a model that was fitted, with its effective settings, to
// path, atomically.
func SaveFitted(path, name string, config map[string]string, w model.Weights, valid map[string]float64) error {
	tensors := map[string]arrayfile.Tensor{}
	for key, t := range w {
		tensors[key] = arrayfile.Tensor{Shape: t.Shape, Data: t.Data}
	}
	about, err := json.Marshal(SavedModel{name, config, 0, valid})
	if err != nil {
		return fmt.Errorf("describing the weights: %w", err)
	}
	return arrayfile.WriteSafetensors(path, tensors, map[string]string{"format": "pt", "mllmrec": string(about)})
}

// RestoreRanker builds from the weights in an open file alone what scores people by their
// histories.
func RestoreRanker(f *os.File) (model.Ranker, error) {
	s, err := readRestorable(f)
	if err != nil {
		return nil, err
	}
	if s.spec.RestoreRanker == nil {
		return nil, fmt.Errorf("%s: model %s is no ranker of histories", s.path, s.spec.Name)
	}
	return restored(s, s.spec.RestoreRanker)
}

// ReadSavedModel returns the description of a weights file, without reading the weights.
func ReadSavedModel(path string) (SavedModel, error) {
	_, meta, err := arrayfile.StatSafetensors(path)
	if err != nil {
		return SavedModel{}, err
	}
	return describe(path, meta)
}

func describe(path string, meta map[string]string) (SavedModel, error) {
	var s SavedModel
	if err := json.Unmarshal([]byte(meta["mllmrec"]), &s); err != nil || s.Model == "" {
		return SavedModel{}, usererr.Of(usererr.KindDamaged, weightsHint, "%s does not say which model its weights are of", path)
	}
	return s, nil
}

// Restore builds from the weights in an open file alone what places people never seen in training
// among the run's users, by vectors of their preference texts. It reads no training inputs. A file
// that is damaged, or of a model that cannot do it, is the user's mistake.
func Restore(f *os.File) (model.Placer, error) {
	s, err := readRestorable(f)
	if err != nil {
		return nil, err
	}
	if s.spec.Restore == nil {
		return nil, usererr.New(fmt.Sprintf("Ask for a user of the training data, or name a run of a model that reads preference texts by %s.", usererr.Option("run")),
			"model %s cannot place somebody it was not trained on%s", s.spec.Name, s.otherwise())
	}
	return restored(s, s.spec.Restore)
}

// RestoreHistories is [Restore] for people who are known by the items they chose.
func RestoreHistories(f *os.File) (model.HistoryPlacer, error) {
	s, err := readRestorable(f)
	if err != nil {
		return nil, err
	}
	if s.spec.RestoreHistories == nil {
		return nil, usererr.New(fmt.Sprintf("Ask for a user of the training data, or name a run of a model that places histories by %s.", usererr.Option("run")),
			"model %s cannot place somebody by the items they chose", s.spec.Name)
	}
	return restored(s, s.spec.RestoreHistories)
}

// restorable is what a weights file says.
type restorable struct {
	path    string
	spec    model.Spec
	config  map[string]string
	tensors map[string]arrayfile.Tensor
}

func readRestorable(f *os.File) (*restorable, error) {
	path := f.Name()
	tensors, meta, err := arrayfile.SafetensorsOf(f)
	if err != nil {
		return nil, err
	}
	saved, err := describe(path, meta)
	if err != nil {
		return nil, err
	}
	spec, err := model.Lookup(saved.Model)
	if err != nil {
		return nil, fmt.Errorf("restore %s: %w", path, err)
	}
	return &restorable{path, spec, saved.Config, tensors}, nil
}

// restored builds a placer by the function of the model's.
func restored[P any](s *restorable, build func(model.Weights, model.Values) (P, error)) (placer P, err error) {
	settings, err := model.ParseSettings("model "+s.spec.Name, s.spec.Settings, s.config)
	if err != nil {
		return placer, fmt.Errorf("restore %s: %w", s.path, err)
	}
	weights := model.Weights{}
	for name, t := range s.tensors {
		weights[name] = model.Tensor{Shape: t.Shape, Data: t.Data}
	}
	if placer, err = build(weights, settings); err != nil {
		return placer, fmt.Errorf("restore model %s from %s: %w", s.spec.Name, s.path, err)
	}
	return placer, nil
}

// otherwise says by what else the model places people, in an error that it cannot by a text.
func (s *restorable) otherwise() string {
	if s.spec.RestoreHistories == nil {
		return ""
	}
	return " by a preference text, only by the items they chose"
}

// checkTensor reports a tensor that is missing or not of p's shape.
func checkTensor(path, name string, tensors map[string]arrayfile.Tensor, p *autograd.Param) error {
	t, ok := tensors[name]
	if !ok {
		return usererr.Of(usererr.KindDamaged, weightsHint, "%s lacks tensor %q", path, name)
	}
	if !slices.Equal(t.Shape, p.Shape()) {
		return usererr.Of(usererr.KindDamaged, weightsHint, "%s: tensor %q has shape %v, want %v", path, name, t.Shape, p.Shape())
	}
	return nil
}

// firstDifference returns the first key, in order, whose values differ.
func firstDifference(a, b map[string]string) (key, inA, inB string) {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		x, okA := a[k]
		y, okB := b[k]
		if x != y || okA != okB {
			return k, x, y
		}
	}
	return "", "", ""
}
