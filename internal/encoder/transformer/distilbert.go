package transformer

// distilBERT is BERT with half of the layers and no token types (Sanh et al. 2019,
// arXiv:1910.01108).
var distilBERT = architecture{
	prefixes: []string{"distilbert."},
	embeddings: embeddingNames{
		words: "embeddings.word_embeddings", places: "embeddings.position_embeddings", norm: "embeddings.LayerNorm",
	},
	layer: layerNames{
		prefix: "transformer.layer.%d.",
		query:  "attention.q_lin", key: "attention.k_lin", value: "attention.v_lin",
		out: "attention.out_lin", attnNorm: "sa_layer_norm",
		up: "ffn.lin1", down: "ffn.lin2", ffnNorm: "output_layer_norm",
	},
}
