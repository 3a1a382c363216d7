package sentence

import (
	"encoding/json"
	"math"
	"slices"
)

// model2vecConfig is the part of model2vec's config.json that vectors depend on.
type model2vecConfig struct {
	Normalize bool            `json:"normalize"`
	MaxLength json.RawMessage `json:"max_length"` // a number; null: no limit; absent: 512
}

// isModel2vec reports whether a config.json is of model2vec.
func isModel2vec(data []byte) bool {
	var c struct {
		Type          string   `json:"model_type"`
		Architectures []string `json:"architectures"`
	}
	return json.Unmarshal(data, &c) == nil && (c.Type == "model2vec" || slices.Contains(c.Architectures, "StaticModel"))
}

// model2vecTokens is how many tokens model2vec reads of a text unless its config.json says
// otherwise.
const model2vecTokens = 512

// noLimit is the number of tokens that a model without a limit reads.
const noLimit = math.MaxInt32

func (c model2vecConfig) maxTokens() int {
	if string(c.MaxLength) == "null" {
		return noLimit
	}
	var n int
	if json.Unmarshal(c.MaxLength, &n) != nil || n <= 0 || n > noLimit {
		return model2vecTokens
	}
	return n
}

// maxChars is how many characters of a text model2vec tokenises.
func (c model2vecConfig) maxChars(median int) int {
	if n := c.maxTokens(); n != noLimit {
		return n * median
	}
	return 0
}

// cutCharacters cuts a text as model2vec does before it tokenises.
func (m *Model) cutCharacters(text string) string {
	if m.maxChars == 0 || len(text) <= m.maxChars {
		return text
	}
	n := 0
	for i := range text {
		if n == m.maxChars {
			return text[:i]
		}
		n++
	}
	return text
}

// known drops the unknown tokens, where the model does.
func (m *Model) known(ids []int32) []int32 {
	if !m.dropUnknown || m.tok.Unknown() < 0 {
		return ids
	}
	return slices.DeleteFunc(ids, func(id int32) bool { return id == m.tok.Unknown() })
}
