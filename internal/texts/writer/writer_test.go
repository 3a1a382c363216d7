package writer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/mllm/ollama"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const model = "gemma3:27b"

// fake is a client that answers as it is told and keeps a log. Its token counts are
// tokensPerEstimate times what we would estimate.
type fake struct {
	kind              string
	models            []mllm.ModelInfo
	answer            func(n int, r mllm.Request) (mllm.Response, error) // n counts from 0
	tokensPerEstimate float64
	describeErr       error

	mu  sync.Mutex
	log []mllm.Request
}

func newFake(answer func(n int, r mllm.Request) (mllm.Response, error)) *fake {
	return &fake{kind: "ollama", tokensPerEstimate: 1, answer: answer,
		models: []mllm.ModelInfo{{Name: model, Digest: "d1", ContextLength: 131072, Vision: true, Capabilities: []string{"completion", "vision"}}}}
}

func (f *fake) Endpoint() string { return "http://fake" }

func (f *fake) Describe(context.Context) (mllm.ServerInfo, error) {
	return mllm.ServerInfo{Kind: f.kind, Endpoint: f.Endpoint(), Models: f.models}, f.describeErr
}

func (f *fake) Generate(ctx context.Context, r mllm.Request) (mllm.Response, error) {
	f.mu.Lock()
	n := len(f.log)
	f.log = append(f.log, r)
	f.mu.Unlock()
	resp := mllm.Response{Text: fmt.Sprintf("This customer likes plain wooden things, number %d.", n), FinishReason: "stop"}
	var err error
	if f.answer != nil {
		resp, err = f.answer(n, r)
	}
	resp.Model, resp.ModelDigest, resp.Endpoint, resp.Attempts, resp.Seconds = r.Model, "d1", f.Endpoint(), 1, 0.5
	if resp.PromptTokens == 0 {
		resp.PromptTokens = wrapper + int(f.tokensPerEstimate*float64(mllm.EstimateTokens(r.System)+mllm.EstimateTokens(r.Prompt)))
	}
	resp.AnswerTokens = 10
	return resp, err
}

func (f *fake) requests() []mllm.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]mllm.Request(nil), f.log...)
}

func say(text string) (mllm.Response, error) {
	return mllm.Response{Text: text, FinishReason: "stop"}, nil
}

var picture = mllm.Image{Data: []byte("bytes"), MIME: "image/jpeg", SHA256: strings.Repeat("0", 64), Width: 2, Height: 2}

func describeRequest() texts.DescribeRequest {
	return texts.DescribeRequest{Item: dataset.Item{ID: "i1", Title: "Rattle"}, Image: picture, Domain: "baby products"}
}

// longHistory has n items of about 100 estimated tokens each.
func longHistory(n int) texts.ReasonRequest {
	r := texts.ReasonRequest{User: "u1", Fold: texts.FullFold, Domain: "baby products"}
	for i := range n {
		r.Items = append(r.Items, texts.HistoryItem{Item: dataset.Item{ID: fmt.Sprint("i", i), Title: fmt.Sprintf("Thing Nr%dx", i)},
			ImageText: strings.Repeat("painted wooden blocks ", 17)})
	}
	return r
}

func mustDescriber(t *testing.T, c mllm.Client, o Options) *Describer {
	t.Helper()
	o.Model = model
	d, err := NewDescriber(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustReasoner(t *testing.T, c mllm.Client, o Options) *Reasoner {
	t.Helper()
	o.Model = model
	r, err := NewReasoner(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDescribeSendsThePromptAndTellsHow(t *testing.T) {
	f := newFake(func(int, mllm.Request) (mllm.Response, error) {
		return say("<think>hm</think>Sure, here is the description:\n\nA red wooden rattle.")
	})
	d := mustDescriber(t, f, Options{Seed: 7, NumCtx: 4096})
	a, err := d.Describe(t.Context(), describeRequest())
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Prompt(describeRequest())
	if err != nil {
		t.Fatal(err)
	}
	want := texts.Answer{Text: "A red wooden rattle.", Model: model, ModelDigest: "d1", PromptHash: prompt.Default().Hash(prompt.Describe), ImageHash: picture.SHA256,
		PromptTokens: a.PromptTokens, AnswerTokens: 10, Seconds: 0.5, Attempt: 1, Finish: "stop", Params: map[string]any{
			"temperature": 0.0, "seed": int64(7), "max_tokens": 500, "num_ctx": 4096, "words": 100, "item_runes": 800, "image_runes": 900, "prompt_sha256": p.Hash()}}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("%+v\nwant %+v", a, want)
	}
	r := f.requests()[0]
	if r.System != p.System || r.Prompt != p.User || len(r.Images) != 1 || r.Model != model || r.ModelDigest != "d1" || r.MaxTokens != 500 || r.NumCtx != 4096 || r.Seed != 7 {
		t.Errorf("%+v", r)
	}
	if _, err := d.Describe(t.Context(), texts.DescribeRequest{Item: dataset.Item{ID: "bare"}}); err == nil || !strings.Contains(err.Error(), "bare") || len(f.requests()) != 1 {
		t.Errorf("an item without a picture: %v", err)
	}
}

func TestBadAnswersAreClassifiedAndRetriesDiffer(t *testing.T) {
	good := "A red wooden rattle with a turned handle."
	for class, text := range map[mllm.Class]string{
		"": good, mllm.Empty: " ", mllm.Refusal: "I'm sorry, but I can't help with that.", mllm.Repetition: strings.Repeat("so very nice ", 40),
		mllm.WrongScript: "这款柔软的木制摇铃色彩鲜艳适合小手抓握声音轻柔适合三个月以上的宝宝使用",
		mllm.Echo:        "The attached picture shows one product from a shop that sells baby products. Describe it for someone who is deciding whether to buy it, in one paragraph.",
		mllm.TooLong:     manyWords(151), mllm.CutOff: "cut",
	} {
		f := newFake(func(int, mllm.Request) (mllm.Response, error) {
			resp, err := say(text)
			if class == mllm.CutOff {
				resp.Text, resp.FinishReason = good, "length"
			}
			return resp, err
		})
		latin, err := check.ParseScript("Latin")
		if err != nil {
			t.Fatal(err)
		}
		d := mustDescriber(t, f, Options{Script: latin})
		a, err := d.Describe(t.Context(), describeRequest())
		if mllm.ClassOf(err) != class || a.PromptTokens == 0 || a.Attempt != 1 {
			t.Errorf("%q: %v, %+v", class, err, a)
		}
		if err != nil && !strings.Contains(err.Error(), `"i1"`) {
			t.Error(err)
		}
	}
	f := newFake(nil)
	d := mustDescriber(t, f, Options{Seed: 3})
	type sampling struct {
		seed        int64
		temperature float64
	}
	seen := map[sampling]bool{}
	for range 2 { // the second time around nothing new may appear
		for attempt := range 4 {
			r := describeRequest()
			r.Attempt = attempt
			a, err := d.Describe(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			s := sampling{a.Params["seed"].(int64), a.Params["temperature"].(float64)}
			if (attempt <= 1) != (s == sampling{3, 0}) || attempt > 1 && s.temperature == 0 {
				t.Errorf("attempt %d: %+v", attempt, s)
			}
			seen[s] = true
		}
	}
	if len(seen) != 3 { // attempts 0 and 1 are the same
		t.Errorf("%v", seen)
	}
}

func manyWords(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "w%s%c ", strings.Repeat("a", i/26+1), 'a'+i%26)
	}
	return b.String()
}

func TestFailuresOfTheWayPassThrough(t *testing.T) {
	f := newFake(func(int, mllm.Request) (mllm.Response, error) {
		return mllm.Response{PromptTokens: 5}, &mllm.Error{Class: mllm.Unavailable, Err: errors.New("down")}
	})
	a, err := mustReasoner(t, f, Options{}).Reason(t.Context(), longHistory(2))
	if mllm.ClassOf(err) != mllm.Unavailable || len(f.requests()) != 1 || a.PromptTokens != 5 || !strings.Contains(err.Error(), "u1") {
		t.Errorf("%v, %+v", err, a)
	}
	if _, err := mustReasoner(t, newFake(nil), Options{}).Reason(t.Context(), texts.ReasonRequest{User: "nobody"}); err == nil {
		t.Error("no error for an empty history")
	}
}

func TestMistakesAreFoundBeforeTheRun(t *testing.T) {
	blind := newFake(nil)
	blind.models[0].Vision, blind.models[0].Capabilities = false, []string{"completion"}
	hosted := newFake(nil)
	hosted.kind = "openai"
	small := newFake(nil)
	small.models[0].ContextLength = 2048
	down := newFake(nil)
	down.describeErr = &mllm.Error{Class: mllm.Network, Err: errors.New("refused")}
	for name, c := range map[string]struct {
		f    *fake
		o    Options
		mine bool
	}{
		"no model":             {newFake(nil), Options{}, true},
		"unknown model":        {newFake(nil), Options{Model: "llava"}, true},
		"temperature":          {newFake(nil), Options{Model: model, Temperature: math.NaN()}, true},
		"max tokens":           {newFake(nil), Options{Model: model, MaxTokens: -1}, true},
		"history":              {newFake(nil), Options{Model: model, History: "oldest"}, true},
		"latest without":       {newFake(nil), Options{Model: model, LatestN: 3}, true},
		"words":                {newFake(nil), Options{Model: model, Limits: prompt.Options{Words: -5}}, true},
		"window":               {newFake(nil), Options{Model: model, Window: 10}, true},
		"window over num_ctx":  {newFake(nil), Options{Model: model, Window: 8192, NumCtx: 4096}, true},
		"window over model":    {newFake(nil), Options{Model: model, Window: 1 << 20}, true},
		"window of the model":  {small, Options{Model: model}, true},
		"num_ctx and openai":   {hosted, Options{Model: model, NumCtx: 4096}, true},
		"blind model":          {blind, Options{Model: model}, true},
		"server cannot be met": {down, Options{Model: model}, false},
	} {
		var err error
		if name == "blind model" {
			_, err = NewDescriber(t.Context(), c.f, c.o)
		} else {
			_, err = NewReasoner(t.Context(), c.f, c.o)
		}
		if _, mine := usererr.Hint(err); err == nil || mine != c.mine {
			t.Errorf("%s: %v", name, err)
		}
		if len(c.f.requests()) > 0 {
			t.Errorf("%s: asked all the same", name)
		}
	}
	// A server that lists no models may still have it.
	hosted.models, hosted.describeErr = nil, &mllm.Error{Class: mllm.NotFound, Err: errors.New("no such route")}
	if _, err := NewReasoner(t.Context(), hosted, Options{Model: model}); err != nil {
		t.Error(err)
	}
}

func TestIDCoversWhatDeterminesAnAnswer(t *testing.T) {
	custom := prompt.Default()
	ids := map[string]string{}
	add := func(name string, o Options, digest string) {
		t.Helper()
		f := newFake(nil)
		f.models[0].Digest = digest
		r := mustReasoner(t, f, o)
		if other, taken := ids[r.ID()]; taken {
			t.Errorf("%s and %s have the ID %s", name, other, r.ID())
		}
		ids[r.ID()] = name
	}
	han, _ := check.ParseScript("Han")
	add("plain", Options{}, "d1")
	add("digest", Options{}, "d2")
	add("temperature", Options{Temperature: 0.5}, "d1")
	add("seed", Options{Seed: 1}, "d1")
	add("tokens", Options{MaxTokens: 300}, "d1")
	add("words", Options{Limits: prompt.Options{Words: 50}, MaxTokens: 500}, "d1")
	add("item length", Options{Limits: prompt.Options{ItemRunes: 500}}, "d1")
	add("picture length", Options{Limits: prompt.Options{ImageRunes: 500}}, "d1")
	add("script", Options{Script: han}, "d1")
	add("window", Options{Window: 8192}, "d1")
	add("latest", Options{History: Latest}, "d1")
	add("latest 5", Options{History: Latest, LatestN: 5}, "d1")
	add("tries", Options{PartTries: 5}, "d1")
	// What has no influence on answers is not in it.
	same := mustReasoner(t, newFake(nil), Options{Prompts: custom, Timeout: 1, Window: DefaultWindow, Conclusions: newSteps()})
	if ids[same.ID()] != "plain" {
		t.Error(same.ID())
	}
	d1, d2 := mustDescriber(t, newFake(nil), Options{}), mustDescriber(t, newFake(nil), Options{NumCtx: 8192, History: Latest})
	if d1.ID() != d2.ID() {
		t.Errorf("%s\n%s", d1.ID(), d2.ID())
	}
	// One request's is finer: a history that fits does not care how others are cut.
	a, b := mustReasoner(t, newFake(nil), Options{}), mustReasoner(t, newFake(nil), Options{Window: 8192, History: Latest})
	if a.RequestID(longHistory(3)) != b.RequestID(longHistory(3)) || a.RequestID(longHistory(100)) == b.RequestID(longHistory(100)) {
		t.Error("RequestID of short histories differs, or of long ones does not")
	}
}

func TestServersOfBothKindsEndToEnd(t *testing.T) {
	srv := mllmtest.New(t, mllmtest.Options{Script: []mllmtest.Fault{mllmtest.Refusal}})
	oll, err := ollama.New(ollama.Config{BaseURL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	oai, err := openai.New(openai.Config{BaseURL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []mllm.Client{oll, oai} {
		d := mustDescriber(t, c, Options{})
		r := describeRequest()
		if i == 0 {
			if _, err := d.Describe(t.Context(), r); mllm.ClassOf(err) != mllm.Refusal {
				t.Fatal(err)
			}
			r.Attempt = 2
		}
		a, err := d.Describe(t.Context(), r)
		if err != nil || !strings.HasPrefix(a.Text, "A ") || (a.ModelDigest == "") != (i == 1) {
			t.Fatalf("%+v, %v", a, err)
		}
		if a, err = mustReasoner(t, c, Options{Window: 4096}).Reason(t.Context(), longHistory(60)); err != nil || a.Params["history"] != "recurrent" {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	for _, r := range srv.Requests() {
		if len(r.Images) == 0 && mllm.EstimateTokens(r.Prompt) > 4096-500 {
			t.Errorf("a prompt of about %d tokens for a window of 4096", mllm.EstimateTokens(r.Prompt))
		}
	}
}

func TestSingleRequestsAskAndAnswerTheSame(t *testing.T) {
	f := newFake(nil)
	d, r := mustDescriber(t, f, Options{}), mustReasoner(t, f, Options{Window: 4096, History: Latest})
	rules := d.Options().rules()
	receive := func(one SingleRequest, a texts.Answer) (texts.Answer, error) {
		return one.Receive(mllm.Response{Text: a.Text, FinishReason: a.Finish, ModelDigest: a.ModelDigest, PromptTokens: a.PromptTokens,
			AnswerTokens: a.AnswerTokens, Seconds: a.Seconds}, nil, rules)
	}
	for attempt := range 3 {
		picture, history := describeRequest(), longHistory(40)
		picture.Attempt, history.Attempt = attempt, attempt
		direct, err := d.Describe(t.Context(), picture)
		if err != nil {
			t.Fatal(err)
		}
		preference, err := r.Reason(t.Context(), history)
		if err != nil {
			t.Fatal(err)
		}
		log := f.requests()
		sent := log[len(log)-2:]
		describe, err := d.SingleRequest(picture)
		if err != nil || !reflect.DeepEqual(describe.Request, sent[0]) {
			t.Errorf("attempt %d: %+v, %v", attempt, describe.Request, err)
		}
		reason, ok, err := r.SingleRequest(history)
		if err != nil || !ok || !reflect.DeepEqual(reason.Request, sent[1]) {
			t.Errorf("attempt %d: %v, %v", attempt, ok, err)
		}
		if a, err := receive(describe, direct); err != nil || !reflect.DeepEqual(a, direct) {
			t.Errorf("attempt %d: %+v, %v, want %+v", attempt, a, err, direct)
		}
		if a, err := receive(reason, preference); err != nil || !reflect.DeepEqual(a, preference) {
			t.Errorf("attempt %d: %+v, %v, want %+v", attempt, a, err, preference)
		}
	}
	describe, err := d.SingleRequest(describeRequest())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := describe.Receive(mllm.Response{Text: "I'm sorry, but I can't help with that."}, nil, rules); mllm.ClassOf(err) != mllm.Refusal {
		t.Error(err)
	}
	if _, err := describe.Receive(mllm.Response{}, &mllm.Error{Class: mllm.Server, Err: errors.New("500")}, rules); mllm.ClassOf(err) != mllm.Server {
		t.Error(err)
	}
	parts := mustReasoner(t, f, Options{Window: 4096})
	if _, ok, err := parts.SingleRequest(longHistory(60)); ok || err != nil {
		t.Errorf("a history in parts: %v, %v", ok, err)
	}
}
