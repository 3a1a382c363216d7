package audit

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// recorded returns a data set of 3 users with 4 train, 1 valid and 1 test item each, and
// honest texts: one full text and two fold texts a user. The interaction ids of user u
// are 6u to 6u+5, the last two held out.
func recorded() (*dataset.Dataset, []workspace.UserText) {
	ds := &dataset.Dataset{UserIDs: []string{"ann", "bob", "cem"}}
	for i := range 18 {
		ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprint("item", i)})
		x := dataset.Interaction{User: int32(i / 6), Item: int32(i)}
		switch i % 6 {
		case 4:
			x.Label = dataset.Valid
		case 5:
			x.Label = dataset.Test
		}
		ds.Append(x)
	}
	var texts []workspace.UserText
	for u, id := range ds.UserIDs {
		at := int32(6 * u)
		for fold, sources := range map[int32][]int32{-1: {at, at + 1, at + 2, at + 3}, 0: {at + 1, at + 3}, 1: {at, at + 2}} {
			texts = append(texts, workspace.UserText{User: id, Fold: fold, Sources: sources, SplitHash: ds.SplitHash(), Scope: "train"})
		}
	}
	slices.SortFunc(texts, func(a, b workspace.UserText) int {
		return slices.Compare([]int32{int32(a.User[0]), a.Fold}, []int32{int32(b.User[0]), b.Fold})
	})
	return ds, texts
}

func TestProvenanceOfHonestTexts(t *testing.T) {
	ds, texts := recorded()
	for _, opt := range []ProvenanceOptions{{}, {FoldOf: func(_ string, index, _ int) int { return index % 2 }}} {
		r := CheckProvenanceWith(ds, texts, opt)
		if r.Verdict != Clean || len(r.Violations) != 0 || r.Users != 3 || r.Folds != 2 || r.Texts != 9 || r.Sources != 24 {
			t.Errorf("honest texts: %+v", r)
		}
	}
	if r := CheckProvenance(ds, nil); r.Verdict != Inconclusive {
		t.Errorf("no texts: %s", r.Verdict)
	}
}

// Each fault is found, under its name, with the interaction that shows it.
func TestProvenanceFindsEachFault(t *testing.T) {
	for _, c := range []struct {
		kind    string
		verdict Verdict
		spoil   func([]workspace.UserText) []workspace.UserText
		at      int32
	}{
		{HeldOutSource, Leaky, func(x []workspace.UserText) []workspace.UserText { x[0].Sources = []int32{0, 5}; return x }, 5},
		{HeldOutSource, Leaky, func(x []workspace.UserText) []workspace.UserText { x[4].Sources = []int32{7, 10}; return x }, 10},
		{ScopeAll, Leaky, func(x []workspace.UserText) []workspace.UserText { x[3].Scope = "all"; return x }, -1},
		{OtherSplit, Inconclusive, func(x []workspace.UserText) []workspace.UserText { x[3].SplitHash = "0123"; return x }, -1},
		{UnknownSource, Inconclusive, func(x []workspace.UserText) []workspace.UserText { x[0].Sources = []int32{0, 18}; return x }, 18},
		{UnknownSource, Inconclusive, func(x []workspace.UserText) []workspace.UserText { x[0].Sources = []int32{-4}; return x }, -4},
		{ForeignSource, Inconclusive, func(x []workspace.UserText) []workspace.UserText { x[0].Sources = []int32{0, 8}; return x }, 8},
		{NoSources, Inconclusive, func(x []workspace.UserText) []workspace.UserText { x[0].Sources = nil; return x }, -1},
		{NotBlind, Inconclusive, func(x []workspace.UserText) []workspace.UserText { x[1].Sources = []int32{0, 1, 3}; return x }, 0},
		{UnknownUser, Inconclusive, func(x []workspace.UserText) []workspace.UserText { x[8].User = "dan"; return x }, -1},
		{RepeatedText, Inconclusive, func(x []workspace.UserText) []workspace.UserText { return append(x, x[0]) }, -1},
		{MissingText, Inconclusive, func(x []workspace.UserText) []workspace.UserText { return x[1:] }, -1},
	} {
		ds, texts := recorded()
		r := CheckProvenance(ds, c.spoil(texts))
		if r.Verdict != c.verdict || r.Counts[c.kind] != 1 {
			t.Errorf("%s: verdict %s, counts %v", c.kind, r.Verdict, r.Counts)
			continue
		}
		if i := slices.IndexFunc(r.Violations, func(v Violation) bool { return v.Kind == c.kind }); r.Violations[i].Interaction != c.at {
			t.Errorf("%s: at interaction %d, want %d", c.kind, r.Violations[i].Interaction, c.at)
		}
	}
}

// With the fold rule known, a text that leaves out too little is found even though each
// item is missing from some text.
func TestProvenanceKnowsTheFoldRule(t *testing.T) {
	ds, texts := recorded()
	texts[1].Sources, texts[2].Sources = texts[2].Sources, texts[1].Sources // the folds changed places
	if r := CheckProvenance(ds, texts); r.Verdict != Clean {
		t.Errorf("without the rule: %s", r.Sentence)
	}
	r := CheckProvenanceWith(ds, texts, ProvenanceOptions{FoldOf: func(_ string, index, _ int) int { return index % 2 }})
	if r.Counts[NotBlind] != 4 {
		t.Errorf("with the rule: %v", r.Counts)
	}
}

func TestProvenanceListsAHundredAndCountsAll(t *testing.T) {
	ds, texts := recorded()
	texts[0].Sources = slices.Repeat([]int32{5}, 250)
	r := CheckProvenance(ds, texts)
	if len(r.Violations) != 100 || r.Counts[HeldOutSource] != 250 {
		t.Errorf("%d listed, %d counted", len(r.Violations), r.Counts[HeldOutSource])
	}
}

func TestReportJoinsVerdicts(t *testing.T) {
	ds, _ := recorded()
	record := func(v Verdict) *ProvenanceResult { return &ProvenanceResult{Verdict: v, Sentence: "record."} }
	vectors := func(v Verdict) *ProbeResult { return &ProbeResult{Verdict: v, Sentence: "probe."} }
	for _, c := range []struct {
		p    *ProvenanceResult
		q    *ProbeResult
		want Verdict
		exit int
	}{
		{nil, nil, Inconclusive, 4},
		{record(Clean), nil, Clean, 0},
		{nil, vectors(Leaky), Leaky, 3},
		{record(Clean), vectors(Inconclusive), Clean, 0},
		{record(Clean), vectors(Leaky), Leaky, 3},
		{record(Leaky), vectors(Clean), Leaky, 3},
		{record(Inconclusive), vectors(Clean), Inconclusive, 4},
	} {
		if r := NewReport(ds, c.p, c.q); r.Verdict != c.want || r.ExitCode() != c.exit || r.Sentence == "" {
			t.Errorf("%v and %v: %s, exit %d", c.p, c.q, r.Verdict, r.ExitCode())
		}
	}
}
