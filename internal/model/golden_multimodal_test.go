package model_test

import "testing"

const pair = "visual,text" // the modalities of the published code, in its order

// linearNames adds the fixture's names of linear layers: our name -> theirs.
func linearNames(names map[string]string, layers map[string]string) map[string]string {
	for ours, theirs := range layers {
		names[ours+".weight"], names[ours+".bias"] = theirs+".weight", theirs+".bias"
	}
	return names
}

func TestGoldenVBPR(t *testing.T) {
	runGolden(t, "VBPR", func(_ string, f *fixture) goldenCase {
		return goldenCase{model: "vbpr",
			settings: map[string]string{"modalities": pair, "embedding_dim": f.number("embedding_size"), "reg_weight": f.number("reg_weight")},
			names: linearNames(map[string]string{"user_embedding": "u_embedding", "item_embedding": "i_embedding"},
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
	runGolden(t, "FREEDOM", func(_ string, f *fixture) goldenCase {
		return goldenCase{model: "freedom",
			settings: map[string]string{"modalities": pair, "embedding_dim": f.number("embedding_size"), "layers": f.number("n_ui_layers"), "item_layers": f.number("n_mm_layers"),
				"k": f.number("knn_k"), "first_weight": f.number("mm_image_weight"), "drop_edges": f.number("dropout"), "feature_weight": f.number("reg_weight")},
			names: linearNames(tables(trainedFeatures), map[string]string{"visual.projection": "image_trs", "text.projection": "text_trs"})}
	})
}

func TestGoldenLATTICE(t *testing.T) {
	runGolden(t, "LATTICE", func(_ string, f *fixture) goldenCase {
		return goldenCase{model: "lattice",
			settings: map[string]string{"modalities": pair, "embedding_dim": f.number("embedding_size"), "layers": f.number("n_ui_layers"), "item_layers": f.number("n_layers"),
				"k": f.number("knn_k"), "frozen_share": f.number("lambda_coeff"), "reg_weight": f.number("reg_weight"), "reg_batch": f.number("train_batch_size")},
			names: linearNames(tables(map[string]string{"visual.features": "image_embedding.weight", "text.features": "text_embedding.weight", "modality_weights": "modal_weight"}),
				map[string]string{"visual.projection": "image_trs", "text.projection": "text_trs"})}
	})
}

func TestGoldenSMORE(t *testing.T) {
	runGolden(t, "SMORE", func(_ string, f *fixture) goldenCase {
		names := linearNames(tables(trainedFeatures), map[string]string{"visual.projection": "image_trs", "text.projection": "text_trs",
			"visual.query.hidden": "query_v.0", "text.query.hidden": "query_t.0", "visual.gate": "gate_v.0", "text.gate": "gate_t.0", "fused.gate": "gate_f.0",
			"visual.behaviour": "gate_image_prefer.0", "text.behaviour": "gate_text_prefer.0", "fused.behaviour": "gate_fusion_prefer.0"})
		names["visual.query.output.weight"], names["text.query.output.weight"] = "query_v.2.weight", "query_t.2.weight"
		names["visual.filter"], names["text.filter"], names["fused.filter"] = "image_complex_weight", "text_complex_weight", "fusion_complex_weight"
		return goldenCase{model: "smore", names: names,
			settings: map[string]string{"modalities": pair, "embedding_dim": f.number("embedding_size"), "layers": f.number("n_ui_layers"), "item_layers": f.number("n_layers"),
				"k": f.number("image_knn_k"), "k_second": f.number("text_knn_k"), "contrast_weight": f.number("cl_loss"), "dropout": f.number("dropout_rate"),
				"reg_weight": f.number("reg_weight"), "reg_batch": f.number("train_batch_size")}}
	})
}

func TestGoldenGUME(t *testing.T) {
	runGolden(t, "GUME", func(_ string, f *fixture) goldenCase {
		names := linearNames(tables(trainedFeatures), map[string]string{"visual.projection": "image_reduce_dim", "text.projection": "text_reduce_dim",
			"visual.gate": "image_trans_dim.0", "text.gate": "text_trans_dim.0", "visual.behaviour": "image_behavior.0", "text.behaviour": "text_behavior.0",
			"coarse.hidden": "separate_coarse.0"})
		names["coarse.query.weight"] = "separate_coarse.2.weight"
		names["visual.user_embedding"], names["text.user_embedding"] = "extended_image_user.weight", "extended_text_user.weight"
		return goldenCase{model: "gume", names: names,
			settings: map[string]string{"modalities": pair, "embedding_dim": f.number("embedding_size"), "layers": f.number("n_ui_layers"), "item_layers": f.number("n_layers"),
				"k": f.number("knn_k"), "behaviour_weight": f.number("bm_loss"), "behaviour_temperature": f.number("bm_temp"), "user_weight": f.number("um_loss"),
				"user_temperature": f.number("um_temp"), "moment_weight": f.number("vt_loss"), "noise": "0", "reg_weight": f.number("reg_weight_1"),
				"interest_reg_weight": f.number("reg_weight_2"), "reg_batch": f.number("train_batch_size")}}
	})
}

func TestGoldenLGMRec(t *testing.T) {
	runGolden(t, "LGMRec", func(_ string, f *fixture) goldenCase {
		return goldenCase{model: "lgmrec",
			settings: map[string]string{"modalities": pair, "embedding_dim": f.number("embedding_size"), "layers": f.number("n_ui_layers"), "modality_layers": f.number("n_mm_layers"),
				"hyper_layers": f.number("n_hyper_layer"), "hyperedges": f.number("hyper_num"), "keep": "1", "noise": "0", "global_weight": f.number("alpha"),
				"contrast_weight": f.number("cl_weight"), "reg_weight": f.number("reg_weight")},
			names: tables(map[string]string{"visual.projection": "item_image_trs", "text.projection": "item_text_trs", "visual.hyperedges": "v_hyper", "text.hyperedges": "t_hyper"})}
	})
}

// The published code ranks by a sigmoid, and by the vectors from before the last step.
func TestGoldenSLMRec(t *testing.T) {
	runGolden(t, "SLMRec", func(_ string, f *fixture) goldenCase {
		names := linearNames(map[string]string{"user_embedding": "embedding_user.weight", "item_embedding": "embedding_item.weight"},
			map[string]string{"visual.projection": "v_dense", "text.projection": "t_dense", "user_fusion": "embedding_user_after_GCN", "item_fusion": "embedding_item_after_GCN",
				"id.head": "g_i_iv", "visual.head": "g_v_iv", "id.widen": "g_iv_iva", "id.narrow": "g_iva_ivat", "text.head": "g_t_ivat"})
		return goldenCase{model: "slmrec", names: names, sigmoid: true, stale: true,
			settings: map[string]string{"modalities": pair, "embedding_dim": f.number("recdim"), "layers": f.number("layer_num"), "temperature": f.number("temp"),
				"ssl_weight": f.number("ssl_alpha"), "ssl_temperature": f.number("ssl_temp")}}
	})
}
