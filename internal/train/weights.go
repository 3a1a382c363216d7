package train

import (
	"encoding/json"
	"fmt"
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

const weightsHint = "the file is damaged or of another model; train again in a new run"

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

// ReadSavedModel returns the description of a weights file, from which the model can
// be built again by [model.New].
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
		return SavedModel{}, usererr.New(weightsHint, "%s does not say which model its weights are of", path)
	}
	return s, nil
}

// LoadWeights puts the weights in path into m, which must be the same model with the
// same settings on data of the same size.
func LoadWeights(path string, m model.Model) error {
	tensors, meta, err := arrayfile.ReadSafetensors(path)
	if err != nil {
		return err
	}
	s, err := describe(path, meta)
	if err != nil {
		return err
	}
	if s.Model != m.Name() {
		return usererr.New(weightsHint, "%s holds weights of model %s, not %s", path, s.Model, m.Name())
	}
	if key, was, is := firstDifference(s.Config, m.Config()); key != "" {
		return usererr.New("build the model with the file's settings", "%s was trained with %s=%s, not %s", path, key, was, is)
	}
	for _, p := range m.Params() {
		if err := checkTensor(path, p.Name, tensors, p); err != nil {
			return err
		}
	}
	for _, p := range m.Params() {
		copy(p.Value.Data, tensors[p.Name].Data)
	}
	return nil
}

// checkTensor reports a tensor that is missing or not of p's shape.
func checkTensor(path, name string, tensors map[string]arrayfile.Tensor, p *autograd.Param) error {
	t, ok := tensors[name]
	if !ok {
		return usererr.New(weightsHint, "%s lacks tensor %q", path, name)
	}
	if !slices.Equal(t.Shape, p.Shape()) {
		return usererr.New(weightsHint, "%s: tensor %q has shape %v, want %v", path, name, t.Shape, p.Shape())
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
