package model

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Spec describes a registered model.
type Spec struct {
	Name     string
	Doc      string // one whole sentence: what it is, and where from
	Settings []Setting
	// Needs says what the model reads under the given settings. Nil is a model that reads
	// the train interactions only.
	Needs func(v Values) Needs
	// Check reports settings that the model cannot do with, such as too few modalities. It is asked when a
	// run is planned, before anything is computed, and sees no data. Nil is a model that can do with all.
	Check func(v Values) error
	// Trainer holds the trainer's settings that the model was published with, where they differ from
	// the trainer's own defaults.
	Trainer map[string]string
	// Seedless says that nothing is drawn by lot: all seeds give the same.
	Seedless bool
	// WholeGraph reports whether a step works on the whole user–item graph, or nearly, however small its
	// batch is, so that an epoch of ten times the data takes a hundred times as long unless
	// batches grow. Nil is a model of which that is not true.
	WholeGraph func(v Values) bool
	// Fit fits a model that is not trained in epochs and that scores people by their histories;
	// it takes the place of New, and RestoreRanker that of Restore.
	Fit           func(ctx context.Context, in Inputs, v Values, f Fitting) (*Fitted, error)
	RestoreRanker func(w Weights, v Values) (Ranker, error)
	// New builds the model on inputs that [New] has checked: what Needs asks for is there,
	// and nothing else is.
	New func(in Inputs, v Values) (Model, error)
	// Restore builds from trained weights alone what places people never seen in training.
	// It is nil for a model that knows users by id only.
	Restore func(w Weights, v Values) (Placer, error)
	// RestoreHistories is the same for a model that places people by what they chose. It is nil
	// for a model that makes no user vector from a history alone.
	RestoreHistories func(w Weights, v Values) (HistoryPlacer, error)
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
		return Spec{}, usererr.New("Models: "+strings.Join(Names(), ", ")+".", "no model is named %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return s, nil
}

// Settings returns the descriptions of a model's settings, none for an unknown name.
func Settings(name string) []Setting { return slices.Clone(registry[name].Settings) }

// Seedless reports whether all seeds of the named model give the same.
func Seedless(name string) bool { return registry[name].Seedless }

// parse fills in defaults and checks the given settings.
func (s Spec) parse(settings map[string]string) (Values, error) {
	v, err := ParseSettings("model "+s.Name, s.Settings, settings)
	if err == nil && s.Check != nil {
		err = s.Check(v)
	}
	return v, err
}

// WholeGraph reports whether a step of the named model under the settings works on the
// whole graph: see [Spec].
func WholeGraph(name string, settings map[string]string) (bool, error) {
	s, err := Lookup(name)
	if err != nil || s.WholeGraph == nil {
		return false, err
	}
	v, err := s.parse(settings)
	return err == nil && s.WholeGraph(v), err
}

// prepare parses the settings of a model and leaves of the inputs what it needs.
func prepare(name string, in Inputs, settings map[string]string) (Spec, Inputs, Values, error) {
	s, err := Lookup(name)
	if err != nil {
		return s, in, Values{}, err
	}
	v, err := s.parse(settings)
	if err != nil {
		return s, in, v, err
	}
	needs := s.needs(v)
	in = needs.of(in)
	if err := in.Check(); err != nil {
		return s, in, v, err
	}
	return s, in, v, needs.check("model "+name, in)
}

// New builds a model on the inputs, with initial parameters drawn from in.Seed. An input
// that the model needs and that is missing is the user's mistake; the model does not get
// to see what it has no use for.
func New(name string, in Inputs, settings map[string]string) (Model, error) {
	s, in, v, err := prepare(name, in, settings)
	if err != nil {
		return nil, err
	}
	m, err := s.New(in, v)
	if err != nil {
		return nil, fmt.Errorf("build model %s: %w", name, err)
	}
	return m, nil
}
