package transformer

import "math"

// mpnet adds to each attention score a bias that depends on the distance of the two tokens
// (Song et al. 2020, arXiv:2004.09297; buckets as in T5, arXiv:1910.10683 §2.1).
var mpnet = architecture{
	prefixes: []string{"mpnet."},
	embeddings: embeddingNames{
		words: "embeddings.word_embeddings", places: "embeddings.position_embeddings", norm: "embeddings.LayerNorm",
		relative: "encoder.relative_attention_bias",
	},
	layer: layerNames{
		prefix: "encoder.layer.%d.",
		query:  "attention.attn.q", key: "attention.attn.k", value: "attention.attn.v",
		out: "attention.attn.o", attnNorm: "attention.LayerNorm",
		up: "intermediate.dense", down: "output.dense", ffnNorm: "output.LayerNorm",
	},
	padded: true,
}

// maxDistance is the distance from which on all tokens lie in the last bucket.
const maxDistance = 128

// distanceBucket returns the bucket of key position minus query position: half of the
// buckets for each direction, of those half for one distance each, half for logarithmic
// ranges.
func distanceBucket(distance, buckets int) int {
	half := buckets / 2
	base := 0
	if distance > 0 {
		base = half
	}
	if distance < 0 {
		distance = -distance
	}
	exact := half / 2
	if distance < exact {
		return base + distance
	}
	share := math.Log(float64(distance)/float64(exact)) / math.Log(float64(maxDistance)/float64(exact))
	return base + min(exact+int(share*float64(half-exact)+1e-9), half-1)
}

// spreadBias lays out a table of buckets × heads by distance: for each head, the biases of
// the distances -(length-1) … length-1.
func spreadBias(table []float32, buckets, heads, length int) []float32 {
	width := 2*length - 1
	out := make([]float32, heads*width)
	for i := range width {
		row := table[distanceBucket(i-(length-1), buckets)*heads:]
		for h := range heads {
			out[h*width+i] = row[h]
		}
	}
	return out
}
