package sentence

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// weights edits the tensors of a model folder.
func weights(t *testing.T, change func(map[string]arrayfile.Tensor)) func(string) {
	return func(dir string) {
		t.Helper()
		path := filepath.Join(dir, "model.safetensors")
		tensors, meta, err := arrayfile.ReadSafetensors(path)
		if err != nil {
			t.Fatal(err)
		}
		change(tensors)
		if err := arrayfile.WriteSafetensors(path, tensors, meta); err != nil {
			t.Fatal(err)
		}
	}
}

func rename(old, fresh string) func(string) {
	return func(dir string) { os.Rename(filepath.Join(dir, old), filepath.Join(dir, fresh)) }
}

// TestOtherWeightsAreNamedWithTheirCure looks at folders without model.safetensors.
func TestOtherWeightsAreNamedWithTheirCure(t *testing.T) {
	for name, x := range map[string]struct{ says, cure string }{
		"pytorch_model.bin":            {"Python pickle", `python -c "from transformers import AutoModel as M; M.from_pretrained('DIR').save_pretrained('DIR'`},
		"pytorch_model.bin.index.json": {"Python pickles", "save_pretrained('DIR'"},
		"model.safetensors.index.json": {"in several parts", "save_pretrained('DIR'"},
		"onnx":                         {"an ONNX graph", "that it was made from"},
		"model.onnx":                   {"an ONNX graph", "that it was made from"},
		"tf_model.h5":                  {"TensorFlow", "form for PyTorch"},
		"README.md":                    {"has no model.safetensors", "Pull the model again"},
	} {
		dir := tiny(t, rename("model.safetensors", name))
		_, err := Load(dir, Options{})
		if hint, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), x.says) || !strings.Contains(hint, strings.ReplaceAll(x.cure, "DIR", dir)) {
			t.Errorf("%s: %v; %s", name, err, hint)
		}
		if err := Check(dir); err != nil {
			t.Errorf("%s: the check before the weights: %v", name, err)
		}
	}
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	prefix := strings.Repeat("film ", 50)
	for name, x := range map[string]struct {
		says string
		opt  Options
		edit func(string)
	}{
		"architecture": {`architecture "deberta-v2"`, Options{}, replace(t, "config.json", `"model_type": "bert"`, `"model_type": "deberta-v2"`)},
		"positions":    {`position embeddings "relative_key"`, Options{}, replace(t, "config.json", `"model_type"`, `"position_embedding_type": "relative_key", "model_type"`)},
		"activation":   {`activation "relu"`, Options{}, replace(t, "config.json", `"hidden_act": "gelu"`, `"hidden_act": "relu"`)},
		"decoder":      {"is_decoder", Options{}, replace(t, "config.json", `"is_decoder": false`, `"is_decoder": true`)},
		"quantised":    {"quantization_config", Options{}, replace(t, "config.json", `"model_type"`, `"quantization_config": {"bits": 4}, "model_type"`)},
		"heads":        {"no multiple", Options{}, replace(t, "config.json", `"num_attention_heads": 3`, `"num_attention_heads": 5`)},
		"no heads":     {"num_attention_heads is 0", Options{}, replace(t, "config.json", `"num_attention_heads": 3`, `"num_attention_heads": 0`)},
		"huge claim":   {"asks for [1000000000 36]", Options{}, replace(t, "config.json", `"max_position_embeddings": 64`, `"max_position_embeddings": 1000000000`)},
		"more layers":  {"encoder.layer.2.attention.self.query.weight is missing", Options{}, replace(t, "config.json", `"num_hidden_layers": 2`, `"num_hidden_layers": 1000000000`)},
		"dense module": {"models.Dense", Options{}, replace(t, "modules.json", "models.Normalize", "models.Dense")},
		"module path":  {"leaves the model folder", Options{}, replace(t, "modules.json", `"1_Pooling"`, `"../x"`)},
		"pooling":      {`pooling mode "max"`, Options{}, replace(t, "1_Pooling/config.json", `"pooling_mode_mean_tokens": true`, `"pooling_mode_max_tokens": true`, `"pooling_mode_max_tokens": false,`, ``)},
		"two poolings": {"several pooling modes", Options{}, replace(t, "1_Pooling/config.json", `"pooling_mode_cls_token": false`, `"pooling_mode_cls_token": true`)},
		"no pooling":   {"incomplete", Options{}, remove(t, "1_Pooling/config.json")},
		"torn config":  {"config.json", Options{}, replace(t, "config.json", "}", "")},
		"no config":    {"no config.json", Options{}, remove(t, "config.json")},
		"no weights":   {"no model.safetensors", Options{}, remove(t, "model.safetensors")},
		"pickled":      {"but its weights as a Python pickle (pytorch_model.bin)", Options{}, rename("model.safetensors", "pytorch_model.bin")},
		"torn weights": {"model.safetensors", Options{}, func(dir string) { os.Truncate(filepath.Join(dir, "model.safetensors"), 5000) }},
		"no tokenizer": {"neither tokenizer.json nor vocab.txt", Options{}, func(dir string) { remove(t, "tokenizer.json")(dir); remove(t, "vocab.txt")(dir) }},
		"sentencepiece": {"sentencepiece.bpe.model", Options{}, func(dir string) {
			remove(t, "tokenizer.json")(dir)
			rename("vocab.txt", "sentencepiece.bpe.model")(dir)
		}},
		"word level": {`model type "WordLevel"`, Options{}, replace(t, "tokenizer.json", `"WordPiece"`, `"WordLevel"`)},
		"left cut": {"cut at the left", Options{}, func(dir string) {
			plainModules(dir)
			replace(t, "tokenizer.json", `"direction": "Right"`, `"direction": "Left"`)(dir)
		}},
		"static after": {"module 1 is sentence_transformers.models.Pooling", Options{}, replace(t, "modules.json", "models.Transformer", "models.StaticEmbedding")},
		"larger vocab": {"the tokenizer has ids up to", Options{}, func(dir string) {
			remove(t, "tokenizer.json")(dir)
			replace(t, "vocab.txt", "[MASK]\n", "[MASK]\nanother\n")(dir)
		}},
		"missing tensor": {"embeddings.LayerNorm.bias is missing", Options{}, weights(t, func(m map[string]arrayfile.Tensor) { delete(m, "embeddings.LayerNorm.bias") })},
		"wrong shape": {"encoder.layer.1.output.dense.weight has shape [72 36], config.json asks for [36 72]", Options{}, weights(t, func(m map[string]arrayfile.Tensor) {
			m["encoder.layer.1.output.dense.weight"] = arrayfile.Tensor{Shape: []int{72, 36}, Data: make([]float32, 72*36)}
		})},
		"unknown prompt": {`no prompt "query"; it has: none`, Options{Prompt: "query"}, nil},
		"both":           {"give one", Options{Prompt: "query", Prefix: new(string)}, nil},
		"long":           {"valid: truncate, mean", Options{Long: "middle"}, nil},
		"tokens":         {"64 positions", Options{MaxTokens: 65}, nil},
		"no room":        {"no room", Options{Prefix: &prefix}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			edits := []func(string){}
			if x.edit != nil {
				edits = append(edits, x.edit)
			}
			_, err := Load(tiny(t, edits...), x.opt)
			if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), x.says) {
				t.Errorf("%v, want %s", err, x.says)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent"), Options{}); err == nil {
		t.Error("an absent folder is loaded")
	}
}

// TestOtherTensorNames loads checkpoints that keep the encoder under "bert." and that
// were converted from TensorFlow.
func TestOtherTensorNames(t *testing.T) {
	want := encodeTiny(t, tiny(t))
	renamed := func(name func(string) string) func(string) {
		return weights(t, func(m map[string]arrayfile.Tensor) {
			old := maps.Clone(m)
			clear(m)
			for k, v := range old {
				m[name(k)] = v
			}
		})
	}
	for _, edit := range []func(string){
		renamed(func(s string) string { return "bert." + s }),
		renamed(strings.NewReplacer("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta").Replace),
	} {
		closeTo(t, encodeTiny(t, tiny(t, edit)), want, 0)
	}
}

func TestIDFollowsEverythingThatDeterminesAVector(t *testing.T) {
	seen := map[string]string{}
	prefix := "query: "
	for name, m := range map[string]*Model{
		"plain":   mustLoad(t, tiny(t), Options{}),
		"prefix":  mustLoad(t, tiny(t), Options{Prefix: &prefix}),
		"long":    mustLoad(t, tiny(t), Options{Long: Mean}),
		"tokens":  mustLoad(t, tiny(t), Options{MaxTokens: 20}),
		"cls":     mustLoad(t, tiny(t, replace(t, "1_Pooling/config.json", `mean_tokens": true`, `mean_tokens": false`, `cls_token": false`, `cls_token": true`)), Options{}),
		"weights": mustLoad(t, tiny(t, weights(t, func(m map[string]arrayfile.Tensor) { m["embeddings.LayerNorm.bias"].Data[0]++ })), Options{}),
		"vocab":   mustLoad(t, tiny(t, replace(t, "tokenizer.json", `"##s"`, `"##ss"`)), Options{}),
	} {
		if other, ok := seen[m.ID()]; ok {
			t.Errorf("%s and %s have the id %s", name, other, m.ID())
		}
		seen[m.ID()] = name
	}
	if _, ok := seen[mustLoad(t, tiny(t), Options{}).ID()]; !ok {
		t.Error("the same model in another folder has another id")
	}
	// The vectors that users keep stand under this id: another release must give the same.
	if id, want := mustLoad(t, tiny(t), Options{}).ID(), "bert/1 tiny sha256:ac8051985f38d72ec015919aad8b9dffdac1d5a9de61ff25cbf7e63932136536"; id != want {
		t.Errorf("the id of the tiny model is %s, was %s", id, want)
	}
	dir := filepath.Join(t.TempDir(), "models--org--name", "snapshots", "abc")
	os.MkdirAll(dir, 0o755)
	os.CopyFS(dir, os.DirFS("testdata/tiny"))
	if m := mustLoad(t, dir, Options{}); m.name != "org/name" || !strings.HasPrefix(m.ID(), "bert/1 org/name sha256:") {
		t.Errorf("%s, %s", m.name, m.ID())
	}
}
