package workspace

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A name that could lead out of a folder, or that is another kind's, is no modality.
func TestModalitiesAreKinds(t *testing.T) {
	for _, name := range []string{"visual", "audio", "a", "deep_2-features", strings.Repeat("x", MaxModality)} {
		got, ok := ItemVectorsOf(name).Modality()
		if !ok || got != name || !known(ItemVectorsOf(name)) || folderOf(ItemVectorsOf(name)) != "features" {
			t.Errorf("%q is the kind %q of modality %q", name, ItemVectorsOf(name), got)
		}
	}
	if ItemVectorsOf(Text) != KindItemVectors {
		t.Error("text vectors are another kind than those of version 0.1")
	}
	for _, kind := range []Kind{"item-vectors/", "item-vectors/text", "item-vectors/..", "item-vectors/../x", "item-vectors/A", "item-vectors/a/b", "item-vectors/a.b",
		"item-vectors/1a", "item-vectors/a b", "item-vectors/a\n", "item-vectors/ä", "user-vectors/visual", "visual", KindItemVectors + "/" + Kind(strings.Repeat("x", MaxModality+1))} {
		if name, ok := kind.modality(); ok || known(kind) {
			t.Errorf("%q is the modality %q", kind, name)
		}
	}
}

func TestKindsStandInOrder(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	inputs := map[Kind]Input{}
	for _, name := range []string{"visual", "audio", Text} {
		address, err := commit(w, ItemVectorsOf(name), "items-"+name, Artefact{Stage: StageImport, InputHash: HashInputs(name)}, map[string]string{ItemVectorsFile: name})
		if err != nil || !strings.HasPrefix(address, "features/items-"+name+"-") {
			t.Fatal(address, err)
		}
		inputs[ItemVectorsOf(name)] = Input{Address: address}
	}
	w = mustOpen(t, w.Dir())
	if got := w.Modalities(); !slices.Equal(got, []string{"audio", "text", "visual"}) {
		t.Errorf("modalities %q", got)
	}
	want := []Kind{KindData, KindItemTexts, KindUserTexts, KindItemVectors, "item-vectors/audio", "item-vectors/visual", KindUserVectors, KindItemGraph, KindRun, KindEvaluation}
	if got := w.Kinds(); !slices.Equal(got, want) {
		t.Errorf("kinds %q", got)
	}
	inputs[KindRun], inputs[KindData] = Input{}, Input{}
	if got := (Artefact{Inputs: inputs}).InputKinds(); !slices.Equal(got, []Kind{KindData, KindItemVectors, "item-vectors/audio", "item-vectors/visual", KindRun}) {
		t.Errorf("inputs %q", got)
	}
	for _, name := range w.Modalities() {
		if address, _, ok := w.Current(ItemVectorsOf(name)); !ok || !strings.Contains(address, name) {
			t.Errorf("current %s: %s", name, address)
		}
	}
}
