// Package experiment runs many trainings side by side and says what they show: models beside each other, a model's
// variants, a grid of settings. Settings are chosen by validation; test is measured and has no say.
//
// Every trial runs in a process and a workspace of its own, which shares the finished artefacts with the one
// that it is about. A trial that has ended is not repeated, one that was stopped goes on.
package experiment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Kinds of experiments.
const (
	Compare = "compare"
	Ablate  = "ablate"
	Sweep   = "sweep"
)

// Protocols.
const (
	Ours  = "ours"
	MMRec = "mmrec" // batches of 2048, patience 20, the selected metric rounded to four decimals
)

// Plan says what an experiment is of.
type Plan struct {
	Name     string            `yaml:"name"`
	Kind     string            `yaml:"kind"`
	Data     []string          `yaml:"data"`              // folders of workspaces
	Options  map[string]string `yaml:"options,omitempty"` // of the stages before training, for every entry
	Entries  []Entry           `yaml:"entries"`
	Seeds    []uint64          `yaml:"seeds"`
	Finals   int               `yaml:"finalists,omitempty"` // entries of each data set that run with all seeds, the best on validation; 0: all
	Select   string            `yaml:"select"`              // validation metric that chooses epochs, settings and the winner
	Protocol string            `yaml:"protocol"`            // ours or mmrec
	Epochs   int               `yaml:"epochs,omitempty"`
	Without  []string          `yaml:"without,omitempty"` // floors to leave out of a comparison, or all
}

// Entry is one thing to try: a model under some settings, or under the best of a grid of them.
type Entry struct {
	Label   string              `yaml:"label,omitempty"` // "": the model's name
	Model   string              `yaml:"model"`
	Set     map[string]string   `yaml:"set,omitempty"`     // settings of the model and the trainer
	Options map[string]string   `yaml:"options,omitempty"` // of the stages before training
	Grid    map[string][]string `yaml:"grid,omitempty"`    // values of settings to choose among by validation
	Floor   bool                `yaml:"floor,omitempty"`   // was added because no table should go without it
	Point   map[string]string   `yaml:"point,omitempty"`   // where it stands in a sweep
}

// Name is the entry's label.
func (e Entry) Name() string {
	if e.Label != "" {
		return e.Label
	}
	return e.Model
}

// Floors are the models that no table should go without: they learn little or nothing and are hard to
// beat.
func Floors() []string {
	return []string{"itemknn", "bm25", "ease", "add-ease", "l3ae", "spectral", "transitions", "hybrid"}
}

// ReadPlan reads a plan in YAML. Unknown keys are mistakes.
func ReadPlan(path string) (*Plan, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("read the plan: %w", err), "")
	}
	p, err := ParsePlan(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// ParsePlan is ReadPlan of text.
func ParsePlan(raw []byte) (*Plan, error) {
	p := new(Plan)
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(p); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return nil, usererr.Wrap(fmt.Errorf("read the plan: %w", err), "A plan has data, entries, seeds, and may have name, options, select, protocol and epochs.")
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, usererr.New("Leave the second document out.", "read the plan: it holds more than one document")
	}
	return p, p.Check()
}

// Write writes the plan as YAML.
func (p *Plan) Write(w io.Writer) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	return errors.Join(e.Encode(p), e.Close())
}

// Check fills in what was left open and fails where the plan cannot be carried out.
func (p *Plan) Check() error {
	if p.Kind == "" {
		p.Kind = Compare
	}
	if p.Name == "" {
		p.Name = p.Kind
	}
	if len(p.Seeds) == 0 {
		p.Seeds = []uint64{999}
	}
	if p.Select == "" {
		p.Select = "recall@20"
	}
	if p.Protocol == "" {
		p.Protocol = Ours
	}
	switch {
	case strings.ContainsAny(p.Name, "/\\") || strings.HasPrefix(p.Name, "."):
		return usererr.New("Use letters, digits and hyphens.", "%q is no name for an experiment: it names its folder", p.Name)
	case !slices.Contains([]string{Compare, Ablate, Sweep}, p.Kind):
		return usererr.New("", "an experiment is of kind compare, ablate or sweep, not %q", p.Kind)
	case p.Protocol != Ours && p.Protocol != MMRec:
		return usererr.New("", "the protocol is ours or mmrec, not %q", p.Protocol)
	case len(p.Data) == 0:
		return usererr.New("Name the folder of a workspace.", "the plan names no data")
	case len(p.Entries) == 0:
		return usererr.New("Name a model.", "the plan has no entries")
	case !slices.Contains(train.Selectable(), p.Select):
		return usererr.New("Metrics: "+strings.Join(train.Selectable(), ", ")+".", "%q is no metric to choose by", p.Select)
	case p.Finals < 0:
		return usererr.New("Leave it out to run all entries with all seeds.", "%d finalists", p.Finals)
	case p.Finals > 0 && len(p.Seeds) < 2:
		return usererr.New("Give more seeds, or leave finalists out.", "finalists run with all seeds, and the plan has one")
	case p.Epochs < 0:
		return usererr.New("Leave it out for the trainer's own limit.", "%d epochs", p.Epochs)
	}
	return p.checkEntries()
}

func (p *Plan) checkEntries() error {
	met := map[string]bool{}
	for n, e := range p.Entries {
		if _, err := model.Lookup(e.Model); err != nil {
			return fmt.Errorf("entry %d: %w", n+1, err)
		}
		if met[e.Name()] {
			return usererr.New("Give each a label of its own.", "two entries are called %q", e.Name())
		}
		met[e.Name()] = true
		for key, values := range e.Grid {
			if len(values) == 0 {
				return usererr.New("Give values or leave it out.", "entry %s: the grid has no values of %s", e.Name(), key)
			}
			if _, both := e.Set[key]; both {
				return usererr.New("Leave one out.", "entry %s: %s is both set and in the grid", e.Name(), key)
			}
		}
	}
	for n, s := range p.Seeds {
		if slices.Contains(p.Seeds[:n], s) {
			return usererr.New("", "seed %d is given twice", s)
		}
	}
	return nil
}

// everyFloor in Without stands for all floors.
const everyFloor = "all"

// AddFloors adds the floors that the plan does not have and that are not among those to do without.
func (p *Plan) AddFloors() error {
	if slices.Equal(p.Without, []string{everyFloor}) {
		return nil
	}
	for _, name := range p.Without {
		if !slices.Contains(Floors(), name) {
			return usererr.New("Floors: "+strings.Join(Floors(), ", ")+".", "%s is no floor", name)
		}
	}
	for _, name := range Floors() {
		named := slices.ContainsFunc(p.Entries, func(e Entry) bool { return e.Model == name })
		if !named && !slices.Contains(p.Without, name) {
			p.Entries = append(p.Entries, Entry{Model: name, Floor: true, Grid: floorGrid(name)})
		}
	}
	return nil
}

// floorGrid is what validation chooses a floor's settings from: how much newer choices count more, where
// the data have times.
func floorGrid(name string) map[string][]string {
	for _, s := range model.Settings(name) {
		if s.Name == "decay" && s.Kind == model.Float {
			return map[string][]string{"decay": {"1", "0.7"}}
		}
	}
	return nil
}

// points are the settings that a grid spells out, in a fixed order; of no grid one, which is empty.
func (e Entry) points() []map[string]string {
	points := []map[string]string{{}}
	for _, key := range slices.Sorted(maps.Keys(e.Grid)) {
		var more []map[string]string
		for _, p := range points {
			for _, value := range e.Grid[key] {
				q := maps.Clone(p)
				q[key] = value
				more = append(more, q)
			}
		}
		points = more
	}
	return points
}
