package encoder

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/encoder/lsa"
)

func TestOptionsWithoutEffectAreRefused(t *testing.T) {
	prefix := "query: "
	for _, c := range []struct {
		option string
		says   string
		opt    Options
	}{
		{"dim", "has no effect", Options{Encoder: MiniLM, Dim: 100}},
		{"encoder-seed", "has no effect", Options{Encoder: "tei", BaseURL: "http://x", Seed: 2}},
		{"encoder-model", "has no effect", Options{Encoder: LSA, Model: "m"}},
		{"encoder-base-url", "has no effect", Options{Encoder: MiniLM, BaseURL: "http://x"}},
		{"encoder-base-url", "needs", Options{Encoder: "openai", Model: "m"}},
		{"encoder-user-prefix", "has no effect", Options{Encoder: LSA, UserPrefix: &prefix}},
		{"encoder-api-key-env", "has no effect", Options{Encoder: MiniLM, APIKeyEnv: "KEY"}},
		{"encoder-batch", "has no effect", Options{Encoder: LSA, Batch: 3}},
		{"encoder-concurrency", "has no effect", Options{Encoder: MiniLM, Concurrency: 3}},
		{"encoder-long", "has no effect", Options{Encoder: LSA, Long: "mean"}},
		{"encoder-long", "no such treatment", Options{Encoder: "ollama", Model: "m", Long: "mean"}},
		{"encoder", `not "word2vec"`, Options{Encoder: "word2vec"}},
		{"dim", "at least 1, not -1", Options{Encoder: LSA, Dim: -1}},
	} {
		err := c.opt.Check()
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), `"`+c.option+`"`) {
			t.Errorf("%+v: error %v, want one about %q that says %q", c.opt, err, c.option, c.says)
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
	enc, err := Open(t.Context(), Options{Encoder: LSA}, nil, func() (*os.File, error) { return os.Open(path) })
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
	if enc, err := Open(t.Context(), Options{Encoder: LSA}, nil, func() (*os.File, error) { return os.Open(path + ".absent") }); err == nil || enc != nil {
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
