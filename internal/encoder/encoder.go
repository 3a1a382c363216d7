// Package encoder turns item texts and preference texts into vectors, by one frozen
// function for both, so that items (Eq. 5) and users (Eq. 13) land in one space.
// Sub-packages hold the encoders; package encoder/cache keeps the vectors of any of them
// on disk.
package encoder

import (
	"context"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Encoder maps texts to vectors. Equal texts have equal vectors, whatever stands
// beside them in the call.
type Encoder interface {
	// Encode returns a len(texts)×Dim matrix, row i for texts[i]. A text without a
	// single known word gets the zero vector where the encoder has no better answer.
	Encode(ctx context.Context, texts []string) (*tensor.Matrix, error)
	// Dim is the length of a vector.
	Dim() int
	// ID names all that determines a vector: "family/version name sha256:digest".
	// Vectors of encoders with equal ids may be mixed; others never.
	ID() string
}
