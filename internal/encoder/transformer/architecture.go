package transformer

import (
	"maps"
	"slices"
	"strings"
)

// architecture says how the tensors of a kind of model are named, and in what it differs
// from BERT.
type architecture struct {
	prefixes   []string // what checkpoints of models with a head put before each name
	embeddings embeddingNames
	layer      layerNames

	// padded architectures number positions from the id of the padding token plus one, and
	// give padding tokens written in the text that id itself.
	padded bool
}

type embeddingNames struct {
	words, places, norm string
	types               string // "": the model has no token types
	relative            string // "": positions are not compared; else biases by distance, shared by all layers
}

// layerNames are what stands behind prefix, in which %d is the layer's number.
type layerNames struct {
	prefix                           string
	query, key, value, out, attnNorm string
	up, down, ffnNorm                string
}

// architectures are those that run, by model_type in config.json. Each file of one adds it.
var architectures = map[string]architecture{
	"bert": bert, "roberta": roberta, "xlm-roberta": roberta, "camembert": roberta, "mpnet": mpnet, "distilbert": distilBERT,
}

// Architectures lists the values of model_type in config.json that are run.
func Architectures() string { return strings.Join(slices.Sorted(maps.Keys(architectures)), ", ") }
