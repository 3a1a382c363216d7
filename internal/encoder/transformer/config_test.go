package transformer

import (
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

const sizes = `"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 4, "vocab_size": 9, "max_position_embeddings": 20`

// TestDistanceBuckets holds the first distance of each of the 32 buckets, as PyTorch gives
// them: MPNet rounds logarithms in float32 there.
func TestDistanceBuckets(t *testing.T) {
	starts := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91}
	bucket := -1
	for distance := range 600 {
		if bucket+1 < len(starts) && starts[bucket+1] == distance {
			bucket++
		}
		if got := distanceBucket(-distance, 32); got != bucket {
			t.Errorf("distance -%d: bucket %d, want %d", distance, got, bucket)
		}
		if got := distanceBucket(distance, 32); distance > 0 && got != bucket+16 {
			t.Errorf("distance %d: bucket %d, want %d", distance, got, bucket+16)
		}
	}
}

func TestSpreadBias(t *testing.T) {
	table := make([]float32, 8*2) // 8 buckets, 2 heads
	for i := range table {
		table[i] = float32(i)
	}
	got := spreadBias(table, 8, 2, 3) // distances -2 … 2: buckets 2, 1, 0, 5, 6
	want := []float32{4, 2, 0, 10, 12, 5, 3, 1, 11, 13}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

func TestConfigs(t *testing.T) {
	for text, want := range map[string]Config{
		`{"model_type": "bert", ` + sizes + `}`:                                                           {"bert", 8, 1, 2, 4, 9, 0, 20, 0, 32, 1e-12},
		`{"model_type": "roberta", "layer_norm_eps": 1e-5, "type_vocab_size": 1, ` + sizes + `}`:          {"roberta", 8, 1, 2, 4, 9, 1, 20, 1, 32, 1e-5},
		`{"model_type": "camembert", "pad_token_id": 3, ` + sizes + `}`:                                   {"camembert", 8, 1, 2, 4, 9, 0, 20, 3, 32, 1e-12},
		`{"model_type": "mpnet", "pad_token_id": 3, "relative_attention_num_buckets": 16, ` + sizes + `}`: {"mpnet", 8, 1, 2, 4, 9, 0, 20, 1, 16, 1e-12},
		`{"model_type": "distilbert", "dim": 6, "n_layers": 2, "n_heads": 3, "hidden_dim": 5, "vocab_size": 9, "max_position_embeddings": 20, "layer_norm_eps": 1}`: {
			"distilbert", 6, 2, 3, 5, 9, 0, 20, 0, 32, 1e-12},
	} {
		if got, err := ParseConfig([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, x := range []struct {
		kind string
		want int
	}{{"bert", 20}, {"roberta", 18}, {"mpnet", 18}} {
		if c, err := ParseConfig([]byte(`{"model_type": "` + x.kind + `", ` + sizes + `}`)); err != nil || c.MaxTokens() != x.want {
			t.Errorf("%s reads %d tokens, %v", x.kind, c.MaxTokens(), err)
		}
	}
}

func TestConfigsThatAreRefused(t *testing.T) {
	for says, fields := range map[string]string{
		`architecture "deberta-v2"`:            `"model_type": "deberta-v2", ` + sizes,
		`names no architecture`:                sizes,
		`activation "relu"`:                    `"model_type": "bert", "hidden_act": "relu", ` + sizes,
		`activation "gelu_new"`:                `"model_type": "distilbert", "activation": "gelu_new", ` + sizes,
		`n_heads is 0`:                         `"model_type": "distilbert", "dim": 8, "n_layers": 1`,
		`pad_token_id is 20 of 20 positions`:   `"model_type": "roberta", "pad_token_id": 20, ` + sizes,
		`pad_token_id is -1`:                   `"model_type": "roberta", "pad_token_id": -1, ` + sizes,
		`relative_attention_num_buckets is 30`: `"model_type": "mpnet", "relative_attention_num_buckets": 30, ` + sizes,
	} {
		_, err := ParseConfig([]byte("{" + fields + "}"))
		if hint, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		} else if strings.Contains(err.Error(), "unsupported") && !strings.Contains(hint, "bert, camembert, distilbert, mpnet, roberta, xlm-roberta") {
			t.Errorf("%s: the hint does not list what is run: %s", says, hint)
		}
	}
}

func FuzzConfig(f *testing.F) {
	for _, kind := range []string{"bert", "mpnet", "distilbert"} {
		f.Add([]byte(`{"model_type": "` + kind + `", "pad_token_id": 1, "dim": 4, "n_layers": 1, "n_heads": 2, "hidden_dim": 3, ` + sizes + `}`))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data)
		if err != nil {
			if _, ok := usererr.Hint(err); !ok {
				t.Fatalf("an error that is not the user's: %v", err)
			}
			return
		}
		if c.MaxTokens() < 1 || c.Hidden%c.Heads != 0 || min(c.Hidden, c.Layers, c.Intermediate, c.Vocab) < 1 {
			t.Fatalf("impossible: %+v", c)
		}
	})
}
