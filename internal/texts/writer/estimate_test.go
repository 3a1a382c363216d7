package writer

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/texts"
)

func TestEstimateIsWhatARunTakes(t *testing.T) {
	for _, o := range []Options{{}, {Window: 4096}, {Window: 4096, History: Latest}} {
		requests := []texts.ReasonRequest{longHistory(1), longHistory(30), longHistory(100), {User: "empty"}}
		f := newFake(nil)
		r := mustReasoner(t, f, o)
		var prompt int64
		for _, req := range requests[:3] {
			a, err := r.Reason(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			prompt += int64(a.PromptTokens)
		}
		o.Model = model
		e, err := EstimateReason(o, slices.Values(requests), Rates{TokensPerSecond: 50, Concurrency: 4})
		if err != nil {
			t.Fatal(err)
		}
		if e.Requests != 3 || e.Calls != len(f.requests()) {
			t.Errorf("%+v: %d requests, %d calls, want 3 and %d", o, e.Requests, e.Calls, len(f.requests()))
		}
		if off := float64(e.PromptTokens)/float64(prompt) - 1; math.Abs(off) > 0.15 {
			t.Errorf("%+v: %d prompt tokens, the run took %d", o, e.PromptTokens, prompt)
		}
		if want := (float64(e.PromptTokens)/1000 + float64(e.AnswerTokens)/50) / 4 / 3600; math.Abs(e.Hours-want) > 1e-12 {
			t.Errorf("%v hours, want %v", e.Hours, want)
		}
		if e.AnswerTokens != int64(134*e.Calls) || e.AnswerTokensMost != int64(500*e.Calls) || !e.Priced || e.Cost != 0 {
			t.Errorf("%+v", e)
		}
		if (e.Recurrent > 0) != (o.Window != 0 && o.History == Recurrent || o.Window != 0 && o.History == "") || (e.Shortened > 0) != (o.History == Latest) || (e.ItemsDropped > 0) != (o.History == Latest) {
			t.Errorf("%+v: %+v", o, e)
		}
	}
}

func TestEstimateOfDescriptions(t *testing.T) {
	items := []texts.DescribeRequest{describeRequest(), {Item: dataset.Item{ID: "i2", Title: "Bib"}}}
	e, err := EstimateDescribe(Options{Model: "gpt-4o"}, slices.Values(items), Rates{})
	if err != nil {
		t.Fatal(err)
	}
	cost := (2.5*float64(e.PromptTokens+e.ImageTokens) + 10*float64(e.AnswerTokens)) / 1e6
	if e.Calls != 2 || e.ImageTokens != 2*765 || math.Abs(e.Cost-cost) > 1e-9 || e.CostMost <= e.Cost || e.Hours != 0 || !e.PicturesOK || !e.Priced {
		t.Errorf("%+v, cost %v", e, cost)
	}
	unknown, err := EstimateDescribe(Options{Model: "mystery"}, slices.Values(items), Rates{})
	if err != nil || unknown.Priced || unknown.PicturesOK {
		t.Errorf("%+v, %v", unknown, err)
	}
	if local, err := EstimateDescribe(Options{Model: "mystery"}, slices.Values(items), Rates{Local: true}); err != nil || !local.Priced || local.Cost != 0 {
		t.Errorf("%+v, %v", local, err)
	}
	for _, r := range []Rates{{TokensPerSecond: -1}, {Concurrency: -1}, {PromptTokensPerSecond: math.NaN()}} {
		if _, err := EstimateDescribe(Options{Model: "m"}, slices.Values(items), r); err == nil {
			t.Errorf("%+v: no error", r)
		}
	}
}

func TestChatExport(t *testing.T) {
	var b bytes.Buffer
	w, err := NewChatWriter(&b, ChatOptions{MaxTokens: 5000})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Description(describeRequest(), "A rattle."); err != nil {
		t.Fatal(err)
	}
	if err := w.Preference(longHistory(2), "Likes \"wood\".\nAnd more."); err != nil {
		t.Fatal(err)
	}
	if err := w.Preference(longHistory(100), "Likes wood."); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	if err := w.Preference(longHistory(1), ""); err == nil {
		t.Error("an empty answer was written")
	}
	bare := texts.DescribeRequest{Item: dataset.Item{ID: "i9"}}
	if err := w.Description(bare, "A bib."); err == nil {
		t.Error("a description without its picture was written")
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 2 || w.Written != 2 {
		t.Fatalf("%d lines, %d written", len(lines), w.Written)
	}
	r := mustReasoner(t, newFake(nil), Options{})
	p, _, err := r.Prompts(longHistory(2))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Messages []struct {
			Role    string
			Content any
		}
	}
	if err := json.Unmarshal([]byte(lines[1]), &got); err != nil {
		t.Fatal(err)
	}
	want := []string{"system", p.System, "user", p.User, "assistant", "Likes \"wood\".\nAnd more."}
	for i, m := range got.Messages {
		if m.Role != want[2*i] || m.Content != want[2*i+1] {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	if len(got.Messages) != 3 || !strings.Contains(lines[0], "data:image/jpeg;base64,") {
		t.Error(b.String())
	}
	b.Reset()
	if w, err = NewChatWriter(&b, ChatOptions{TextOnly: true}); err != nil {
		t.Fatal(err)
	}
	if err := w.Description(describeRequest(), "A rattle."); err != nil || strings.Contains(b.String(), "base64") {
		t.Errorf("%v: %s", err, b.String())
	}
}
