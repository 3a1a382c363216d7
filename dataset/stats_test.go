package dataset

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestItemText(t *testing.T) {
	it := Item{Title: "Cup\r\n", Brand: "Acme", Categories: []string{"Home", "Kitchen"}, Description: "  a  red\tcup "}
	if got, want := it.Text(), "Cup Acme Home Kitchen a red cup"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if got := (Item{ID: "x", Description: " \n"}).Text(); got != "" {
		t.Errorf("an item without words has text %q", got)
	}
}

func TestCompute(t *testing.T) {
	ds := pairs([2]int32{0, 0}, [2]int32{0, 1}, [2]int32{0, 2}, [2]int32{1, 0})
	ds.Items = append(ds.Items, Item{ID: "cold", Title: "Cold", Image: "cold.png"})
	ds.UserIDs = append(ds.UserIDs, "nobody")
	ds.interactions[1].Label, ds.interactions[2].Label = Valid, Test
	ds.Split = SplitLabelled
	got := Compute(ds)
	want := Stats{Users: 3, Items: 4, Interactions: 4, Train: 2, Valid: 1, Test: 1, Density: 4.0 / 12, ItemsWithoutText: 3, ItemsWithoutImage: 3,
		ItemsUnseen: 1, ItemsWithoutTrain: 3, UsersWithoutTrain: 1, PerUserMin: 0, PerUserMedian: 1, PerUserMax: 3, Split: "labelled"}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if s := Compute(&Dataset{}); s.Density != 0 {
		t.Errorf("empty dataset: %+v", s)
	}
	b, err := json.Marshal(got)
	if err != nil || !strings.Contains(string(b), `"items_without_image":3`) {
		t.Errorf("JSON %s, %v", b, err)
	}
}

func TestCleanText(t *testing.T) {
	for in, want := range map[string]string{"plain ☕\n": "plain ☕\n", "a\x00b": "a b", "caf\xe9": "caf\uFFFD", "x\x7f": "x "} {
		got, dirty := CleanText(in)
		if got != want || dirty != (in != want) {
			t.Errorf("CleanText(%q) = %q, %v; want %q", in, got, dirty, want)
		}
	}
}

func TestRowPolicyKeepsABoundedList(t *testing.T) {
	p := &RowPolicy{Skip: true}
	for i := range MaxListed + 5 {
		if err := p.Bad(RowError{File: "f", Line: i + 1, Reason: "bad"}); err != nil {
			t.Fatal(err)
		}
	}
	if p.Count != MaxListed+5 || len(p.Skipped) != MaxListed || p.Skipped[0].Line != 1 {
		t.Errorf("counted %d, listed %d", p.Count, len(p.Skipped))
	}
	err := (*RowPolicy)(nil).Bad(RowError{File: "f.csv", Line: 3, Column: 9, Reason: "no item"})
	if !isUser(err) || err.Error() != "f.csv:3:9: no item" {
		t.Errorf("default policy: %v", err)
	}
}
