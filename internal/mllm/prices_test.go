package mllm_test

import (
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

func TestPrices(t *testing.T) {
	table := mllm.DefaultPrices()
	for model, want := range map[string]float64{"gpt-4o": 12.5, "GPT-4o-mini-2024-07-18": 0.75, "gemma3:27b": 0} {
		if cost, ok := table.Cost(model, 1_000_000, 1_000_000); !ok || cost != want {
			t.Errorf("%s costs %v (%v), want %v", model, cost, ok, want)
		}
	}
	if _, ok := table.Cost("gpt-9", 1, 1); ok {
		t.Error("a model without a price has one")
	}
	for name, text := range map[string]string{
		"unknown setting": "currency: USD\nmodels: {a: {input: 1, outptu: 2}}", "negative": "currency: USD\nmodels: {a: {input: -1}}",
		"not a number": "currency: USD\nmodels: {a: {input: .nan}}", "star inside": "currency: USD\nmodels: {a*b: {input: 1}}",
		"empty": "", "no currency": "models: {a: {input: 1}}", "torn": "currency: [",
		"negative picture": "currency: USD\nmodels: {a: {input: 1}}\npictures: {default: -1}", "picture of words": "currency: USD\nmodels: {a: {input: 1}}\npictures: {default: x}",
		"star inside a picture": "currency: USD\nmodels: {a: {input: 1}}\npictures: {models: {a*b: 1}}", "no such picture": "currency: USD\nmodels: {a: {input: 1}}\npictures: {model: {}}",
	} {
		if _, err := mllm.ParsePrices([]byte(text), "p.yaml"); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestPictureTokensComeFromTheTable(t *testing.T) {
	own, err := mllm.ParsePrices([]byte("currency: USD\nmodels: {a: {input: 1}}\npictures: {default: 77, models: {gpt-4o*: 5}}"), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		table  *mllm.PriceTable
		model  string
		want   int
		listed bool
	}{
		{nil, "gemma3:27b", 256, true}, {nil, "gpt-4o-2024-08-06", 765, true}, {nil, "gpt-4o-mini", 25501, true},
		{nil, "qwen/qwen2.5-vl-7b-instruct", 1024, true}, {nil, "what", 1024, false},
		{own, "gpt-4o-mini", 5, true}, {own, "gemma3:27b", 256, true}, {own, "what", 77, false},
	} {
		if n, listed := c.table.PictureTokens(c.model); n != c.want || listed != c.listed {
			t.Errorf("%s: %d (%v), want %d", c.model, n, listed, c.want)
		}
	}
}
