package transformer

// bert is the original: MiniLM, BGE, E5, GTE, multilingual MiniLM.
var bert = architecture{
	prefixes: []string{"bert."},
	embeddings: embeddingNames{
		words: "embeddings.word_embeddings", places: "embeddings.position_embeddings", types: "embeddings.token_type_embeddings",
		norm: "embeddings.LayerNorm",
	},
	layer: layerNames{
		prefix: "encoder.layer.%d.",
		query:  "attention.self.query", key: "attention.self.key", value: "attention.self.value",
		out: "attention.output.dense", attnNorm: "attention.output.LayerNorm",
		up: "intermediate.dense", down: "output.dense", ffnNorm: "output.LayerNorm",
	},
}
