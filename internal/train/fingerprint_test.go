package train

import (
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// counting returns a matrix of from, from+¼, from+½, ...
func counting(rows, cols int, from float32) *tensor.Matrix {
	m := tensor.New(rows, cols)
	for i := range m.Data {
		m.Data[i] = from + float32(i)/4
	}
	return m
}

// A run that an older build began is resumed only where its inputs have the digest they
// had then. These are from the build before item vectors had modalities.
func TestDigestOfInputsIsTheOneOfOlderBuilds(t *testing.T) {
	in := model.Inputs{Users: 2, Items: 3}
	check := func(what, want string) {
		t.Helper()
		if got := digest(in); got != want {
			t.Errorf("%s: digest %s, want %s", what, got, want)
		}
	}
	check("interactions only", "5ac6a5945f16500911219129984ba8b387a06f24fe383ce4e81a73294065461b")
	in.ItemVectors = map[string]*tensor.Matrix{model.Text: counting(3, 2, 1)}
	check("item vectors", "774668a939342a8a6a9e37abb213961a521724e7183f07673a8081d4d17ffa35")
	in.Preferences = counting(2, 2, -3)
	in.Graph = &tensor.CSR{Rows: 3, Cols: 3, Indptr: []int64{0, 1, 1, 3}, Indices: []int32{2, 0, 1}, Values: []float32{1, 0.5, 0.25}}
	check("all vectors and the graph", "1e346c74e98c2079a0de768fb24b9434b6c5bc5b36bf0e070a619c3cc078b17f")
	in.FoldPreferences = []*tensor.Matrix{counting(2, 2, 7), counting(2, 2, 9)}
	in.FoldOf = []uint8{0, 1, 1}
	check("folds", "66e57d1fab24477c2645d80205c9a91e33ad6a7bb23c455ddf291981e72244a9")
	in.ItemVectors = nil
	check("no item vectors", "990986586db338731731774fb7d99d0c1340848b9493cd5b42b46954de521804")
}

func TestDigestSeesModalitiesAndTimes(t *testing.T) {
	text, other := counting(3, 2, 1), counting(3, 2, 5)
	seen := map[string]string{}
	for what, in := range map[string]model.Inputs{
		"text":            {ItemVectors: map[string]*tensor.Matrix{model.Text: text}},
		"text and visual": {ItemVectors: map[string]*tensor.Matrix{model.Text: text, "visual": other}},
		"text and audio":  {ItemVectors: map[string]*tensor.Matrix{model.Text: text, "audio": other}},
		"visual":          {ItemVectors: map[string]*tensor.Matrix{"visual": text}},
		"times":           {ItemVectors: map[string]*tensor.Matrix{model.Text: text}, Times: []int64{1, 2}},
		"other times":     {ItemVectors: map[string]*tensor.Matrix{model.Text: text}, Times: []int64{2, 1}},
	} {
		d := digest(in)
		if twin, ok := seen[d]; ok {
			t.Errorf("%s and %s have the same digest", what, twin)
		}
		seen[d] = what
	}
}
