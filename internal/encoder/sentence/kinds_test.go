package sentence

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// kindTexts are the texts of which scripts/tiny_encoders.py keeps vectors.
func kindTexts(t testing.TB) []string {
	t.Helper()
	f, err := os.Open("../tokenizer/testdata/conformance.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		More    []string
		Careful int
	}
	if err := json.NewDecoder(z).Decode(&c); err != nil {
		t.Fatal(err)
	}
	all := append(readGolden(t).Texts, c.More...)
	var list []string
	for i := 0; i < len(all); i += 16 {
		list = append(list, all[i])
	}
	return append(list, c.More[:c.Careful]...)
}

// kindOf copies a tiny model to a temporary folder and edits it.
func kindOf(t testing.TB, name string, edits ...func(dir string)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "kinds", name))); err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		edit(dir)
	}
	return dir
}

// plainModules makes a folder of model2vec one of Sentence-Transformers.
func plainModules(dir string) {
	os.WriteFile(filepath.Join(dir, "modules.json"), []byte(`[{"path": ".", "type": "sentence_transformers.models.StaticEmbedding"},
		{"path": "1_Normalize", "type": "sentence_transformers.models.Normalize"}]`), 0o644)
}

// TestKindsAreTheReference compares the vectors of a tiny model of each kind with
// Sentence-Transformers, and with model2vec.
func TestKindsAreTheReference(t *testing.T) {
	texts := kindTexts(t)
	for _, x := range []struct {
		name, kind, golden, id string
		edits                  []func(string)
	}{
		{"MPNet", "mpnet", "golden", "mpnet/1 mpnet", nil},
		{"XLM-RoBERTa", "xlm-roberta", "golden", "xlm-roberta/1 xlm-roberta", nil},
		{"CamemBERT", "xlm-roberta", "golden", "camembert/1 xlm-roberta", []func(string){
			replace(t, "config.json", `"model_type":"xlm-roberta"`, `"model_type":"camembert"`)}},
		{"BERT with the tokenizer of XLM-RoBERTa", "xlm-roberta", "bert", "bert/1 xlm-roberta", []func(string){
			replace(t, "config.json", `"model_type":"xlm-roberta"`, `"model_type":"bert"`)}},
		{"RoBERTa", "roberta", "golden", "roberta/1 roberta", nil},
		{"DistilBERT", "distilbert", "golden", "distilbert/1 distilbert", nil},
		{"StaticEmbedding", "static", "golden", "static/1 static", nil},
		{"model2vec", "model2vec", "golden", "static/1 model2vec", nil},
	} {
		t.Run(x.name, func(t *testing.T) {
			dir := kindOf(t, x.kind, x.edits...)
			m := mustLoad(t, dir, Options{})
			if !strings.HasPrefix(m.ID(), x.id+" sha256:") {
				t.Errorf("id %s, want %s", m.ID(), x.id)
			}
			want, err := arrayfile.ReadNPY(filepath.Join(dir, x.golden+".npy"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Encode(t.Context(), texts)
			if err != nil {
				t.Fatal(err)
			}
			closeTo(t, got, want, 2e-5)
		})
	}
}

// TestModel2vecInSentenceTransformers checks that modules.json decides how a folder of
// model2vec is read: unknown tokens count then, as in Sentence-Transformers.
func TestModel2vecInSentenceTransformers(t *testing.T) {
	texts := []string{"film", "film \U00010348"}
	own, err := mustLoad(t, kindOf(t, "model2vec"), Options{}).Encode(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	modules, err := mustLoad(t, kindOf(t, "model2vec", plainModules), Options{}).Encode(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	if c := cosine(own.Row(0), own.Row(1)); c < 0.999999 {
		t.Errorf("model2vec counts the unknown token: cosine %v", c)
	}
	if c := cosine(modules.Row(0), modules.Row(1)); c > 0.999 {
		t.Errorf("Sentence-Transformers does not count the unknown token: cosine %v", c)
	}
	closeTo(t, tensor.FromSlice(1, own.Cols, own.Row(0)), tensor.FromSlice(1, own.Cols, modules.Row(0)), 1e-6)
}

func TestTextsWithoutAKnownTokenHaveTheZeroVector(t *testing.T) {
	for _, kind := range []string{"model2vec", "static"} {
		v, err := mustLoad(t, kindOf(t, kind), Options{}).Encode(t.Context(), []string{"", " \x00"})
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range v.Data {
			if x != 0 {
				t.Fatalf("%s: element %d is %v", kind, i, x)
			}
		}
	}
}

// TestKindsReadTheirLength checks how many tokens each kind reads.
func TestKindsReadTheirLength(t *testing.T) {
	long := []string{strings.Repeat("film ", 100)}
	for kind, want := range map[string]int{"mpnet": 60, "xlm-roberta": 48, "roberta": 64, "distilbert": 50, "model2vec": 60, "static": noLimit} {
		m := mustLoad(t, kindOf(t, kind), Options{})
		cut := 1
		if kind == "static" {
			cut = 0
		}
		if m.MaxTokens() != want || m.CountLong(long) != cut {
			t.Errorf("%s reads %d tokens and cuts %d of one long text", kind, m.MaxTokens(), m.CountLong(long))
		}
	}
	dir := kindOf(t, "mpnet", remove(t, "sentence_bert_config.json"), remove(t, "tokenizer_config.json"))
	if m := mustLoad(t, dir, Options{}); m.MaxTokens() != 68 { // 70 positions, two of them before the first token
		t.Errorf("MPNet without a limit reads %d tokens", m.MaxTokens())
	} else if _, err := m.Encode(t.Context(), long); err != nil {
		t.Error(err)
	}
	for limit, want := range map[string]int{"null": noLimit, "7": 7, "0": 512} {
		dir := kindOf(t, "model2vec", replace(t, "config.json", `"max_length": 60`, fmt.Sprintf(`"max_length": %s`, limit)))
		if m := mustLoad(t, dir, Options{}); m.MaxTokens() != want {
			t.Errorf("max_length %s: %d tokens", limit, m.MaxTokens())
		}
	}
}
