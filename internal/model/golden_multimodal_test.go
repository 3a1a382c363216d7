package model_test

import (
	"testing"

	"github.com/mllmrec/mllmrec/internal/model/goldentest"
)

const pair = "visual,text" // the modalities of the published code, in its order

// linearNames adds the fixture's names of linear layers: our name -> theirs.
func linearNames(names map[string]string, layers map[string]string) map[string]string {
	for ours, theirs := range layers {
		names[ours+".weight"], names[ours+".bias"] = theirs+".weight", theirs+".bias"
	}
	return names
}

func TestGoldenVBPR(t *testing.T) {
	goldentest.Run(t, "VBPR", func(_ string, f *goldentest.Fixture) goldentest.Case {
		return goldentest.Case{Model: "vbpr",
			Settings: map[string]string{"modalities": pair, "embedding_dim": f.Number("embedding_size"), "reg_weight": f.Number("reg_weight")},
			Names: linearNames(map[string]string{"user_embedding": "u_embedding", "item_embedding": "i_embedding"},
				map[string]string{"projection": "item_linear"})}
	})
}

// tables are the parameters that most published multimodal models have.
func tables(more map[string]string) map[string]string {
	names := map[string]string{"user_embedding": "user_embedding.weight", "item_embedding": "item_id_embedding.weight"}
	for ours, theirs := range more {
		names[ours] = theirs
	}
	return names
}

var trainedFeatures = map[string]string{"visual.features": "image_embedding.weight", "text.features": "text_embedding.weight"}

func TestGoldenFREEDOM(t *testing.T) {
	goldentest.Run(t, "FREEDOM", func(_ string, f *goldentest.Fixture) goldentest.Case {
		return goldentest.Case{Model: "freedom",
			Settings: map[string]string{"modalities": pair, "embedding_dim": f.Number("embedding_size"), "layers": f.Number("n_ui_layers"), "item_layers": f.Number("n_mm_layers"),
				"k": f.Number("knn_k"), "first_weight": f.Number("mm_image_weight"), "drop_edges": f.Number("dropout"), "feature_weight": f.Number("reg_weight")},
			Names: linearNames(tables(trainedFeatures), map[string]string{"visual.projection": "image_trs", "text.projection": "text_trs"})}
	})
}

func TestGoldenLATTICE(t *testing.T) {
	goldentest.Run(t, "LATTICE", func(_ string, f *goldentest.Fixture) goldentest.Case {
		return goldentest.Case{Model: "lattice",
			Settings: map[string]string{"modalities": pair, "embedding_dim": f.Number("embedding_size"), "layers": f.Number("n_ui_layers"), "item_layers": f.Number("n_layers"),
				"k": f.Number("knn_k"), "frozen_share": f.Number("lambda_coeff"), "reg_weight": f.Number("reg_weight"), "reg_batch": f.Number("train_batch_size")},
			Names: linearNames(tables(map[string]string{"visual.features": "image_embedding.weight", "text.features": "text_embedding.weight", "modality_weights": "modal_weight"}),
				map[string]string{"visual.projection": "image_trs", "text.projection": "text_trs"})}
	})
}

func TestGoldenSMORE(t *testing.T) {
	goldentest.Run(t, "SMORE", func(_ string, f *goldentest.Fixture) goldentest.Case {
		names := linearNames(tables(trainedFeatures), map[string]string{"visual.projection": "image_trs", "text.projection": "text_trs",
			"visual.query.hidden": "query_v.0", "text.query.hidden": "query_t.0", "visual.gate": "gate_v.0", "text.gate": "gate_t.0", "fused.gate": "gate_f.0",
			"visual.behaviour": "gate_image_prefer.0", "text.behaviour": "gate_text_prefer.0", "fused.behaviour": "gate_fusion_prefer.0"})
		names["visual.query.output.weight"], names["text.query.output.weight"] = "query_v.2.weight", "query_t.2.weight"
		names["visual.filter"], names["text.filter"], names["fused.filter"] = "image_complex_weight", "text_complex_weight", "fusion_complex_weight"
		return goldentest.Case{Model: "smore", Names: names,
			Settings: map[string]string{"modalities": pair, "embedding_dim": f.Number("embedding_size"), "layers": f.Number("n_ui_layers"), "item_layers": f.Number("n_layers"),
				"k": f.Number("image_knn_k"), "k_second": f.Number("text_knn_k"), "contrast_weight": f.Number("cl_loss"), "dropout": f.Number("dropout_rate"),
				"reg_weight": f.Number("reg_weight"), "reg_batch": f.Number("train_batch_size")}}
	})
}

func TestGoldenGUME(t *testing.T) {
	goldentest.Run(t, "GUME", func(_ string, f *goldentest.Fixture) goldentest.Case {
		names := linearNames(tables(trainedFeatures), map[string]string{"visual.projection": "image_reduce_dim", "text.projection": "text_reduce_dim",
			"visual.gate": "image_trans_dim.0", "text.gate": "text_trans_dim.0", "visual.behaviour": "image_behavior.0", "text.behaviour": "text_behavior.0",
			"coarse.hidden": "separate_coarse.0"})
		names["coarse.query.weight"] = "separate_coarse.2.weight"
		names["visual.user_embedding"], names["text.user_embedding"] = "extended_image_user.weight", "extended_text_user.weight"
		return goldentest.Case{Model: "gume", Names: names,
			Settings: map[string]string{"modalities": pair, "embedding_dim": f.Number("embedding_size"), "layers": f.Number("n_ui_layers"), "item_layers": f.Number("n_layers"),
				"k": f.Number("knn_k"), "behaviour_weight": f.Number("bm_loss"), "behaviour_temperature": f.Number("bm_temp"), "user_weight": f.Number("um_loss"),
				"user_temperature": f.Number("um_temp"), "moment_weight": f.Number("vt_loss"), "noise": "0", "reg_weight": f.Number("reg_weight_1"),
				"interest_reg_weight": f.Number("reg_weight_2"), "reg_batch": f.Number("train_batch_size")}}
	})
}

func TestGoldenLGMRec(t *testing.T) {
	goldentest.Run(t, "LGMRec", func(_ string, f *goldentest.Fixture) goldentest.Case {
		return goldentest.Case{Model: "lgmrec",
			Settings: map[string]string{"modalities": pair, "embedding_dim": f.Number("embedding_size"), "layers": f.Number("n_ui_layers"), "modality_layers": f.Number("n_mm_layers"),
				"hyper_layers": f.Number("n_hyper_layer"), "hyperedges": f.Number("hyper_num"), "keep": "1", "noise": "0", "global_weight": f.Number("alpha"),
				"contrast_weight": f.Number("cl_weight"), "reg_weight": f.Number("reg_weight")},
			Names: tables(map[string]string{"visual.projection": "item_image_trs", "text.projection": "item_text_trs", "visual.hyperedges": "v_hyper", "text.hyperedges": "t_hyper"})}
	})
}

// The published code ranks by a sigmoid, and by the vectors from before the last step.
func TestGoldenSLMRec(t *testing.T) {
	goldentest.Run(t, "SLMRec", func(_ string, f *goldentest.Fixture) goldentest.Case {
		names := linearNames(map[string]string{"user_embedding": "embedding_user.weight", "item_embedding": "embedding_item.weight"},
			map[string]string{"visual.projection": "v_dense", "text.projection": "t_dense", "user_fusion": "embedding_user_after_GCN", "item_fusion": "embedding_item_after_GCN",
				"id.head": "g_i_iv", "visual.head": "g_v_iv", "id.widen": "g_iv_iva", "id.narrow": "g_iva_ivat", "text.head": "g_t_ivat"})
		return goldentest.Case{Model: "slmrec", Names: names, Sigmoid: true, Stale: true,
			Settings: map[string]string{"modalities": pair, "embedding_dim": f.Number("recdim"), "layers": f.Number("layer_num"), "temperature": f.Number("temp"),
				"ssl_weight": f.Number("ssl_alpha"), "ssl_temperature": f.Number("ssl_temp")}}
	})
}
