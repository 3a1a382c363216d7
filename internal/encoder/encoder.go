// Package encoder turns texts into vectors with one frozen function for item texts and
// preference texts, so that items and users lie in one space. It is the step from the
// item texts of Eq. 2 to Eq. 5 and from the preferences of Eq. 4 to Eq. 13.
//
// [Open] opens any encoder by the [Options] that name it: LSA (package lsa), sentence
// encoders run here (package sentence, with networks from transformer and static, text cut
// by tokenizer, models from hub), and embedding servers (package remote). Package cache keeps
// the vectors of any of them on disk. LSA has to be fitted first, with lsa.Fit.
package encoder

import (
	"context"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Encoder maps texts to vectors. Equal texts have equal vectors, whatever other texts are
// in the call.
type Encoder interface {
	// Encode returns a len(texts)×Dim matrix, row i for texts[i]. A text without a
	// single known word gets the zero vector where the encoder has no better answer.
	Encode(ctx context.Context, texts []string) (*tensor.Matrix, error)
	// Dim is the length of a vector.
	Dim() int
	// ID names all that determines a vector: "family/version name sha256:digest".
	// Vectors of encoders with equal ids may be mixed, others may not.
	ID() string
}
