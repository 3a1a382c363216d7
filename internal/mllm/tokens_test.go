package mllm

import (
	"strings"
	"testing"
)

func TestTokenBounds(t *testing.T) {
	// From the fewest tokens that a large vocabulary can need to the most that a common one
	// does: the floor must not be above, the estimate not far off.
	for _, c := range []struct {
		text         string
		fewest, most int
	}{
		{"The quick brown fox jumps over the lazy dog.", 10, 10},
		{"Hello, world!", 4, 4},
		{"1234567890", 4, 10},
		{"antidisestablishmentarianism", 5, 7},
		{"今天天气很好", 3, 6},
		{"print(\"hello\")", 4, 7},
	} {
		if floor := FloorTokens(c.text); floor > c.fewest {
			t.Errorf("%q: floor %d, a tokenizer needs only %d", c.text, floor, c.fewest)
		}
		if got := EstimateTokens(c.text); got < c.fewest || float64(got) > 2.5*float64(c.most) {
			t.Errorf("%q: estimate %d, tokenizers need %d to %d", c.text, got, c.fewest, c.most)
		}
	}
	if EstimateTokens("") != 0 || FloorTokens("") != 0 {
		t.Error("nothing has tokens")
	}
}

func TestPromptWasCut(t *testing.T) {
	words := Request{Prompt: strings.Repeat("some words about a toy ", 1000)} // 5000 words
	short := Request{Prompt: "What is it?"}
	pictured := Request{Prompt: words.Prompt, Images: make([]Image, 1)}
	digits := Request{Prompt: strings.Repeat("123456789", 600)} // one word
	for name, c := range map[string]struct {
		r              Request
		tokens, window int
		want           bool
	}{
		"whole":                     {words, 5500, 8192, false},
		"not reported":              {words, 0, 8192, false},
		"fills the window":          {words, 8192, 8192, true},
		"one short of the window":   {words, 8191, 8192, true},
		"fewer tokens than words":   {words, 2500, 0, true},
		"at a server's own window":  {digits, 2048, 0, true},
		"a round count by chance":   {Request{Prompt: strings.Repeat("toys ", 1900)}, 2048, 0, false},
		"short and whole":           {short, 12, 2048, false},
		"a dropped picture":         {pictured, 8000, 8192, true},
		"a picture and much room":   {pictured, 6000, 8192, false},
		"without it, near the edge": {words, 8000, 8192, false},
	} {
		if got := PromptWasCut(c.r, c.tokens, c.window); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestEstimatorLearns(t *testing.T) {
	var e Estimator
	r := Request{Prompt: strings.Repeat("a long story of toys ", 100), Images: make([]Image, 2)}
	before := e.Prompt(r)
	e.Observe(r, 4*before)
	if after := e.Prompt(r); after < 3*before {
		t.Errorf("%d, then %d after the server counted %d", before, after, 4*before)
	}
	for range 100 {
		e.Observe(r, before)
	}
	if after := e.Prompt(r); after < before*9/10 || after > before*11/10 {
		t.Errorf("%d after a hundred counts of %d", after, before)
	}
	var fresh Estimator
	fresh.Observe(Request{Prompt: "Hi"}, 4000)
	if got := fresh.Prompt(r); got != before {
		t.Errorf("a short prompt taught %d instead of %d", got, before)
	}
}

func TestSameModel(t *testing.T) {
	for _, c := range []struct {
		wanted, answered string
		same             bool
	}{
		{"gemma3", "gemma3:latest", true},
		{"gemma3:27b", "gemma3:27b", true},
		{"Gemma3:27B", "registry.ollama.ai/library/gemma3:27b", true},
		{"gemma3:27b", "gemma3:4b", false},
		{"gemma3", "gemma3:27b", false},
		{"gpt-4o", "gpt-4o-2024-08-06", true},
		{"gpt-4o", "gpt-4o-mini", false},
		{"gpt-4o", "gpt-4o-mini-2024-07-18", false},
		{"gpt-4", "gpt-4o", false},
		{"google/gemma-3-27b-it", "google/gemma-3-27b-it", true},
		{"google/gemma-3-27b-it", "acme/gemma-3-27b-it", false},
		{"gemma-3-4b-it-Q4_K_M", "/models/gemma-3-4b-it-Q4_K_M.gguf", true},
		{"gemma-3-4b-it", `C:\models\gemma-3-4b-it.gguf`, true},
		{"gemma-3-4b-it", "/models/llava.gguf", false},
		{"org/gemma-3-4b-it", "gemma-3-4b-it", true},
		{"m", "", false},
	} {
		if got := SameModel(c.wanted, c.answered); got != c.same {
			t.Errorf("%s answered by %s: %v, want %v", c.wanted, c.answered, got, c.same)
		}
	}
}
