package experiment

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/mllmrec/mllmrec/internal/model/all"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const somePlan = `name: floors
data: [a.ws]
seeds: [1, 2]
entries:
  - model: bpr
    grid: {reg_weight: ["0.1", "0.01"], lr: ["0.001"]}
  - label: deep
    model: lightgcn
    set: {layers: "4"}
`

func TestPlanComesBack(t *testing.T) {
	p, err := ParsePlan([]byte(somePlan))
	if err != nil {
		t.Fatal(err)
	}
	if p.Select != "recall@20" || p.Protocol != Ours || p.Kind != Compare || len(p.Entries[0].points()) != 2 {
		t.Errorf("%+v", p)
	}
	var text bytes.Buffer
	if err := p.Write(&text); err != nil {
		t.Fatal(err)
	}
	again, err := ParsePlan(text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var twice bytes.Buffer
	if err := again.Write(&twice); err != nil || twice.String() != text.String() {
		t.Errorf("%v: %s\nand\n%s", err, text.String(), twice.String())
	}
}

func TestBadPlansSayWhatIsWrong(t *testing.T) {
	for says, text := range map[string]string{
		"empty":                    "",
		"field colour not found":   somePlan + "colour: red\n",
		"line 2":                   "name: x\ndata: {a: b}\n",
		"more than one document":   somePlan + "---\nname: y\n",
		"names no data":            strings.Replace(somePlan, "data: [a.ws]\n", "", 1),
		"no entries":               "data: [a]\n",
		"no model is named":        strings.Replace(somePlan, "model: bpr", "model: bqr", 1),
		"two entries are called":   strings.Replace(somePlan, "label: deep", "label: bpr", 1),
		"both set and in the grid": strings.Replace(somePlan, "set: {layers", "grid: {layers: [\"1\"]}\n    set: {layers", 1),
		"given twice":              strings.Replace(somePlan, "[1, 2]", "[1, 1]", 1),
		"no values of reg_weight":  strings.Replace(somePlan, `["0.1", "0.01"]`, "[]", 1),
		"no metric to choose by":   somePlan + "select: recall@7\n",
		"ours or mmrec":            somePlan + "protocol: theirs\n",
		"names its folder":         strings.Replace(somePlan, "floors", "../up", 1),
	} {
		_, err := ParsePlan([]byte(text))
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// The plan that the how-to shows is one.
func TestPlanOfTheHowTo(t *testing.T) {
	raw, err := os.ReadFile("../../docs/howto/experiments.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "```yaml\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the page shows no plan")
	}
	p, err := ParsePlan([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Data) != 2 || len(p.Entries) != 2 || len(p.Entries[0].points()) != 3 || p.Entries[1].Options["jaccard-k"] != "5" || !slices.Equal(p.Without, []string{"l3ae"}) {
		t.Errorf("%+v", p)
	}
	for _, e := range p.Entries {
		for key := range e.Set {
			if !hasSetting(e.Model, key) {
				t.Errorf("%s has no setting %s", e.Model, key)
			}
		}
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add([]byte(somePlan))
	f.Add([]byte("entries: [{model: bpr, grid: {a: [b]}}]\ndata: [x]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParsePlan(raw)
		if err != nil {
			return
		}
		var text bytes.Buffer
		if err := p.Write(&text); err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePlan(text.Bytes()); err != nil {
			t.Fatalf("%v: %q", err, text.String())
		}
	})
}

func TestFloorsAreInEveryTable(t *testing.T) {
	p := &Plan{Entries: []Entry{{Model: "bm25"}}, Without: []string{"l3ae"}}
	if err := p.AddFloors(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range p.Entries {
		names = append(names, e.Model)
	}
	slices.Sort(names)
	if want := []string{"add-ease", "bm25", "ease", "hybrid", "itemknn", "spectral", "transitions"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	p.Without = []string{"bpr"}
	if err := p.AddFloors(); err == nil {
		t.Error("bpr is taken for a floor")
	}
	p = &Plan{Entries: []Entry{{Model: "bpr"}}, Without: []string{"all"}}
	if err := p.AddFloors(); err != nil || len(p.Entries) != 1 {
		t.Errorf("%v: %+v", err, p.Entries)
	}
}

func TestSweepTellsSettingsFromOptions(t *testing.T) {
	all, err := SweepOf("mllmrec", map[string][]string{"embedding_dim": {"16", "32"}, "jaccard-k": {"5"}, "lr": {"0.01"}})
	if err != nil || len(all) != 2 {
		t.Fatalf("%d points, %v", len(all), err)
	}
	e := all[1]
	if e.Set["embedding_dim"] != "32" || e.Set["lr"] != "0.01" || e.Options["jaccard-k"] != "5" || e.Label != "embedding_dim=32 jaccard-k=5 lr=0.01" {
		t.Errorf("%+v", e)
	}
	if _, err := GraphRefinement([]string{"bpr"}); err == nil {
		t.Error("bpr has no graph of items")
	}
}
