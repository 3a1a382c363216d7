package model

import (
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// everything is inputs of two users and two items in which nothing is missing.
func everything(t *testing.T) Inputs {
	t.Helper()
	ds := &dataset.Dataset{UserIDs: []string{"u", "v"}, Items: []dataset.Item{{ID: "i"}, {ID: "j"}}}
	ds.SetInteractions([]dataset.Interaction{{User: 0, Item: 0, Time: 7}, {User: 1, Item: 1, Time: 9}})
	in := Inputs{Train: ds.TrainHistories(), Users: 2, Items: 2,
		ItemVectors:     map[string]*tensor.Matrix{Text: tensor.New(2, 3), "visual": tensor.New(2, 4)},
		Preferences:     tensor.New(2, 3),
		FoldPreferences: []*tensor.Matrix{tensor.New(2, 3)}, FoldOf: []uint8{0, 0},
		Graph: &tensor.CSR{Rows: 2, Cols: 2, Indptr: make([]int64, 3)},
		Times: []int64{7, 9}}
	if err := in.Check(); err != nil {
		t.Fatal(err)
	}
	return in
}

// The registered models need text vectors, preferences and the graph at most; what
// models to come may ask for is checked here.
func TestMissingNeedsAreNamed(t *testing.T) {
	all := Needs{ItemVectors: []string{"visual", Text}, Preferences: true, Graph: true, Times: true}
	if err := all.check("model x", all.of(everything(t))); err != nil {
		t.Errorf("nothing is missing, but %v", err)
	}
	for _, c := range []struct {
		drop func(*Inputs)
		want string
	}{
		{func(in *Inputs) { delete(in.ItemVectors, Text) }, "model x needs item features"},
		{func(in *Inputs) { in.ItemVectors["visual"] = nil }, "model x needs visual item features"},
		{func(in *Inputs) { in.Preferences, in.FoldPreferences, in.FoldOf = nil, nil, nil }, "model x needs user features"},
		{func(in *Inputs) { in.Graph = nil }, "model x needs the item graph"},
		{func(in *Inputs) { in.Times = nil }, "model x needs the times"},
	} {
		in := everything(t)
		c.drop(&in)
		err := all.check("model x", all.of(in))
		if hint, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), c.want) || !strings.HasSuffix(hint, ".") {
			t.Errorf("error %v with hint %q, want a user error with %q", err, hint, c.want)
		}
	}
}

func TestWhatIsNotNeededIsDropped(t *testing.T) {
	in := everything(t)
	got := Needs{ItemVectors: []string{"visual"}}.of(in)
	if len(got.ItemVectors) != 1 || got.ItemVectors["visual"] != in.ItemVectors["visual"] {
		t.Errorf("item vectors %v are left", got.ItemVectors)
	}
	if got.Preferences != nil || got.FoldPreferences != nil || got.FoldOf != nil || got.Graph != nil || got.Times != nil {
		t.Errorf("not dropped: %+v", got)
	}
	if len(in.ItemVectors) != 2 {
		t.Error("the caller's inputs were changed")
	}
}

func TestNeedsOfTakesTheModelsOwnSettingsOnly(t *testing.T) {
	registry["test needs"] = Spec{Name: "test needs",
		Settings: []Setting{{Name: "deep", Kind: Bool, Default: "false", Doc: "whether the graph is read"}},
		Needs:    func(v Values) Needs { return Needs{Graph: v.Bool("deep")} }}
	defer delete(registry, "test needs")
	for _, c := range []struct {
		settings map[string]string
		want     bool
	}{{nil, false}, {map[string]string{"deep": "T"}, true}} {
		if n, err := NeedsOf("test needs", c.settings); err != nil || n.Graph != c.want {
			t.Errorf("settings %v: needs %+v (%v)", c.settings, n, err)
		}
	}
	for _, settings := range []map[string]string{{"deep": "maybe"}, {"lr": "0.1"}} {
		_, err := NeedsOf("test needs", settings)
		if _, ok := usererr.Hint(err); !ok {
			t.Errorf("settings %v: error %v, want the user's", settings, err)
		}
	}
	if _, err := NeedsOf("no such model", nil); err == nil {
		t.Error("a model that does not exist has needs")
	}
}

func TestWeightsOfAnotherShapeAreReported(t *testing.T) {
	w := Weights{"m": {[]int{2, 3}, make([]float32, 6)}, "v": {[]int{3}, make([]float32, 3)}, "none": {[]int{0, 3}, nil}}
	if m, err := w.Matrix("m", 2, Any); err != nil || m.Rows != 2 || m.Cols != 3 {
		t.Errorf("matrix %v (%v)", m, err)
	}
	if v, err := w.Vector("v", 3); err != nil || len(v) != 3 {
		t.Errorf("vector %v (%v)", v, err)
	}
	matrix := func(name string, rows, cols int) error { _, err := w.Matrix(name, rows, cols); return err }
	vector := func(name string, n int) error { _, err := w.Vector(name, n); return err }
	for want, err := range map[string]error{
		`"x" is missing`:                     matrix("x", 2, 3),
		`"m" has shape [2 3], want [3 *]`:    matrix("m", 3, Any),
		`"v" has shape [3], want [3 *]`:      matrix("v", 3, Any),
		`"none" has shape [0 3], want [* 3]`: matrix("none", Any, 3),
		`"v" has shape [3], want [4]`:        vector("v", 4),
		`"m" has shape [2 3], want [*]`:      vector("m", Any),
	} {
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want a user error with %q", err, want)
		}
	}
}
