package training

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// SettingModalities is the setting by which a run names the modalities that it reads.
const SettingModalities = modality.Name

// itemVectors loads the item vectors, by modality, among what a run is made from.
func itemVectors(s *stage.Session, from map[workspace.Kind]string) (map[string]*tensor.Matrix, error) {
	vectors := map[string]*tensor.Matrix{}
	for kind, address := range from { // in any order: each has a place of its own
		name, ok := kind.Modality()
		if !ok {
			continue
		}
		x, err := s.Matrix(address, workspace.ItemVectorsFile)
		if err != nil {
			return nil, err
		}
		vectors[name] = x
	}
	return vectors, nil
}

// withModalities puts the modalities that the workspace offers in the place of those that a
// model leaves open, and fails where it reads one that is neither there nor can be made. texts
// tells whether text vectors are there or can be made; it is asked only where that matters.
func withModalities(s *stage.Session, opt Options, texts func() (bool, error)) (Options, error) {
	settings, err := parseSettings(opt.Settings)
	if err != nil {
		return opt, err
	}
	chosen, given := settings[modality.Name]
	leavesOpen := has(opt.Model, modality.Name) && (!given || chosen == modality.Auto)
	if leavesOpen {
		offered, err := offered(s.WS, texts)
		if err != nil {
			return opt, err
		}
		if len(offered) == 0 {
			return opt, usererr.NotReady(workspace.StageImport, "Import vectors: "+byImport(modality.Visual)+". Or import a catalogue with texts.",
				"model %s reads vectors of the items, and workspace %s has none and no texts to make them from", opt.Model, s.WS.Dir())
		}
		settings[modality.Name] = strings.Join(offered, ",")
		opt.Settings = slices.DeleteFunc(slices.Clone(opt.Settings), func(pair string) bool { return strings.HasPrefix(pair, modality.Name+"=") })
		opt.Settings = append(opt.Settings, modality.Name+"="+settings[modality.Name])
	}
	if err := missing(s.WS, opt.Model, settings, texts); err != nil {
		return opt, err
	}
	if leavesOpen {
		s.Note(workspace.StageTrain, "%s reads the modalities %s", opt.Model, settings[modality.Name])
	}
	return opt, nil
}

// byImport says how a modality is brought.
func byImport(name string) string {
	return fmt.Sprintf("the same import with %s %s=FILE.npy adds them to the workspace", usererr.Option("item-features"), name)
}

// offered lists the modalities of which item vectors are there or can be made, in the order in
// which models read them.
func offered(ws *workspace.Workspace, texts func() (bool, error)) ([]string, error) {
	names := slices.DeleteFunc(ws.Modalities(), func(name string) bool { return name == model.Text })
	if ok, err := texts(); err != nil {
		return nil, err
	} else if ok {
		names = append(names, model.Text)
	}
	return modality.Order(names), nil
}

// missing fails where a model under its settings reads a modality that is not offered. Of a
// model that says by no list what it reads, texts are the business of the stages that make them.
func missing(ws *workspace.Workspace, name string, settings map[string]string, texts func() (bool, error)) error {
	own := map[string]string{}
	for _, d := range model.Settings(name) {
		if v, ok := settings[d.Name]; ok {
			own[d.Name] = v
		}
	}
	needs, err := model.NeedsOf(name, own)
	if err != nil {
		return err
	}
	have := ws.Modalities()
	for _, m := range needs.ItemVectors {
		there := m == model.Text && !has(name, modality.Name) || m != model.Text && slices.Contains(have, m)
		if m == model.Text && !there {
			if there, err = texts(); err != nil {
				return err
			}
		}
		if there {
			continue
		}
		hint := "Import them: " + byImport(m) + "."
		if m == model.Text {
			hint = "Import a catalogue with texts, or import vectors: " + byImport(m) + "."
		}
		if has(name, modality.Name) {
			hint += fmt.Sprintf(" Or leave %s out of the setting %s.", m, modality.Name)
		}
		return usererr.NotReady(workspace.StageImport, hint, "model %s needs %s vectors of the items, and workspace %s has none", name, m, ws.Dir())
	}
	return nil
}

// Reads says in words what a model reads beside who chose what, under its default settings.
func Reads(name string) string {
	needs, err := model.NeedsOf(name, nil)
	if err != nil {
		return ""
	}
	var all []string
	if has(name, modality.Name) {
		all = append(all, "item vectors of the modalities that the data offer")
	} else if len(needs.ItemVectors) > 0 {
		all = append(all, "item vectors ("+strings.Join(needs.ItemVectors, ", ")+")")
	}
	for _, c := range []struct {
		needed bool
		what   string
	}{{needs.Preferences, "preferences"}, {needs.Graph, "the item graph"}, {needs.Times, "times"}} {
		if c.needed {
			all = append(all, c.what)
		}
	}
	return strings.Join(all, ", ")
}
