package dataset

import (
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

func TestApplySplitChooses(t *testing.T) {
	for _, c := range []struct{ given, split, clock, want string }{
		{"", SplitLabelled, ClockMoment, SplitLabelled}, {"", "", ClockOrder, SplitByLatest}, {"", "", ClockMoment, SplitByRandom}, {"", "", ClockNone, SplitByRandom},
		{SplitByTime, SplitLabelled, ClockMoment, SplitByTime}, {SplitByLatest, "", "", SplitByLatest},
	} {
		ds := small(10, 10, 10)
		ds.Split, ds.Clock = c.split, c.clock
		ds.interactions[9].Label = Test
		cut, err := ApplySplit(ds, SplitOptions{Name: c.given})
		if err != nil || ds.Split != c.want || (cut != nil) != (c.want == SplitByTime) {
			t.Errorf("%+v: split %q, cut %v, %v", c, ds.Split, cut, err)
		}
	}
	for name, want := range map[string]string{"by-hand": "Choose labelled, random, leave-latest or global-time.", SplitLabelled: "no labels"} {
		_, err := ApplySplit(small(10), SplitOptions{Name: name})
		hint := ""
		if isUser(err) {
			hint = err.Error() + usererrHint(err)
		}
		if !strings.Contains(hint, want) {
			t.Errorf("split %q: %v", name, err)
		}
	}
}

func TestPrepare(t *testing.T) {
	ds := small(6, 6, 6, 1)
	ds.Append(Interaction{User: 1, Item: 2, Time: 9999})
	p, err := Prepare(ds, 3, SplitOptions{Name: SplitByLatest})
	if err != nil {
		t.Fatal(err)
	}
	if p.Merged != 1 || p.Core.Users != 1 || p.Stats.Interactions != 18 || p.Stats.Test != 3 || p.Stats.Split != SplitByLatest {
		t.Errorf("prepared %+v", p)
	}
	if _, err := Prepare(small(6, 6), 5, SplitOptions{}); !isUser(err) || !strings.Contains(err.Error(), "5-core is empty") {
		t.Errorf("empty core: %v", err)
	}
	if _, err := Prepare(small(6), -1, SplitOptions{}); !isUser(err) {
		t.Errorf("negative core: %v", err)
	}
}

func TestPrepareRefusesRowsThatDoNotExist(t *testing.T) {
	for want, x := range map[string]Interaction{
		"interaction 1: user row 2 is outside the 2 users":  {User: 2},
		"interaction 1: user row -1 is outside the 2 users": {User: -1},
		"interaction 1: item row 3 is outside the 3 items":  {User: 1, Item: 3},
		"interaction 1: item row -7 is outside the 3 items": {User: 1, Item: -7},
	} {
		ds := &Dataset{UserIDs: []string{"a", "b"}, Items: make([]Item, 3)}
		ds.SetInteractions([]Interaction{{User: 0, Item: 2}, x})
		_, err := Prepare(ds, 0, SplitOptions{})
		if _, mine := usererr.Hint(err); !mine || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
