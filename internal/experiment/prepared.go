package experiment

import (
	"maps"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Ablation returns the variants of the paper's model: Table 2's, the user–item convolution, and what item texts are
// made of.
func Ablation() []Entry {
	const name = "mllmrec"
	return []Entry{
		{Label: "MLLMRec", Model: name},
		{Label: "without reasoning", Model: name, Set: map[string]string{"variant": "no_reasoning"}},
		{Label: "without item convolution", Model: name, Set: map[string]string{"variant": "no_gcn"}},
		{Label: "without topology enhancement", Model: name, Options: map[string]string{"topology": "false"}},
		{Label: "without graph denoising", Model: name, Options: map[string]string{"denoise": "false"}},
		{Label: "with user–item convolution", Model: name, Set: map[string]string{"variant": "ui_gcn"}},
		{Label: "texts without pictures", Model: name, Options: map[string]string{"item-texts": "words"}},
		{Label: "texts without words", Model: name, Options: map[string]string{"item-texts": "pictures"}},
	}
}

// GraphRefinement returns models that take the refined item graph in the place of their own, each beside
// itself: the +GR of the paper's Figure 3.
func GraphRefinement(models []string) (all []Entry, err error) {
	for _, name := range models {
		if !hasSetting(name, "graph") {
			return nil, usererr.New("Models with a graph of their own: "+strings.Join(graphed(), ", ")+".", "model %s has no item graph that the refined one could take the place of", name)
		}
		all = append(all, Entry{Model: name}, Entry{Label: name + "+GR", Model: name, Set: map[string]string{"graph": "refined"}})
	}
	return all, nil
}

func graphed() (names []string) {
	for _, name := range model.Names() {
		if hasSetting(name, "graph") {
			names = append(names, name)
		}
	}
	return names
}

// SweepOf returns an entry for each point of a grid over settings of a model and options of the stages. Unlike
// a search, which keeps the best, a sweep shows all.
func SweepOf(name string, over map[string][]string) (all []Entry, err error) {
	if len(over) == 0 {
		return nil, usererr.New("Name a setting or option with values.", "a sweep needs something to go over")
	}
	for _, at := range (Entry{Grid: over}).points() {
		e := Entry{Model: name, Set: map[string]string{}, Options: map[string]string{}, Point: at}
		var label []string
		for _, key := range slices.Sorted(maps.Keys(at)) {
			label = append(label, key+"="+at[key])
			if hasSetting(name, key) || isTrainers(key) {
				e.Set[key] = at[key]
			} else {
				e.Options[key] = at[key]
			}
		}
		e.Label = strings.Join(label, " ")
		all = append(all, e)
	}
	return all, nil
}

// isTrainers reports whether a setting is the trainer's.
func isTrainers(key string) bool {
	return slices.Contains([]string{"lr", "lr_decay", "weight_decay", "batch_size", "epochs", "patience"}, key)
}
