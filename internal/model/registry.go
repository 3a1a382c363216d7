package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Spec describes a registered model.
type Spec struct {
	Name     string
	Doc      string // one sentence: what it is, and where from
	Settings []Setting
	Content  bool // learns from item and user features, and so inherits their provenance
	New      func(in Inputs, v Values) (Model, error)
}

var registry = map[string]Spec{}

// Register adds a model. It is called from init functions and panics on a second
// model of the same name.
func Register(s Spec) {
	if _, ok := registry[s.Name]; ok {
		panic("model: " + s.Name + " registered twice")
	}
	registry[s.Name] = s
}

// Names returns the registered names, sorted.
func Names() []string {
	var names []string
	for n := range registry {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Lookup returns the description of a registered model. An unknown name is the
// user's mistake.
func Lookup(name string) (Spec, error) {
	s, ok := registry[name]
	if !ok {
		return Spec{}, usererr.New("models: "+strings.Join(Names(), ", "), "no model is named %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return s, nil
}

// Settings returns the descriptions of a model's settings, none for an unknown name.
func Settings(name string) []Setting { return slices.Clone(registry[name].Settings) }

// New builds a model on the inputs, with initial parameters drawn from in.Seed.
func New(name string, in Inputs, settings map[string]string) (Model, error) {
	s, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	v, err := ParseSettings("model "+name, s.Settings, settings)
	if err != nil {
		return nil, err
	}
	if err := in.Check(); err != nil {
		return nil, err
	}
	m, err := s.New(in, v)
	if err != nil {
		return nil, fmt.Errorf("building model %s: %w", name, err)
	}
	return m, nil
}
