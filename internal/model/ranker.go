package model

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Person is somebody for whom the catalogue is scored.
type Person struct {
	History    []int32   // item rows that they chose, oldest first; may be empty
	Preference []float32 // vector of their preference text; nil where there is none
}

// Ranker scores the whole catalogue for people by what they chose, known users and strangers
// alike: models that know nobody by an id. Its scores need not be one inner product. It is safe
// for concurrent use.
type Ranker interface {
	Items() int
	// Score writes the scores of people[r] to row r of dst, a len(people)×Items() matrix with
	// arbitrary content. The scores of one person have the same bits whoever else is scored in
	// the same call.
	Score(people []Person, dst *tensor.Matrix) error
}

// Share is the part of a score that one thing has in it. The shares of a score sum to it.
type Share struct {
	View string  // the part of the model that it comes through
	Item int32   // item of the history; -1 for what comes from none of them
	Part float64 // of the score
}

// Explainer is a Ranker that takes its scores apart.
type Explainer interface {
	// Explain returns what tells what the score of an item for a person is made of.
	Explain(p Person) (func(item int32) []Share, error)
}

// Validation measures ranked lists by validation interactions, which the model never sees: what
// chooses among settings is a number.
type Validation interface {
	// Users returns the rows of the users with validation interactions, ascending.
	Users() []int32
	// Measure returns the metrics of ranked lists of items, one list for each of the users of
	// Users that are given, in their order.
	Measure(users []int32, lists [][]int32) (map[string]float64, error)
}

// Fitting is what a model that is fitted, not trained in epochs, is handed beside its inputs.
// All but the inputs may be missing.
type Fitting struct {
	Validation Validation                             // for a model that chooses among settings
	Progress   func(what string, done, total float64) // of each part
	Note       func(format string, args ...any)       // what the user should know
	// Keep returns the named part of the model, made by make or, where an interrupted fit had
	// made it already, read again.
	Keep func(part string, make func() (Weights, error)) (Weights, error)
	// Train trains another registered model, of the type that has epochs, on the inputs, for at
	// most so many epochs, and returns the weights of its best one.
	Train func(ctx context.Context, name string, in Inputs, settings map[string]string, epochs int) (Weights, error)
}

// Kept returns a part of the model: see [Fitting].Keep.
func (f Fitting) Kept(part string, make func() (Weights, error)) (Weights, error) {
	if f.Keep == nil {
		return make()
	}
	return f.Keep(part, make)
}

// Say reports progress where somebody listens.
func (f Fitting) Say(what string, done, total float64) {
	if f.Progress != nil {
		f.Progress(what, done, total)
	}
}

// Tell notes what the user should know, where somebody listens.
func (f Fitting) Tell(format string, args ...any) {
	if f.Note != nil {
		f.Note(format, args...)
	}
}

// Fitted is what came of fitting.
type Fitted struct {
	Weights Weights           // all that scores, in a form that a weights file holds
	Found   map[string]string // what was chosen on validation, for people to read
}

// Fits reports whether the named model is fitted at once and scores people by their
// histories, rather than trained in epochs to vectors of users and items.
func Fits(name string) bool { return registry[name].Fit != nil }

// Fit fits the named model on the inputs. An input that it needs and that is missing is the
// user's mistake; the model does not get to see what it has no use for.
func Fit(ctx context.Context, name string, in Inputs, settings map[string]string, f Fitting) (*Fitted, map[string]string, error) {
	s, in, v, err := prepare(name, in, settings)
	if err != nil {
		return nil, nil, err
	}
	fitted, err := s.Fit(ctx, in, v, f)
	if err != nil {
		return nil, nil, fmt.Errorf("fit model %s: %w", name, err)
	}
	return fitted, v.Map(), nil
}

// RestoreRanker builds the ranker of the named model from what was fitted, under the settings that it
// was fitted with.
func RestoreRanker(name string, w Weights, settings map[string]string) (Ranker, error) {
	s, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	v, err := s.parse(settings)
	if err != nil {
		return nil, err
	}
	return s.RestoreRanker(w, v)
}

// UserScorer scores the users of the training data by a ranker and their train histories. It is
// a Scorer of package eval.
type UserScorer struct {
	Ranker      Ranker
	Train       *dataset.Histories
	Preferences *tensor.Matrix // one row a user; nil for a model that reads none
	Newest      int            // items of a history that are shown, the newest; 0 = all
}

// Users returns the number of users.
func (s *UserScorer) Users() int { return s.Train.Users() }

// Items returns the size of the catalogue.
func (s *UserScorer) Items() int { return s.Ranker.Items() }

// Scores writes the scores of users[r] to row r of dst.
func (s *UserScorer) Scores(users []int32, dst *tensor.Matrix) error {
	people := make([]Person, len(users))
	for r, u := range users {
		people[r] = s.Person(int(u))
	}
	return s.Ranker.Score(people, dst)
}

// Person returns a user of the training data.
func (s *UserScorer) Person(u int) Person {
	p := Person{History: s.Train.Items(u)}
	if s.Newest > 0 && len(p.History) > s.Newest {
		p.History = p.History[len(p.History)-s.Newest:]
	}
	if s.Preferences != nil {
		p.Preference = s.Preferences.Row(u)
	}
	return p
}

// Viewed is a Ranker that fuses views which can be left out one by one.
type Viewed interface {
	Ranker
	// Views names the views that have a say, in a fixed order.
	Views() []string
	// Without returns the same ranker without a view; the weights of the others stay.
	Without(view string) Ranker
}

// Sayable is a Ranker that can be told to listen to preference texts, or to listen to them more.
type Sayable interface {
	Ranker
	// WithPreferences returns the same ranker with the given weight on the standardised
	// inner products of a person's preference vector and the items' vectors, a row an item, for
	// everybody who has a history; what it had of preferences before is replaced. The
	// weights of all else stay.
	WithPreferences(items *tensor.Matrix, weight float32) Ranker
	// Listening is WithPreferences for people who said themselves what they like: it weighs as much as
	// all that they did.
	Listening(items *tensor.Matrix) Ranker
}
