package model_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model/goldentest"
)

// Of these models no numbers of published code are stored. scripts/make_multimodal_golden.py computed the fixtures
// from the equations in their packages' comments, in another language, under our names of parameters and settings.
func TestGoldenByEquations(t *testing.T) {
	for fixture, c := range map[string]struct {
		model string
		off   map[string]string // what would be drawn by lot
	}{
		"BM3":     {"bm3", map[string]string{"dropout": "0"}},
		"DualGNN": {"dualgnn", nil},
		"MMSSL":   {"mmssl", map[string]string{"dropout": "0", "noise": "0", "gradient_penalty": "0"}},
	} {
		goldentest.Run(t, fixture, func(_ string, f *goldentest.Fixture) goldentest.Case {
			g := goldentest.Case{Model: c.model, Settings: map[string]string{"modalities": pair}, Names: map[string]string{}}
			for _, name := range slices.Sorted(maps.Keys(f.Params)) {
				g.Names[name] = name
			}
			for setting := range f.Config {
				g.Settings[setting] = f.Number(setting)
			}
			maps.Copy(g.Settings, c.off)
			return g
		})
	}
}
