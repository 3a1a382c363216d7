package writer

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// steps is a step store in memory.
type steps struct {
	mu   sync.Mutex
	kept map[string]texts.Answer
}

func newSteps() *steps { return &steps{kept: map[string]texts.Answer{}} }

func (s *steps) Conclusion(_ context.Context, key string) (texts.Answer, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, known := s.kept[key]
	return a, known, nil
}

func (s *steps) PutConclusion(_ context.Context, key string, _ texts.ReasonRequest, a texts.Answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[key] = a
	return nil
}

func (s *steps) tokens() (n int) {
	for _, a := range s.kept {
		n += a.AnswerTokens
	}
	return n
}

var itemName = regexp.MustCompile(`(?m)^\d+\. Thing Nr(\d+)x`)

// shownIn returns the numbers of the items in a prompt.
func shownIn(prompt string) []int {
	var out []int
	for _, m := range itemName.FindAllStringSubmatch(prompt, -1) {
		var i int
		fmt.Sscan(m[1], &i)
		out = append(out, i)
	}
	return out
}

// fits fails if a request does not fit its window by the server's own count.
func fits(t *testing.T, f *fake, window int) {
	t.Helper()
	for i, r := range f.requests() {
		n := wrapper + int(f.tokensPerEstimate*float64(mllm.EstimateTokens(r.System)+mllm.EstimateTokens(r.Prompt)))
		if n+r.MaxTokens > window {
			t.Errorf("request %d: %d tokens and %d for the answer in a window of %d", i, n, r.MaxTokens, window)
		}
	}
}

func TestAHistoryThatFitsIsAskedAboutOnce(t *testing.T) {
	f := newFake(nil)
	r := mustReasoner(t, f, Options{})
	a, err := r.Reason(t.Context(), longHistory(20))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.requests()) != 1 || len(shownIn(f.requests()[0].Prompt)) != 20 {
		t.Errorf("%d requests", len(f.requests()))
	}
	for name, want := range map[string]any{"history": "whole", "shown": 20, "dropped": 0, "first_shown": 0, "steps": 1} {
		if a.Params[name] != want {
			t.Errorf("%s: %v, want %v", name, a.Params[name], want)
		}
	}
	p, n, err := r.Prompts(longHistory(20))
	if err != nil || n != 1 || p.User != f.requests()[0].Prompt || p.Hash() != a.Params["prompt_sha256"] {
		t.Errorf("%d prompts, %v: Prompts does not tell what was sent", n, err)
	}
}

func TestALongHistoryIsReadInPartsInOrder(t *testing.T) {
	const n, window = 100, 4096
	var first texts.Answer
	var log []mllm.Request
	for run := range 2 {
		f := newFake(func(i int, _ mllm.Request) (mllm.Response, error) {
			return say(fmt.Sprintf("Conclusion %d: this customer likes wooden things for small children.", i))
		})
		r := mustReasoner(t, f, Options{Window: window})
		if run == 1 { // what other histories taught has no influence
			f.tokensPerEstimate = 1.4
			if _, err := r.Reason(t.Context(), longHistory(50)); err != nil {
				t.Fatal(err)
			}
			f.tokensPerEstimate, f.log = 1, nil
		}
		a, err := r.Reason(t.Context(), longHistory(n))
		if err != nil {
			t.Fatal(err)
		}
		fits(t, f, window)
		next, least, most := 0, n, 0
		requests := f.requests()
		for i, req := range requests {
			shown := shownIn(req.Prompt)
			least, most = min(least, len(shown)), max(most, len(shown))
			for _, at := range shown {
				if at != next {
					t.Fatalf("part %d shows item %d, want %d", i, at, next)
				}
				next++
			}
			if has := strings.Contains(req.Prompt, fmt.Sprintf("Conclusion %d:", i-1)); has != (i > 0) {
				t.Errorf("part %d: conclusion shown: %v", i, has)
			}
			if strings.Contains(req.Prompt, fmt.Sprintf("Conclusion %d:", i-2)) {
				t.Errorf("part %d shows an old conclusion", i)
			}
		}
		if next != n || len(requests) < 3 || most-least > 2 {
			t.Errorf("%d of %d items in %d parts of %d to %d", next, n, len(requests), least, most)
		}
		if want := fmt.Sprintf("Conclusion %d:", len(requests)-1); !strings.HasPrefix(a.Text, want) {
			t.Errorf("%q, want %s", a.Text, want)
		}
		if a.Params["history"] != "recurrent" || a.Params["steps"] != len(requests) || a.Params["shown"] != n || a.AnswerTokens != 10*len(requests) || a.Attempt != len(requests) || a.Params["window"] != window {
			t.Errorf("%+v", a)
		}
		if run == 0 {
			first, log = a, requests
		} else if !reflect.DeepEqual(a, first) || !reflect.DeepEqual(requests, log) {
			t.Error("the second run differs")
		}
	}
}

func TestLongConclusionsFitToo(t *testing.T) {
	const window = 4096
	f := newFake(func(int, mllm.Request) (mllm.Response, error) {
		return say("Likes " + strings.Repeat("1234567890123456 ", 60) + manyWords(80)) // a token a digit
	})
	for n := 40; n < 70; n++ {
		if _, err := mustReasoner(t, f, Options{Window: window}).Reason(t.Context(), longHistory(n)); err != nil {
			t.Fatal(err)
		}
	}
	fits(t, f, window)
}

func TestShortHistoriesAreKnownToFitWithoutCounting(t *testing.T) {
	sure := 0
	for _, o := range []Options{{}, {Window: 4096}, {Window: 4096, History: Latest}, {History: Latest, LatestN: 6}} {
		r := mustReasoner(t, newFake(nil), o)
		over, err := r.known.overhead(r.opt, "baby products")
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n < 60; n++ {
			req := longHistory(n)
			f, err := newFitter(r.opt, req, &r.known)
			if err != nil {
				t.Fatal(err)
			}
			from, err := f.from()
			if err != nil {
				t.Fatal(err)
			}
			sizes, err := f.parts(from, "")
			if err != nil {
				t.Fatal(err)
			}
			if surelyWhole(r.opt, req, over) {
				sure++
				if from > 0 || len(sizes) > 1 {
					t.Errorf("%+v: %d items are not whole", o, n)
				}
			}
		}
	}
	if sure < 30 {
		t.Errorf("only %d histories are known to fit", sure)
	}
}

func TestTheServersCountMakesPartsSmaller(t *testing.T) {
	const window = 4096
	sizes := func(perEstimate float64) (out []int) {
		f := newFake(nil)
		f.tokensPerEstimate = perEstimate
		if _, err := mustReasoner(t, f, Options{Window: window}).Reason(t.Context(), longHistory(100)); err != nil {
			t.Fatal(err)
		}
		for _, r := range f.requests() {
			out = append(out, len(shownIn(r.Prompt)))
		}
		return out
	}
	plain, low, high := sizes(1), sizes(0.5), sizes(1.6)
	if !reflect.DeepEqual(plain, low) {
		t.Errorf("a low count, which a cached prompt may cause, changes the parts: %v, %v", plain, low)
	}
	if high[1] >= plain[1] || len(high) <= len(plain) {
		t.Errorf("parts of %v, then of %v items", plain, high)
	}
}

func TestAPromptThatWasCutIsAskedAgainInSmallerParts(t *testing.T) {
	const real = 2600 // the server's window, which nobody told us
	for _, way := range []History{Recurrent, Latest} {
		f := newFake(nil)
		f.answer = func(n int, r mllm.Request) (mllm.Response, error) {
			if tokens := mllm.EstimateTokens(r.System) + mllm.EstimateTokens(r.Prompt); tokens > real {
				return mllm.Response{}, &mllm.Error{Class: mllm.PromptCut, Err: errors.New("too long")}
			}
			return say(fmt.Sprintf("Conclusion %d: wooden things.", n))
		}
		a, err := mustReasoner(t, f, Options{Window: 8192, History: way}).Reason(t.Context(), longHistory(50))
		if way == Latest { // its sources are settled beforehand: it may not show fewer
			if hint, _ := usererr.Hint(err); mllm.ClassOf(err) != mllm.PromptCut || hint == "" || len(f.requests()) != 1 {
				t.Errorf("%v after %d requests", err, len(f.requests()))
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		requests := f.requests()
		shown := shownIn(requests[len(requests)-1].Prompt)
		if shown[len(shown)-1] != 49 || a.Params["shown"] != 50 || a.Params["history"] != "recurrent" {
			t.Errorf("the last prompt ends with item %d; %+v", shown[len(shown)-1], a.Params)
		}
	}
	// A server that refuses everything is not asked for ever.
	f := newFake(func(int, mllm.Request) (mllm.Response, error) {
		return mllm.Response{}, &mllm.Error{Class: mllm.PromptCut, Err: errors.New("too long")}
	})
	if _, err := mustReasoner(t, f, Options{}).Reason(t.Context(), longHistory(50)); mllm.ClassOf(err) != mllm.PromptCut && !isMine(err) || len(f.requests()) > 10 {
		t.Errorf("%d requests: %v", len(f.requests()), err)
	}
}

func isMine(err error) bool { return err != nil && strings.Contains(err.Error(), "too small") }

// TestTheSmallestWindowIsThatOfTheCatalogue: a shop of short texts is served by a small window,
// one whose longest text does not fit is refused before anybody is asked.
func TestTheSmallestWindowIsThatOfTheCatalogue(t *testing.T) {
	o := Options{Model: model, Window: 1100, MaxTokens: 150}
	o.Limits.Words = 30
	texts := []string{strings.Repeat("painted wooden blocks ", 15), "A mug."}
	for _, c := range []struct {
		corpus []string
		ok     bool
	}{{nil, false}, {texts, true}, {append([]string{strings.Repeat("painted wooden blocks ", 90)}, texts...), false}} {
		o.LongestItem = 0
		if c.corpus != nil {
			o.LongestItem = LongestItem(c.corpus)
		}
		f := newFake(nil)
		r, err := NewReasoner(t.Context(), f, o)
		if (err == nil) != c.ok || err != nil && !isMine(err) {
			t.Errorf("longest item of %d tokens: %v", o.LongestItem, err)
		}
		if err != nil {
			continue
		}
		req := longHistory(30)
		for i := range req.Items {
			req.Items[i].ImageText = c.corpus[i%2]
		}
		if _, err := r.Reason(t.Context(), req); err != nil {
			t.Error(err)
		}
		fits(t, f, o.Window)
	}
}

func TestLatestShowsTheEndOfAHistory(t *testing.T) {
	f := newFake(nil)
	r := mustReasoner(t, f, Options{Window: 4096, History: Latest})
	req := longHistory(100)
	from := r.FirstShown(req)
	a, err := r.Reason(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	fits(t, f, 4096)
	shown := shownIn(f.requests()[0].Prompt)
	if from == 0 || shown[0] != from || shown[len(shown)-1] != 99 || a.Params["first_shown"] != from || a.Params["shown"] != len(shown) || a.Params["dropped"] != from || a.Params["history"] != "latest" {
		t.Errorf("from %d, shown %v, %v", from, shown, a.Params)
	}
	// One more would not fit.
	if err := fitsOne(r, req, from-1); err == nil {
		t.Error("an item was dropped that fits")
	}
	// Whoever drops those items beforehand gets the same prompt.
	req.Items = req.Items[from:]
	if _, err := r.Reason(t.Context(), req); err != nil || f.requests()[1].Prompt != f.requests()[0].Prompt || r.FirstShown(req) != 0 {
		t.Error("the shortened history is shown in another way")
	}
	r = mustReasoner(t, f, Options{History: Latest, LatestN: 7})
	if from := r.FirstShown(longHistory(20)); from != 13 {
		t.Errorf("from %d, want 13", from)
	}
	if from := r.FirstShown(longHistory(5)); from != 0 {
		t.Errorf("from %d, want 0", from)
	}
	if from := mustReasoner(t, f, Options{}).FirstShown(longHistory(500)); from != 0 {
		t.Errorf("a history read in parts begins at %d", from)
	}
}

// fitsOne fails if the items from begin on do not fit one prompt.
func fitsOne(r *Reasoner, req texts.ReasonRequest, begin int) error {
	req.Items = req.Items[begin:]
	f, err := newFitter(r.opt, req, &r.known)
	if err != nil {
		return err
	}
	load := 0
	for _, c := range f.costs {
		load += c
	}
	if load > f.room(f.first) {
		return errors.New("does not fit")
	}
	return nil
}

func TestABadStepIsTriedAgainAndGoodOnesAreKept(t *testing.T) {
	bad := map[int]bool{1: true, 2: true}
	f := newFake(func(n int, r mllm.Request) (mllm.Response, error) {
		if bad[n] {
			return say("")
		}
		return say(fmt.Sprintf("Conclusion %d: wooden things.", n))
	})
	kept := newSteps()
	r := mustReasoner(t, f, Options{Window: 4096, Conclusions: kept})
	a, err := r.Reason(t.Context(), longHistory(60))
	if err != nil {
		t.Fatal(err)
	}
	log := f.requests()
	if log[1].Prompt != log[2].Prompt || log[2].Prompt != log[3].Prompt || log[1].Seed == log[2].Seed || log[2].Seed == log[3].Seed || a.Attempt != 1 || a.AnswerTokens+kept.tokens() != 10*len(log) {
		t.Error("the bad step was not asked again with other seeds, or its tokens are not booked")
	}
	// Read again, only the last step is asked, and the answer takes the same as before.
	again, err := r.Reason(t.Context(), longHistory(60))
	if err != nil || len(f.requests()) != len(log)+1 || again.AnswerTokens != a.AnswerTokens || again.Params["prompt_sha256"] != a.Params["prompt_sha256"] || again.Params["steps"] != a.Params["steps"] {
		t.Errorf("%d requests, then %d: %+v, first %+v", len(log), len(f.requests())-len(log), again, a)
	}
	// The last step fails for good; the next attempt pays for nothing twice.
	dead := true
	f = newFake(func(n int, r mllm.Request) (mllm.Response, error) {
		if dead && strings.Contains(r.Prompt, "Nr59x") {
			return say("I'm sorry, but I can't help with that.")
		}
		return say(fmt.Sprintf("Conclusion on %v.", len(shownIn(r.Prompt))))
	})
	kept = newSteps()
	r = mustReasoner(t, f, Options{Window: 4096, Conclusions: kept})
	req := longHistory(60)
	part, err := r.Reason(t.Context(), req)
	if mllm.ClassOf(err) != mllm.Refusal || !strings.Contains(err.Error(), "of 60") || part.AnswerTokens != 10*3 || part.AnswerTokens+kept.tokens() != 10*len(f.requests()) {
		t.Fatalf("%v, %+v", err, part)
	}
	dead = false
	asked := len(f.requests())
	req.Attempt = 2
	a, err = r.Reason(t.Context(), req)
	if err != nil || len(f.requests()) != asked+1 {
		t.Fatalf("%d requests after %d: %v", len(f.requests()), asked, err)
	}
	for _, old := range f.requests()[:asked] {
		if old.Seed == f.requests()[asked].Seed {
			t.Error("the second attempt uses a seed of the first")
		}
	}
	if a.Params["steps"].(int) < 3 || a.AnswerTokens != 10 {
		t.Errorf("%+v", a)
	}
	// Another model's conclusions are not taken.
	other := newFake(nil)
	other.models[0].Digest = "d2"
	if _, err := mustReasoner(t, other, Options{Window: 4096, Conclusions: r.opt.Conclusions}).Reason(t.Context(), longHistory(60)); err != nil || len(other.requests()) != a.Params["steps"].(int) {
		t.Errorf("%d requests, %v", len(other.requests()), err)
	}
}

func TestKeepingAConclusionIsNoEcho(t *testing.T) {
	const kept = "This customer looks for plain wooden toys for a first child, in natural or pastel colours, well made and rather dear, and keeps away from batteries and noise."
	f := newFake(func(int, mllm.Request) (mllm.Response, error) { return say(kept) })
	if _, err := mustReasoner(t, f, Options{Window: 4096}).Reason(t.Context(), longHistory(60)); err != nil {
		t.Error(err)
	}
	f = newFake(func(_ int, r mllm.Request) (mllm.Response, error) {
		return say("This customer likes " + strings.Join(strings.Fields(r.Prompt)[:60], " "))
	})
	if _, err := mustReasoner(t, f, Options{Window: 4096}).Reason(t.Context(), longHistory(60)); mllm.ClassOf(err) != mllm.Echo {
		t.Error(err)
	}
}

func TestPackKeepsToTheRoom(t *testing.T) {
	if got := pack([]int{5, 5, 5, 5}, 10, 5); !reflect.DeepEqual(got, []int{2, 1, 1}) {
		t.Error(got)
	}
	if got := pack([]int{5, 11}, 10, 10); got != nil {
		t.Error(got)
	}
}

func BenchmarkRequestID(b *testing.B) {
	r, err := NewReasoner(b.Context(), newFake(nil), Options{Model: model})
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{6, 12, 60} {
		req := longHistory(n)
		b.Run(fmt.Sprintf("items=%d", n), func(b *testing.B) {
			for b.Loop() {
				r.RequestID(req)
			}
		})
	}
}
