package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// runConfig returns all that determines a run's result, as text: the model and its
// settings, the trainer's options, the split and a digest of the inputs.
func runConfig(m model.Model, in model.Inputs, opt Options) map[string]string {
	c := opt.config()
	for k, v := range m.Config() {
		c["model."+k] = v
	}
	c["model"] = m.Name()
	c["init_seed"] = strconv.FormatUint(in.Seed, 10)
	c["split"] = in.Train.SplitHash()
	c["scope"] = string(in.Train.Scope())
	c["inputs"] = digest(in)
	return c
}

// digest hashes vectors, folds, graph and times. What came after the first format, times
// and all modalities but text, is hashed only where it is there, and last: a run that an
// older build began has the digest it was begun with.
func digest(in model.Inputs) string {
	h := sha256.New()
	hashMatrix(h, in.ItemVectors[model.Text])
	hashMatrix(h, in.Preferences)
	for _, m := range in.FoldPreferences {
		hashMatrix(h, m)
	}
	h.Write(in.FoldOf)
	if g := in.Graph; g != nil {
		hashInt(h, len(g.Indices))
		for _, p := range g.Indptr {
			hashInt(h, int(p))
		}
		for _, c := range g.Indices {
			hashInt(h, int(c))
		}
		hashFloats(h, g.Values)
	}
	for _, modality := range slices.Sorted(maps.Keys(in.ItemVectors)) {
		if m := in.ItemVectors[modality]; modality != model.Text && m != nil {
			fmt.Fprintf(h, "item vectors %q", modality)
			hashMatrix(h, m)
		}
	}
	if in.Times != nil {
		fmt.Fprint(h, "times")
		for _, at := range in.Times {
			hashInt(h, int(at))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func hashMatrix(h hash.Hash, m *tensor.Matrix) {
	if m == nil {
		hashInt(h, -1)
		return
	}
	hashInt(h, m.Rows)
	hashInt(h, m.Cols)
	hashFloats(h, m.Data)
}

func hashInt(w io.Writer, n int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	w.Write(b[:])
}

func hashFloats(w io.Writer, x []float32) {
	buf := make([]byte, 0, 1<<14)
	for _, v := range x {
		if buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v)); len(buf) == cap(buf) {
			w.Write(buf)
			buf = buf[:0]
		}
	}
	w.Write(buf)
}
