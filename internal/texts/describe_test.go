package texts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	mllmimage "github.com/mllmrec/mllmrec/internal/mllm/image"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// shelf is an ImageSource over a map of references.
type shelf map[string]string

func (s shelf) Load(_ context.Context, ref string) (mllm.Image, error) {
	data, ok := s[ref]
	if !ok {
		return mllm.Image{}, &mllmimage.Error{Kind: mllmimage.Missing, Ref: ref, Err: errors.New("no such picture")}
	}
	return mllm.Image{Data: []byte(data), SHA256: "hash of " + data}, nil
}

// seer describes a picture by its bytes.
type seer struct {
	asked int
	fail  map[string]mllm.Class
}

func (*seer) ID() string { return "seer/1" }

func (s *seer) Describe(_ context.Context, r texts.DescribeRequest) (texts.Answer, error) {
	s.asked++
	if c, bad := s.fail[r.Item.ID]; bad {
		return texts.Answer{}, failWith(c)
	}
	return texts.Answer{Text: "It shows\n" + string(r.Image.Data) + "\x00.", Model: "seer", ImageHash: r.Image.SHA256}, nil
}

func TestDescribeItems(t *testing.T) {
	items := []dataset.Item{
		{ID: "plain", Title: "No picture"},
		{ID: "good", Title: "Sock", Image: "a.jpg"},
		{ID: "gone", Title: "Hat", Image: "gone.jpg"},
		{ID: "bad", Title: "Scarf", Image: "b.jpg"},
		{ID: "empty"},
	}
	images := shelf{"a.jpg": "a red sock", "b.jpg": "no picture at all"}
	s, d := newLedger(t), &seer{fail: map[string]mllm.Class{"bad": mllm.Refusal}}
	opt := texts.DescribeOptions{Options: texts.Options{Backoff: 1}, Fallback: offline.Describer{}}
	written, report, err := describeItems(t.Context(), items, images, d, s, opt)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []workspace.ItemText{
		{Item: "plain", Text: "No picture", By: "metadata", Status: "ok"},
		{Item: "good", Text: "Sock It shows a red sock.", ImageText: "It shows a red sock.", By: "seer", Status: "ok"},
		{Item: "gone", Text: "Hat", By: "metadata", Status: "fallback"},
		{Item: "bad", Text: "Scarf", By: "metadata", Status: "fallback"}, // the fallback can't read it either
		{Item: "empty", By: "metadata", Status: "ok"},
	} {
		got := written[i]
		if (got.Key != "") != (i == 1 || i == 3) {
			t.Errorf("item %s: key %q", got.Item, got.Key)
		}
		got.Key = ""
		if got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	if report.Plain != 2 || report.ImageFailed != 1 || report.Quarantined != 1 || report.Answered != 1 || report.Pending != 0 ||
		report.Classes["image:missing"] != 1 || report.Classes["refusal"] != 3 || len(report.Failures) != 2 {
		t.Errorf("report %+v", report)
	}

	asked := d.asked
	d.fail, images["gone.jpg"] = nil, "a hat"
	written, report, err = describeItems(t.Context(), items, images, d, s, opt)
	if err != nil || d.asked-asked != 2 || report.Stored != 1 || written[2].Text != "Hat It shows a hat." || written[3].Status != "ok" {
		t.Errorf("second run: %d asked, %+v, %v", d.asked-asked, report, err)
	}
	images["a.jpg"] = "a blue sock"
	asked = d.asked
	if _, _, err = describeItems(t.Context(), items, images, d, s, opt); err != nil || d.asked-asked != 1 {
		t.Errorf("after one picture changed %d were asked, %v", d.asked-asked, err)
	}
	if _, _, err := describeItems(t.Context(), items, nil, d, s, opt); err == nil {
		t.Error("pictures without a way to read them accepted")
	} else if _, ok := usererr.Hint(err); !ok {
		t.Errorf("not the user's mistake: %v", err)
	}
}

func TestDescribeManyInBlocks(t *testing.T) {
	var items []dataset.Item
	images := shelf{}
	for i := range 700 {
		ref := fmt.Sprint("p", i)
		images[ref] = ref
		items = append(items, dataset.Item{ID: fmt.Sprint("i", i), Image: ref})
	}
	s := newLedger(t)
	written, report, err := describeItems(t.Context(), items, images, &seer{}, s, texts.DescribeOptions{})
	if err != nil || report.Answered != 700 {
		t.Fatalf("%+v, %v", report, err)
	}
	for i, x := range written {
		if !strings.Contains(x.Text, fmt.Sprintf("p%d.", i)) {
			t.Fatalf("item %d has text %q", i, x.Text)
		}
	}
}

func TestDescribeKeyCoversWhatDetermines(t *testing.T) {
	base := texts.DescribeRequest{Item: dataset.Item{ID: "i", Title: "t"}, Image: mllm.Image{SHA256: "h"}, Domain: "d", Attempt: 1}
	keys := map[string]string{texts.DescribeKey("m", base): "base"}
	for name, change := range map[string]func(r *texts.DescribeRequest) string{
		"model":   func(*texts.DescribeRequest) string { return "m2" },
		"item":    func(r *texts.DescribeRequest) string { r.Item.ID = "j"; return "m" },
		"title":   func(r *texts.DescribeRequest) string { r.Item.Title = "u"; return "m" },
		"picture": func(r *texts.DescribeRequest) string { r.Image.SHA256 = "k"; return "m" },
		"domain":  func(r *texts.DescribeRequest) string { r.Domain = "e"; return "m" },
		"shift":   func(r *texts.DescribeRequest) string { r.Domain = "di"; r.Item.ID = ""; return "m" },
	} {
		r := base
		model := change(&r)
		key := texts.DescribeKey(model, r)
		if other, taken := keys[key]; taken {
			t.Errorf("%s has the key of %s", name, other)
		}
		keys[key] = name
	}
	base.Attempt, base.Image.Data, base.Item.Image = 5, []byte("x"), "elsewhere"
	if keys[texts.DescribeKey("m", base)] != "base" {
		t.Error("attempt, place of the picture or its bytes beside the hash change the key")
	}
}

func TestReasonKeyCoversWhatDetermines(t *testing.T) {
	item := func(id, text string) texts.HistoryItem {
		return texts.HistoryItem{Item: dataset.Item{ID: id, Title: text}}
	}
	base := texts.ReasonRequest{User: "u", Fold: 1, Domain: "d", Items: []texts.HistoryItem{item("a", "x"), item("b", "y")}}
	type args struct {
		model, split, scope string
		r                   texts.ReasonRequest
		sources             []int32
	}
	keys := map[string]string{}
	for _, c := range []struct {
		name   string
		change func(*args)
	}{
		{"base", func(*args) {}},
		{"model", func(a *args) { a.model = "m2" }},
		{"split", func(a *args) { a.split = "s2" }},
		{"scope", func(a *args) { a.scope = "all" }},
		{"sources", func(a *args) { a.sources = []int32{1, 3} }},
		{"user", func(a *args) { a.r.User = "v" }},
		{"fold", func(a *args) { a.r.Fold = 0 }},
		{"domain", func(a *args) { a.r.Domain = "e" }},
		{"order", func(a *args) { a.r.Items = []texts.HistoryItem{item("b", "y"), item("a", "x")} }},
		{"text", func(a *args) { a.r.Items = []texts.HistoryItem{item("a", "x"), item("b", "z")} }},
		{"fewer", func(a *args) { a.r.Items = a.r.Items[:1] }},
	} {
		a := args{"m", "s", "train", base, []int32{1, 2}}
		c.change(&a)
		key := texts.ReasonKey(a.model, a.r, a.split, a.scope, a.sources)
		if other, taken := keys[key]; taken {
			t.Errorf("%s has the key of %s", c.name, other)
		}
		keys[key] = c.name
	}
}

// stamped is a shelf whose pictures have stamps, and counts what it reads.
type stamped struct {
	shelf
	stamp map[string]string
	read  *atomic.Int32
}

func (s stamped) Load(ctx context.Context, ref string) (mllm.Image, error) {
	s.read.Add(1)
	return s.shelf.Load(ctx, ref)
}

func (s stamped) Stamp(ref string) (string, bool) {
	stamp, ok := s.stamp[ref]
	return stamp, ok
}

func TestKnownPicturesAreNotReadAgain(t *testing.T) {
	items := []dataset.Item{{ID: "a", Image: "a"}, {ID: "b", Image: "b"}, {ID: "c", Image: "c"}}
	source := stamped{shelf{"a": "x", "b": "y", "c": "z"}, map[string]string{"a": "1", "b": "2"}, new(atomic.Int32)}
	s := newLedger(t)
	pass := func(d texts.Describer, read int32) []workspace.ItemText {
		t.Helper()
		source.read.Store(0)
		written, report, err := describeItems(t.Context(), items, source, d, s, texts.DescribeOptions{Options: texts.Options{Backoff: 1}})
		if err != nil || report.Pending != 0 || source.read.Load() != read {
			t.Fatalf("%d pictures read, want %d; %+v, %v", source.read.Load(), read, report, err)
		}
		return written
	}
	pass(&seer{fail: map[string]mllm.Class{"b": mllm.Empty}}, 3)
	pass(&seer{}, 2) // b, which failed, and c, which has no stamp
	written := pass(&seer{}, 1)
	if written[0].ImageText != "It shows x." || written[1].ImageText != "It shows y." {
		t.Errorf("texts %+v", written)
	}
	source.shelf["a"], source.stamp["a"] = "new", "1b"
	if written := pass(&seer{}, 2); written[0].ImageText != "It shows new." {
		t.Errorf("after a change: %+v", written[0])
	}
	items[1].Title = "renamed"
	pass(&seer{}, 2)
}

// shelfOf makes items whose pictures are their ids.
func shelfOf(ids ...string) ([]dataset.Item, shelf) {
	var items []dataset.Item
	pictures := shelf{}
	for _, id := range ids {
		items = append(items, dataset.Item{ID: id, Image: id})
		pictures[id] = id
	}
	return items, pictures
}

// failing fails descriptions of items for good.
func failing(ids ...string) map[string]mllm.Class {
	m := map[string]mllm.Class{}
	for _, id := range ids {
		m[id] = mllm.Refusal
	}
	return m
}
