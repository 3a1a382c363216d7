package training

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// What a model may read or leave, by the names of its settings: a model with such settings takes
// what the data offers.
const (
	readsTimes       = "times"
	readsTexts       = "texts"
	readsPreferences = "preferences"
)

// has reports whether a model has a setting of that name.
func has(name, setting string) bool {
	return slices.ContainsFunc(model.Settings(name), func(d model.Setting) bool { return d.Name == setting })
}

// Offered returns the options with the settings by which a model leaves what the data set does
// not offer, or takes the modalities that it does, where the user has not set them, and says so:
// a data set without times is no mistake of who trains a model that does without. A modality
// that a model needs and that the workspace lacks is an error.
//
// Where item or user vectors came with the data, no texts are written: a view whose vectors did
// not come is left out.
func Offered(s *stage.Session, opt Options, importedItems, importedUsers bool) (Options, error) {
	texts := func() (bool, error) {
		if importedItems || importedUsers {
			return importedItems, nil
		}
		ds, err := s.Dataset()
		if err != nil {
			return false, err
		}
		return slices.ContainsFunc(ds.Items, func(i dataset.Item) bool { return i.Text() != "" || i.Image != "" }), nil
	}
	opt, err := withoutLacking(s, opt, texts, importedItems, importedUsers)
	if err != nil {
		return opt, err
	}
	return withModalities(s, opt, texts)
}

// withoutLacking switches off what the data set lacks.
func withoutLacking(s *stage.Session, opt Options, offersTexts func() (bool, error), importedItems, importedUsers bool) (Options, error) {
	given := func(name string) bool {
		return slices.ContainsFunc(opt.Settings, func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
	}
	if !has(opt.Model, readsTimes) && !has(opt.Model, readsTexts) && !has(opt.Model, readsPreferences) {
		return opt, nil
	}
	ds, err := s.Dataset()
	if err != nil {
		return opt, err
	}
	texts, err := offersTexts()
	if err != nil {
		return opt, err
	}
	preferences := texts && (importedUsers || !importedItems)
	for _, c := range []struct {
		name, lacks string
		offered     bool
	}{
		{readsTimes, "no order of choices", trainTimes(ds, ds.TrainHistories()) != nil},
		{readsTexts, "no texts, pictures or vectors of items", texts},
		{readsPreferences, "nothing to write preferences from, or no vectors of them", preferences},
	} {
		if !has(opt.Model, c.name) || given(c.name) || c.offered {
			continue
		}
		opt.Settings = append(slices.Clone(opt.Settings), c.name+"="+strconv.FormatBool(false))
		s.Note(workspace.StageTrain, "the data set has %s: %s does without", c.lacks, opt.Model)
	}
	return opt, nil
}
