package queue

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
)

type named struct{ texts.Reasoner }

func (named) ID() string { return "named" }

func preference() (payload, map[digest][]byte) {
	r := texts.ReasonRequest{User: "ü", Fold: 2, Domain: "toys", Items: []texts.HistoryItem{
		{Item: dataset.Item{ID: "a", Title: "A", Brand: "B", Categories: []string{"x", "y"}, Description: "d"}, ImageText: "seen"}, {Item: dataset.Item{ID: "b"}},
	}}
	q := texts.Question{Reason: &r, About: texts.Generation{Stage: texts.StageReason, Subject: "ü", Fold: 2, SplitHash: "s", Scope: "train", Sources: []int32{4, 9}}}
	q.About.Key = texts.ReasonKey("named", r, "s", "train", q.About.Sources)
	blobs := map[digest][]byte{}
	a, err := pack(texts.StageReason, q, blobs)
	if err != nil {
		panic(err)
	}
	return payload{Format: payloadFormat, Stage: texts.StageReason, Domain: "toys", Writer: "named", Spec: json.RawMessage(`{}`), Questions: []storedQuestion{a}}, blobs
}

func TestPayloadRoundTrip(t *testing.T) {
	p, blobs := preference()
	data, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodePayload(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&p, got); diff != "" {
		t.Error(diff)
	}
	qs, err := got.questions(textWriter{reasoner: named{}}, blobs)
	if err != nil || len(qs) != 1 || qs[0].About.Scope != "train" || qs[0].Reason.Items[0].ImageText != "seen" {
		t.Errorf("got %+v, %v", qs, err)
	}
	for what, change := range map[string]func(){
		"a source":  func() { got.Questions[0].Sources[0]++ },
		"the order": func() { i := got.Questions[0].Items; i[0], i[1] = i[1], i[0] },
		"a split":   func() { got.Questions[0].SplitHash = "t" },
	} {
		if got, err = decodePayload(data); err != nil {
			t.Fatal(err)
		}
		change()
		if _, err := got.questions(textWriter{reasoner: named{}}, blobs); err == nil {
			t.Errorf("a question with %s changed is asked", what)
		}
	}
}

func TestPackChecksPictures(t *testing.T) {
	q := texts.Question{About: texts.Generation{Subject: "i"}, Describe: &texts.DescribeRequest{Image: mllm.Image{Data: []byte("x"), SHA256: "00"}}}
	if _, err := pack(texts.StageDescribe, q, map[digest][]byte{}); err == nil {
		t.Error("a picture with a wrong hash was taken")
	}
	if _, err := pack(texts.StageReason, q, map[digest][]byte{}); err == nil {
		t.Error("a question of another stage was taken")
	}
}

func FuzzPayload(f *testing.F) {
	p, blobs := preference()
	data, err := p.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{})
	f.Add([]byte("junk"))
	p.Stage = texts.StageDescribe
	if data, err = p.encode(); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := decodePayload(data); err == nil {
			p.questions(textWriter{reasoner: named{}}, blobs)
		}
	})
}
