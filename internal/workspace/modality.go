package workspace

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Modalities that other programs' files have names of their own for.
const (
	Text   = "text"   // of [KindItemVectors]: the items' texts, encoded here where none are imported
	Visual = "visual" // the items' pictures
)

// MaxModality is how long the name of a modality may be.
const MaxModality = 40

// modalityForm is what can stand in a kind: the name of a modality leads out of no folder.
var modalityForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// ItemVectorsOf returns the kind of the items' vectors of a modality, such as "visual". Each
// modality is a kind of its own, so that what is made from one of them does not depend on the
// others. The name must be one: small letters, digits, hyphens and underscores.
func ItemVectorsOf(modality string) Kind {
	if modality == Text {
		return KindItemVectors
	}
	return KindItemVectors + "/" + Kind(modality)
}

// Modality returns the modality of item vectors; false for other kinds.
func (k Kind) Modality() (name string, ok bool) {
	if k == KindItemVectors {
		return Text, true
	}
	return k.modality()
}

// modality is [Kind.Modality] without that of texts, whose kind has no name behind it.
func (k Kind) modality() (name string, ok bool) {
	name, ok = strings.CutPrefix(string(k), string(KindItemVectors)+"/")
	if !ok || name == Text || len(name) > MaxModality || !modalityForm.MatchString(name) {
		return "", false
	}
	return name, true
}

// compareKinds sorts kinds, each after those that it can be made from; item vectors by the
// names of their modalities, those of texts first.
func compareKinds(a, b Kind) int {
	rank := func(k Kind) int {
		if _, ok := k.modality(); ok {
			k = KindItemVectors
		}
		return slices.Index(kinds(), k)
	}
	return cmp.Or(rank(a)-rank(b), strings.Compare(string(a), string(b)))
}

// Kinds returns all kinds, with those of the modalities of which the workspace has vectors,
// each after those that it can be made from.
func (w *Workspace) Kinds() []Kind {
	all := kinds()
	for _, modality := range w.Modalities() {
		if modality != Text {
			all = append(all, ItemVectorsOf(modality))
		}
	}
	slices.SortFunc(all, compareKinds)
	return all
}

// Modalities returns the modalities of which the workspace has item vectors, sorted.
func (w *Workspace) Modalities() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := map[string]bool{}
	for _, a := range w.manifest.Artefacts {
		if name, ok := a.Kind.Modality(); ok {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// InputKinds returns the kinds of what the artefact was made from, each after those that it
// can be made from.
func (a Artefact) InputKinds() []Kind {
	return slices.SortedFunc(maps.Keys(a.Inputs), compareKinds)
}
