// Package lsa encodes texts by latent semantic analysis, without a model to download: TF-IDF
// over hashed words and word pairs, projected on the leading right singular vectors of the
// item texts' matrix. It takes the place of the sentence encoder of Eq. 5 and 13. It is
// fitted on item texts only, and projects users' texts by the same vectors, so that the
// space does not depend on interactions.
//
// Details were chosen by measurement (MicroLens-50k titles, untrained dot product with the
// mean of the user's items, on validation): word pairs help, projections of unit length help,
// dividing each direction by the root of its singular value helps, stemming does not.
package lsa

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"

	"github.com/mllmrec/mllmrec/internal/nn/svd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Options of [Fit]. The zero value of a field means the default in brackets.
type Options struct {
	Dim        int    // length of a vector [384]; a catalogue of lower rank gets shorter vectors
	Seed       uint64 // of the randomized SVD
	Bits       int    // terms are hashed into 2^Bits buckets, 8 to 24 [18]
	NoBigrams  bool   // count single words only
	MinDF      int    // terms in fewer item texts are ignored [2; 1 below 1,000 texts]
	MaxTerms   int    // at most this many terms are kept, the most frequent ones [131072]
	Power      int    // power iterations of the range finder [2]
	Oversample int    // extra directions of the range finder [16]
	Raw        bool   // keep the directions' natural scale instead of dividing by √σ
}

// Model is a fitted encoder; it is safe for concurrent use.
type Model struct {
	bits    int
	bigrams bool
	buckets []uint32       // the buckets kept, ascending
	idf     []float32      // by position in buckets
	project *tensor.Matrix // len(buckets)×Dim: V, its columns divided by √σ unless raw
	index   []int32        // bucket → position in buckets, -1 where absent
	id      string
}

func (o Options) checked(texts int) (Options, error) {
	minDF := 2
	if texts < 1000 {
		minDF = 1
	}
	for _, f := range []struct {
		name              string
		value             *int
		initial, min, max int
	}{
		{"Dim", &o.Dim, 384, 1, 1 << 14},
		{"Bits", &o.Bits, 18, 8, 24},
		{"MinDF", &o.MinDF, minDF, 1, math.MaxInt32},
		{"MaxTerms", &o.MaxTerms, 1 << 17, 1, 1 << 24},
		{"Power", &o.Power, 2, 1, 64},
		{"Oversample", &o.Oversample, 16, 1, 1 << 12},
	} {
		if *f.value == 0 {
			*f.value = f.initial
		}
		if *f.value < f.min || *f.value > f.max {
			return o, usererr.New("", "LSA option %s is %d, must be %d to %d", f.name, *f.value, f.min, f.max)
		}
	}
	return o, nil
}

// Fit learns the space from the catalogue's item texts. The same texts and options
// give the same model, bit for bit, on the same machine. It fails where the texts
// have no word at all.
func Fit(ctx context.Context, texts []string, opt Options) (*Model, error) {
	opt, err := opt.checked(len(texts))
	if err != nil {
		return nil, err
	}
	m := &Model{bits: opt.Bits, bigrams: !opt.NoBigrams}
	if err := m.chooseTerms(ctx, texts, opt); err != nil {
		return nil, fmt.Errorf("fit LSA on %d texts: %w", len(texts), err)
	}
	v, sigma, err := svd.Truncated(ctx, m.weigh(texts), svd.Options{Dim: opt.Dim, Oversample: opt.Oversample, Power: opt.Power, Seed: opt.Seed})
	if err != nil {
		return nil, fmt.Errorf("fit LSA on %d texts with %d terms: %w", len(texts), len(m.buckets), err)
	}
	if !opt.Raw {
		for i := range v.Rows {
			for j, x := range v.Row(i) {
				v.Data[i*v.Cols+j] = float32(float64(x) * math.Sqrt(sigma[0]/sigma[j]))
			}
		}
	}
	m.project = v
	m.id = m.digest()
	return m, nil
}

// Dim is the length of a vector: the dimension asked for, or the rank of the item
// texts where that is smaller (a catalogue of 100 items spans at most 100 directions).
func (m *Model) Dim() int { return m.project.Cols }

// ID is "lsa/1 <dim> sha256:<digest of all numbers in the model>".
func (m *Model) ID() string { return m.id }

// encodeBlock bounds the memory of Encode: this many texts are weighed at a time.
const encodeBlock = 1 << 14

// Encode projects texts: row i is tfidf(texts[i])·V·Σ^-½, scaled to unit length; a
// text without a known term gets the zero vector.
func (m *Model) Encode(ctx context.Context, texts []string) (*tensor.Matrix, error) {
	x := tensor.New(len(texts), m.Dim())
	for lo := 0; lo < len(texts); lo += encodeBlock {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("encode texts: %w", err)
		}
		hi := min(lo+encodeBlock, len(texts))
		block := x.RowRange(lo, hi)
		m.weigh(texts[lo:hi]).MulDense(block, m.project)
		tensor.Parallel(block.Rows, 256, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				normalise(block.Row(i))
			}
		})
	}
	return x, nil
}

// normalise scales row to unit length; a zero row stays zero.
func normalise(row []float32) {
	var sum float64
	for _, v := range row {
		sum += float64(v) * float64(v)
	}
	if sum == 0 {
		return
	}
	scale := 1 / math.Sqrt(sum)
	for j, v := range row {
		row[j] = float32(float64(v) * scale)
	}
}

func (m *Model) digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "lsa/1 %d %v %d %d\n", m.bits, m.bigrams, len(m.buckets), m.Dim())
	write32(h, m.buckets, func(b uint32) uint32 { return b })
	write32(h, m.idf, math.Float32bits)
	write32(h, m.project.Data, math.Float32bits)
	return fmt.Sprintf("lsa/1 %d sha256:%s", m.Dim(), hex.EncodeToString(h.Sum(nil)))
}

func write32[T any](h hash.Hash, values []T, bits func(T) uint32) {
	buf := make([]byte, 0, 4096)
	for _, v := range values {
		buf = binary.LittleEndian.AppendUint32(buf, bits(v))
		if len(buf) == cap(buf) {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
}
