package pipeline

import "github.com/mllmrec/mllmrec/internal/encoder"

// EncodeOptions says which encoder turns texts into vectors.
type EncodeOptions = encoder.Options

// Encoders of a workspace's texts, beside the servers; see [encoder.Names].
const (
	LSA    = encoder.LSA
	MiniLM = encoder.MiniLM
)
