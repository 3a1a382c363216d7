package model_test

import (
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mllmrec/mllmrec/internal/model/all"
	"github.com/mllmrec/mllmrec/internal/model/goldentest"
)

func mllmrecCase(path string, f *goldentest.Fixture) goldentest.Case {
	c := goldentest.Case{Model: "mllmrec", Settings: map[string]string{"embedding_dim": f.Number("feat_embed_dim")}, Names: map[string]string{}}
	for side, theirs := range map[string]string{"item": "MLP", "user": "MLP_u"} {
		for _, part := range []string{"weight", "bias"} {
			c.Names[side+".hidden."+part] = theirs + "." + part
			c.Names[side+".output."+part] = theirs + "_1." + part
		}
	}
	switch base := filepath.Base(path); {
	case strings.Contains(base, "_UI"):
		c.Settings["variant"], c.Settings["ui_layers"], c.Settings["layers"] = "ui_gcn", f.Number("n_ui_layers"), f.Number("n_ii_layers")
	case strings.Contains(base, "_noGCN"):
		c.Settings["variant"], c.ShiftOfScores = "no_gcn", true
	default:
		c.Settings["layers"], c.ShiftOfScores = f.Number("n_ii_layers"), true
	}
	return c
}

func TestGoldenMLLMRec(t *testing.T) { goldentest.Run(t, "MLLMRec", mllmrecCase) }

func TestGoldenBPR(t *testing.T) {
	goldentest.Run(t, "BPR", func(_ string, f *goldentest.Fixture) goldentest.Case {
		return goldentest.Case{Model: "bpr",
			Settings: map[string]string{"embedding_dim": f.Number("embedding_size"), "reg_weight": f.Number("reg_weight")},
			Names:    map[string]string{"user_embedding": "user_embedding.weight", "item_embedding": "item_embedding.weight"}}
	})
}

func TestGoldenLightGCN(t *testing.T) {
	goldentest.Run(t, "LightGCN", func(_ string, f *goldentest.Fixture) goldentest.Case {
		return goldentest.Case{Model: "lightgcn",
			Settings: map[string]string{"embedding_dim": f.Number("embedding_size"), "reg_weight": f.Number("reg_weight"), "layers": f.Number("n_layers")},
			Names:    map[string]string{"user_embedding": "embedding_dict.user_emb", "item_embedding": "embedding_dict.item_emb"}}
	})
}
