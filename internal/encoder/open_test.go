package encoder

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/encoder/lsa"
)

func TestOptionsWithoutEffectAreRefused(t *testing.T) {
	prefix := ""
	for want, opt := range map[string]Options{
		"dimensions":         {Encoder: MiniLM, Dim: 384},
		"encoder seed":       {Encoder: "tei", BaseURL: "http://x", Seed: 1},
		"a model":            {Encoder: LSA, Model: "m"},
		"a base URL":         {Encoder: MiniLM, BaseURL: "http://x"},
		"needs a base URL":   {Encoder: "openai", Model: "m"},
		"a prefix":           {Encoder: LSA, UserPrefix: &prefix},
		"an API key":         {Encoder: MiniLM, APIKeyEnv: "KEY"},
		"batch size":         {Encoder: LSA, Batch: 3},
		"in flight":          {Encoder: MiniLM, Concurrency: 3},
		"long texts":         {Encoder: LSA, Long: "mean"},
		`"mean": no such`:    {Encoder: "ollama", Model: "m", Long: "mean"},
		`encoder "word2vec"`: {Encoder: "word2vec"},
		"negative":           {Encoder: LSA, Dim: -1},
	} {
		if err := opt.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", opt, err, want)
		}
	}
}

func TestOpenReadsAFittedLSA(t *testing.T) {
	m, err := lsa.Fit(t.Context(), []string{"red wooden rattle", "blue wooden blocks", "soft red bib"}, lsa.Options{Dim: 2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "lsa.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	enc, err := Open(t.Context(), Options{Encoder: LSA}, nil, path)
	if err != nil || enc.ID() != m.ID() || enc.Dim() != m.Dim() {
		t.Fatalf("%v, %v", enc, err)
	}
	want, err := m.Encode(t.Context(), []string{"a wooden bib"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := enc.Encode(t.Context(), []string{"a wooden bib"})
	if err != nil || !slices.Equal(got.Data, want.Data) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if enc, err := Open(t.Context(), Options{Encoder: LSA}, nil, path+".absent"); err == nil || enc != nil {
		t.Errorf("an absent file opens as %v, %v", enc, err)
	}
}

func TestStandaloneEncodersNeedNoCatalogue(t *testing.T) {
	if enc, err := OpenStandalone(t.Context(), Options{Encoder: LSA}); err == nil || enc != nil {
		t.Errorf("lsa without a catalogue: %v, %v", enc, err)
	}
	if enc, err := OpenStandalone(t.Context(), Options{Encoder: MiniLM, Model: t.TempDir()}); err == nil || enc != nil {
		t.Errorf("an empty model folder: %v, %v", enc, err)
	}
}

func TestRecordsHoldWhatDeterminesAVector(t *testing.T) {
	query := "query: "
	for name, c := range map[string]struct {
		opt  Options
		want map[string]string
	}{
		"lsa":    {Options{Encoder: LSA, Dim: 3, Seed: 7}, map[string]string{"encoder": "lsa", "dim": "3", "seed": "7"}},
		"minilm": {Options{Encoder: MiniLM, Model: "m", Long: "mean", UserPrefix: &query}, map[string]string{"encoder": "minilm", "id": "sum", "long": "mean", "item_prefix": "", "user_prefix": "query: "}},
		"server": {Options{Encoder: "tei", Model: "m", BaseURL: "http://x", Batch: 3, Concurrency: 2}, map[string]string{"encoder": "tei", "model": "m", "base_url": "http://x", "long": "", "item_prefix": "", "user_prefix": ""}},
	} {
		if diff := cmp.Diff(c.want, c.opt.Record("sum")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	settled, enc, err := Options{Encoder: "ollama", Model: "m"}.Settle()
	if err != nil || enc != nil || settled.BaseURL != ollamaURL {
		t.Errorf("%+v, %v, %v", settled, enc, err)
	}
	if settled, _, err = (Options{Encoder: LSA}).Settle(); err != nil || settled.Dim != lsaDim {
		t.Errorf("%+v, %v", settled, err)
	}
	if one, two := (Options{ItemPrefix: new(""), UserPrefix: nil}), (Options{UserPrefix: &query}); !one.SamePrefix() || two.SamePrefix() {
		t.Error("prefixes are compared wrongly")
	}
}
