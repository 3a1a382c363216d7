package model

import (
	"fmt"
	"slices"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Text is the modality of item vectors that a sentence encoder made from the items'
// texts, with the descriptions of their pictures (Eq. 5). Other modalities have names of
// their own.
const Text = "text"

// Needs says what a model reads beside the train interactions, which every model reads.
type Needs struct {
	ItemVectors []string // modalities, the keys of Inputs.ItemVectors
	Preferences bool     // the users' preference texts as vectors
	Graph       bool     // the item graph
	Times       bool     // when the train interactions happened
}

// NeedsOf returns what the named model reads under the given settings, which are the
// model's own and may be incomplete.
func NeedsOf(name string, settings map[string]string) (Needs, error) {
	s, err := Lookup(name)
	if err != nil {
		return Needs{}, err
	}
	v, err := s.parse(settings)
	if err != nil {
		return Needs{}, err
	}
	return s.needs(v), nil
}

func (s Spec) needs(v Values) Needs {
	if s.Needs == nil {
		return Needs{}
	}
	return s.Needs(v)
}

// of returns the inputs without what is not needed.
func (n Needs) of(in Inputs) Inputs {
	all := in.ItemVectors
	in.ItemVectors = map[string]*tensor.Matrix{}
	for _, modality := range n.ItemVectors {
		if m := all[modality]; m != nil {
			in.ItemVectors[modality] = m
		}
	}
	if !n.Preferences {
		in.Preferences, in.FoldPreferences, in.FoldOf = nil, nil, nil
	}
	if !n.Graph {
		in.Graph = nil
	}
	if !n.Times {
		in.Times = nil
	}
	return in
}

// check reports the first thing that the inputs lack. model names who needs it.
func (n Needs) check(model string, in Inputs) error {
	for _, modality := range slices.Sorted(slices.Values(n.ItemVectors)) {
		if in.ItemVectors[modality] != nil {
			continue
		}
		if modality == Text {
			return usererr.New("Encode the item texts, or import item features.", "%s needs item features", model)
		}
		return usererr.New(fmt.Sprintf("Make or import the items' %s vectors, or choose a model or variant that needs none.", modality),
			"%s needs %s item features", model, modality)
	}
	switch {
	case n.Preferences && in.Preferences == nil:
		return usererr.New("Write the preference texts and encode them, import user features, or choose a model or variant that needs none.",
			"%s needs user features", model)
	case n.Graph && in.Graph == nil:
		return usererr.New("Build the item graph, or choose a model or variant that needs none.", "%s needs the item graph", model)
	case n.Times && in.Times == nil:
		return usererr.New("Import the interactions with their times, or choose a model, or settings of it, that needs none: decay=1 counts a history's items alike.", "%s needs the times of the interactions", model)
	}
	return nil
}
