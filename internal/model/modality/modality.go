// Package modality holds the setting by which a multimodal model is told which vectors of the
// items it reads: `modalities`, a list of names such as visual,text. A model reads them in the
// order of the list.
package modality

import (
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Auto stands for what the data offers. Who plans a run puts the list in its place; where nobody did, it
// is [Published].
const Auto = "auto"

// Visual is the modality of the items' pictures.
const Visual = "visual"

// Published returns the modalities of the published experiments.
func Published() []string { return []string{Visual, model.Text} }

// Name is the name of the setting.
const Name = "modalities"

// Setting returns the setting's description.
func Setting() model.Setting {
	return model.Setting{Name: Name, Kind: model.List, Default: Auto,
		Doc: "item vectors that are read, in this order, such as visual,text; auto is what the data offers"}
}

// Of returns the modalities of a model with that setting.
func Of(v model.Values) []string {
	if text := v.Text(Name); text != Auto {
		return strings.Split(text, ",")
	}
	return Published()
}

// Two refuses any number of modalities but two, for a model that does something with a pair of them, such
// as "fuses".
func Two(name, does string) func(v model.Values) error {
	return func(v model.Values) error {
		if n := len(Of(v)); n != 2 {
			return usererr.New("Name two modalities, import vectors of another one, or choose a model that reads any number, such as mgcn or freedom.", "model %s %s two modalities, not %d", name, does, n)
		}
		return nil
	}
}

// Order sorts the modalities that a data set offers as the models read them: visual, then text,
// then others by name.
func Order(offered []string) []string {
	rank := func(name string) int {
		if k := slices.Index(Published(), name); k >= 0 {
			return k
		}
		return len(Published())
	}
	return slices.SortedFunc(slices.Values(offered), func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

// Check reports a name that is none: modalities are named by small letters, digits, hyphens and
// underscores, beginning with a letter.
func Check(name string) bool { return model.IsName(name) }
