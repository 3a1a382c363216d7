package importing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Features name a file of item vectors of one modality.
type Features struct {
	Modality string // such as "visual"; workspace.Text is that of texts
	Path     string // .npy file whose row r belongs to item r of the catalogue
	Where    string // for messages: where a file was found that nobody has named; else empty
}

// what names the vectors in messages.
func (f Features) what() string {
	what := "item features"
	if f.Modality != workspace.Text {
		what = f.Modality + " " + what
	}
	if f.Where != "" {
		what += " found " + f.Where + ","
	}
	return what
}

// ParseFeatures reads what users write: visual=a.npy, or a path alone, which is of the text
// modality. A path in which a = stands may be written so that what is before it cannot be a
// name: ./a=b.npy.
func ParseFeatures(text string) (Features, error) {
	name, path, named := strings.Cut(text, "=")
	if !named || strings.ContainsAny(name, `/\.:`) {
		name, path = workspace.Text, text
	}
	if err := checkModality(name); err != nil {
		hint, _ := usererr.Hint(err)
		return Features{}, usererr.New(hint, "%s %s: %w", usererr.Option("item-features"), text, err)
	}
	if path == "" {
		return Features{}, usererr.New("Write visual=FILE.npy, or FILE.npy alone for vectors of texts.", "%s %q names no file", usererr.Option("item-features"), text)
	}
	return Features{Modality: name, Path: path}, nil
}

// checkModality reports what cannot be the name of a modality.
func checkModality(name string) error {
	switch {
	case name == modality.Auto:
		return usererr.New("Give the modality another name.", "auto stands for all modalities and names none")
	case !modality.Check(name) || len(name) > workspace.MaxModality:
		return usererr.New(fmt.Sprintf("A modality is named by at most %d small letters, digits, hyphens and underscores, the first a letter: visual=FILE.npy. A path with a = in it is written ./a=b.npy.", workspace.MaxModality),
			"%q is no name of a modality", name)
	}
	return nil
}

// sorted returns features in the order in which they are read, and reports a modality whose
// name is none, or is given twice.
func sorted(features []Features) ([]Features, error) {
	var names []string
	for _, f := range features {
		if err := checkModality(f.Modality); err != nil {
			return nil, fmt.Errorf("item features: %w", err)
		}
		if slices.Contains(names, f.Modality) {
			return nil, usererr.New("One file holds all vectors of a modality; another modality has another name. A path alone is that of text.",
				"%s: %s vectors are given twice", usererr.Option("item-features"), f.Modality)
		}
		names = append(names, f.Modality)
	}
	order := modality.Order(names)
	return slices.SortedFunc(slices.Values(features), func(a, b Features) int {
		return slices.Index(order, a.Modality) - slices.Index(order, b.Modality)
	}), nil
}

// Modality says of which items' vectors the workspace has.
type Modality struct {
	Name    string `json:"modality"`
	Address string `json:"address"` // of the current ones
	Dim     int    `json:"dim"`
	From    string `json:"from"`           // "imported", or the encoder that made them
	File    string `json:"file,omitempty"` // name of the file that was imported
}

// Modalities lists the modalities of which the workspace has item vectors, in the order in
// which models read them.
func Modalities(ws *workspace.Workspace) []Modality {
	all := []Modality{}
	for _, name := range modality.Order(ws.Modalities()) {
		address, a, ok := ws.Current(workspace.ItemVectorsOf(name))
		if !ok {
			continue
		}
		m := Modality{Name: name, Address: address, From: a.Options["encoder"]}
		for _, key := range []string{"item_dim", "dim"} { // of imported ones, and of encoded ones
			switch n := a.Info[key].(type) {
			case int:
				m.Dim = n
			case float64: // as JSON has it
				m.Dim = int(n)
			}
		}
		m.File, _ = a.Info[infoFile].(string)
		all = append(all, m)
	}
	return all
}

// kept says of which vectors, imported before, this import brings no others.
func kept(ws *workspace.Workspace, brought []*features) (what []string) {
	isBrought := func(kind workspace.Kind) bool {
		return slices.ContainsFunc(brought, func(f *features) bool { return f.kind == kind })
	}
	for _, m := range Modalities(ws) {
		if m.From == imported && !isBrought(workspace.ItemVectorsOf(m.Name)) {
			what = append(what, m.Name+" vectors of the items")
		}
	}
	if _, users := Vectors(ws); users && !isBrought(workspace.KindUserVectors) {
		what = append(what, "vectors of the users")
	}
	return what
}
