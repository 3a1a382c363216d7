package soil

import (
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model/goldentest"
)

// The fixture's users 0 and 9 have two candidates that are exactly alike for one place; which of them the published
// code took is said by its numbers, and by no rule.
func TestGoldenSOIL(t *testing.T) {
	taken := map[int][2]int32{0: {4, 11}, 9: {16, 10}}
	before := nudge
	defer func() { nudge = before }()
	nudge = func(u int, c candidate) float32 {
		if c.from == taken[u][0] && c.to == taken[u][1] {
			return c.value * (1 + 1e-6)
		}
		return c.value
	}
	goldentest.Folder = filepath.Join("..", goldentest.Folder)
	goldentest.Run(t, "SOIL", func(_ string, f *goldentest.Fixture) goldentest.Case {
		names := map[string]string{"user_embedding": "user_embedding.weight", "item_embedding": "item_id_embedding.weight", "common.query.weight": "attention.2.weight"}
		for ours, theirs := range map[string]string{"visual.projection": "image_trs", "text.projection": "text_trs", "visual.gate": "map_v.0", "text.gate": "map_t.0", "common.hidden": "attention.0"} {
			names[ours+".weight"], names[ours+".bias"] = theirs+".weight", theirs+".bias"
		}
		return goldentest.Case{Model: "soil", Names: names,
			Settings: map[string]string{"modalities": "visual,text", "embedding_dim": f.Number("embedding_size"), "layers": f.Number("n_ui_layers"), "item_layers": f.Number("n_layers"),
				"k": f.Number("knn_k"), "k_interest": f.Number("knn_i"), "k_attractive": f.Number("knn_a"), "contrast_weight": f.Number("cl_loss"), "attract_weight": f.Number("cl_loss2")}}
	})
}
