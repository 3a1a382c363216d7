package model_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func TestDistinctNumbersByFirstAppearance(t *testing.T) {
	d := model.NewDistinct(10)
	for range 2 { // the second batch must not remember the first
		d.Reset()
		a, b := make([]int32, 4), make([]int32, 3)
		d.Number(a, []int32{7, 3, 7, 9})
		d.Number(b, []int32{3, 0, 7})
		if !slices.Equal(a, []int32{0, 1, 0, 2}) || !slices.Equal(b, []int32{1, 3, 0}) || !slices.Equal(d.Keys(), []int32{7, 3, 9, 0}) {
			t.Errorf("numbers %v %v of keys %v", a, b, d.Keys())
		}
		d.Reset()
		if d.Number(a[:1], []int32{9}); a[0] != 0 || len(d.Keys()) != 1 {
			t.Errorf("after Reset key 9 has number %d of %v", a[0], d.Keys())
		}
	}
}

func TestSettingsAreCanonical(t *testing.T) {
	defs := []model.Setting{
		{Name: "rate", Kind: model.Float, Default: "0.1"},
		{Name: "deep", Kind: model.Bool, Default: "false"},
		{Name: "layers", Kind: model.Int, Default: "2", Min: 1, Max: 4},
	}
	v, err := model.ParseSettings("test", defs, map[string]string{"rate": "1e-3", "deep": "T"})
	if err != nil || v.Text("rate") != "0.001" || v.Float("rate") != 0.001 || !v.Bool("deep") || v.Int("layers") != 2 {
		t.Errorf("values %v, %v", v.Map(), err)
	}
	if !v.Given("rate") || v.Given("layers") {
		t.Error("given and defaulted settings are mixed up")
	}
	for _, c := range []struct{ name, value, want string }{
		{"layers", "5", "above 4"}, {"layers", "0", "below 1"}, {"layers", "1.5", "whole"},
		{"rate", "Inf", "not a number"}, {"rate", "-1", "below 0"}, {"deep", "maybe", "true nor false"},
		{"depth", "1", "deep, layers, rate"},
	} {
		_, err := model.ParseSettings("test", defs, map[string]string{c.name: c.value})
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: %v, want %q", c.name, c.value, err, c.want)
		}
	}
}

// The settings of every model must have defaults that they accept themselves, and
// documentation to show.
func TestRegisteredSettings(t *testing.T) {
	for _, name := range model.Names() {
		spec, err := model.Lookup(name)
		if err != nil || !strings.HasSuffix(spec.Doc, ".") {
			t.Errorf("%s: the documentation is no sentence: %q, %v", name, spec.Doc, err)
		}
		if _, err := model.ParseSettings(name, spec.Settings, nil); err != nil {
			t.Error(err)
		}
		for _, s := range spec.Settings {
			if s.Doc == "" {
				t.Errorf("%s: setting %s has no documentation", name, s.Name)
			}
		}
	}
}

func TestContradictoryInputsAreRefused(t *testing.T) {
	data := modeltest.Make(tiny, 1)
	for what, change := range map[string]func(*model.Inputs){
		"no histories": func(in *model.Inputs) { in.Train = nil },
		"other users":  func(in *model.Inputs) { in.Users++ },
		"other items":  func(in *model.Inputs) { in.Items-- },
		"short users":  func(in *model.Inputs) { in.Preferences = in.Preferences.RowRange(0, 3) },
		"short items": func(in *model.Inputs) {
			in.ItemVectors = map[string]*tensor.Matrix{"visual": tensor.New(3, 2)}
		},
		"times of too few":   func(in *model.Inputs) { in.Times = make([]int64, 3) },
		"folds of too few":   func(in *model.Inputs) { in.FoldOf = in.FoldOf[1:] },
		"fold out of range":  func(in *model.Inputs) { in.FoldOf = slices.Repeat([]uint8{2}, len(in.FoldOf)) },
		"folds of no vector": func(in *model.Inputs) { in.FoldPreferences = nil },
		"narrow fold": func(in *model.Inputs) {
			in.FoldPreferences = modeltest.Make(modeltest.Shape{Users: tiny.Users, Items: tiny.Items, Train: tiny.Train, Width: 5, Tastes: 4}, 1).WithFolds(2).FoldPreferences
		},
	} {
		in := data.WithFolds(2)
		if err := in.Check(); err != nil {
			t.Fatal(err)
		}
		change(&in)
		if err := in.Check(); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}
