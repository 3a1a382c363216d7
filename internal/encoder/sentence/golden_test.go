package sentence

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// golden is testdata/texts.json.gz as golden.py writes it.
type golden struct {
	Texts       []string  `json:"texts"`
	MiniLM      [][]int32 `json:"minilm"`
	MiniLMCount []int     `json:"minilm_lengths"`
	Tiny        [][]int32 `json:"tiny"`
	TinyCount   []int     `json:"tiny_lengths"`
	Cased       [][]int32 `json:"tiny_cased"`
	Lowered     [][]int32 `json:"tiny_lowered"`
}

func readGolden(t testing.TB) golden {
	t.Helper()
	f, err := os.Open("testdata/texts.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.NewDecoder(z).Decode(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

// quarter are the texts of which the tiny model's vectors are kept.
func (g golden) quarter() []string {
	var list []string
	for i := 0; i < len(g.Texts); i += 4 {
		list = append(list, g.Texts[i])
	}
	return list
}

func miniLM(t testing.TB) string { return realModel(t, "MLLMREC_MINILM_DIR", "all-MiniLM-L6-v2") }

// realModel is the folder of real weights that a variable names; without it the test is
// skipped.
func realModel(t testing.TB, variable, name string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		t.Skipf("%s is not set: no folder with the weights of %s", variable, name)
	}
	return dir
}

// tiny copies the tiny model to a temporary folder and edits it.
func tiny(t testing.TB, edits ...func(dir string)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := os.CopyFS(dir, os.DirFS("testdata/tiny")); err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		edit(dir)
	}
	return dir
}

// replace edits a file by pairs of old and new.
func replace(t testing.TB, name string, pairs ...string) func(string) {
	return func(dir string) {
		t.Helper()
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(string(data), pairs[i]) {
				t.Fatalf("%s has no %s", name, pairs[i])
			}
			data = []byte(strings.ReplaceAll(string(data), pairs[i], pairs[i+1]))
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(t testing.TB, name string) func(string) {
	return func(dir string) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// compareIDs reports texts whose ids differ from the reference's.
func compareIDs(t *testing.T, tok *tokenizer.Tokenizer, texts []string, want [][]int32, limit int) {
	t.Helper()
	wrong := 0
	for i, text := range texts {
		if got := tok.Encode(text, limit); !slices.Equal(got, want[i]) {
			wrong++
			if wrong <= 3 {
				t.Errorf("text %d %.60q:\n got %v\nwant %v", i, text, got, want[i])
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d texts differ", wrong, len(texts))
	}
}

func TestMiniLMTokensAreTheReference(t *testing.T) {
	g := readGolden(t)
	m, err := Load(miniLM(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Texts) != 500 || m.MaxTokens() != 256 {
		t.Fatalf("%d texts, %d tokens a text", len(g.Texts), m.MaxTokens())
	}
	compareIDs(t, m.tok, g.Texts, g.MiniLM, 256)
	if got := m.Tokens(g.Texts); !slices.Equal(got, g.MiniLMCount) {
		t.Errorf("token counts differ")
	}
}

func TestMiniLMVectorsAreTheReference(t *testing.T) {
	g := readGolden(t)
	m, err := Load(miniLM(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := arrayfile.ReadNPY("testdata/minilm.npy")
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Encode(t.Context(), g.Texts)
	if err != nil {
		t.Fatal(err)
	}
	worst := 1.0
	for i := range g.Texts {
		c := cosine(got.Row(i), want.Row(i))
		worst = min(worst, c)
		if !(c >= 0.99999) {
			t.Errorf("text %d %.40q: cosine %.7f", i, g.Texts[i], c)
		}
	}
	t.Logf("least cosine of %d texts: %.9f", len(g.Texts), worst)
}

func TestTinyTokensAreTheReference(t *testing.T) {
	g := readGolden(t)
	for _, v := range []struct {
		name  string
		want  [][]int32
		edits []func(string)
	}{
		{"tokenizer.json", g.Tiny, nil},
		{"vocab.txt", g.Tiny, []func(string){remove(t, "tokenizer.json")}},
		{"cased", g.Cased, []func(string){replace(t, "tokenizer_config.json", `"do_lower_case": true`, `"do_lower_case": false`)}},
		{"lower-cased by Sentence-Transformers", g.Lowered, []func(string){
			replace(t, "tokenizer_config.json", `"do_lower_case": true`, `"do_lower_case": false`),
			replace(t, "sentence_bert_config.json", `"do_lower_case": false`, `"do_lower_case": true`)}},
	} {
		t.Run(v.name, func(t *testing.T) {
			m, err := Load(tiny(t, v.edits...), Options{})
			if err != nil {
				t.Fatal(err)
			}
			compareIDs(t, m.tok, g.Texts, v.want, 48)
		})
	}
	m, err := Load(tiny(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Tokens(g.Texts); !slices.Equal(got, g.TinyCount) {
		t.Errorf("token counts differ")
	}
	long := 0
	for _, n := range g.TinyCount {
		if n > 48 {
			long++
		}
	}
	if got := m.CountLong(g.Texts); got != long || long == 0 {
		t.Errorf("%d long texts, want %d", got, long)
	}
}

func TestTinyVectorsAreTheReference(t *testing.T) {
	texts := readGolden(t).quarter()
	queries := `{"prompts": {"query": "query: ", "document": "passage: "}, "default_prompt_name": null}`
	prompts := func(dir string) {
		if err := os.WriteFile(filepath.Join(dir, "config_sentence_transformers.json"), []byte(queries), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	passage := "passage: "
	for _, v := range []struct {
		name, golden string
		opt          Options
		edits        []func(string)
	}{
		{"mean", "mean", Options{}, nil},
		{"new pooling file", "mean", Options{}, []func(string){func(dir string) {
			os.WriteFile(filepath.Join(dir, "1_Pooling", "config.json"),
				[]byte(`{"embedding_dimension": 36, "pooling_mode": "mean", "include_prompt": true}`), 0o644)
		}, replace(t, "modules.json", "sentence_transformers.models.", "sentence_transformers.sentence_transformer.modules.")}},
		{"cls", "cls", Options{}, []func(string){replace(t, "1_Pooling/config.json",
			`"pooling_mode_cls_token": false`, `"pooling_mode_cls_token": true`, `"pooling_mode_mean_tokens": true`, `"pooling_mode_mean_tokens": false`)}},
		{"no modules.json", "raw", Options{}, []func(string){remove(t, "modules.json")}},
		{"cased", "cased", Options{}, []func(string){replace(t, "tokenizer_config.json", `"do_lower_case": true`, `"do_lower_case": false`)}},
		{"lowered", "lowered", Options{}, []func(string){
			replace(t, "tokenizer_config.json", `"do_lower_case": true`, `"do_lower_case": false`),
			replace(t, "sentence_bert_config.json", `"do_lower_case": false`, `"do_lower_case": true`)}},
		{"short", "short", Options{}, []func(string){replace(t, "sentence_bert_config.json", "48", "9")}},
		{"short by option", "short", Options{MaxTokens: 9}, nil},
		{"all positions", "positions", Options{}, []func(string){remove(t, "sentence_bert_config.json")}},
		{"prompt", "query", Options{Prompt: "query"}, []func(string){prompts}},
		{"default prompt", "query", Options{}, []func(string){prompts, replace(t, "config_sentence_transformers.json", "null", `"query"`)}},
		{"prefix", "passage", Options{Prefix: &passage}, nil},
		{"windows", "windows", Options{Long: Mean}, nil},
	} {
		t.Run(v.name, func(t *testing.T) {
			m, err := Load(tiny(t, v.edits...), v.opt)
			if err != nil {
				t.Fatal(err)
			}
			want, err := arrayfile.ReadNPY(filepath.Join("testdata/tiny/golden", v.golden+".npy"))
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

// closeTo compares element by element.
func closeTo(t *testing.T, got, want *tensor.Matrix, eps float64) {
	t.Helper()
	if got.Rows != want.Rows || got.Cols != want.Cols {
		t.Fatalf("%d×%d, want %d×%d", got.Rows, got.Cols, want.Rows, want.Cols)
	}
	worst, at := 0.0, 0
	for i, v := range got.Data {
		if d := math.Abs(float64(v - want.Data[i])); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= eps) {
		t.Errorf("row %d, column %d differs by %g", at/got.Cols, at%got.Cols, worst)
	}
}
