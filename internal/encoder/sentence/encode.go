package sentence

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// window is a sequence of ids to encode: a text, or a part of a long one.
type window struct {
	text   int
	ids    []int32
	weight float64 // tokens of the text itself, without special ones
}

// Encode returns one row a text, len(texts)×Dim, divided by its norm where the model says
// so. A text's row does not depend on the other texts nor on the number of processors.
func (m *Model) Encode(ctx context.Context, texts []string) (*tensor.Matrix, error) {
	windows := m.windows(texts)
	vectors := tensor.New(len(windows), m.Dim())
	if err := m.run(ctx, windows, vectors); err != nil {
		return nil, err
	}
	if len(windows) == len(texts) {
		return vectors, nil
	}
	return m.average(windows, vectors, len(texts)), nil
}

// Tokens returns, for each text, how many ids it has, special tokens and prefix
// included, before any cut; texts with more than MaxTokens are long.
func (m *Model) Tokens(texts []string) []int {
	counts := make([]int, len(texts))
	before, after := m.tok.Special()
	tensor.Parallel(len(texts), 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			counts[i] = len(m.tok.Tokens(m.prefix+texts[i])) + len(before) + len(after)
		}
	})
	return counts
}

// CountLong returns how many of the texts have more than MaxTokens tokens.
func (m *Model) CountLong(texts []string) int {
	long := 0
	for _, n := range m.Tokens(texts) {
		if n > m.maxTokens {
			long++
		}
	}
	return long
}

// windows tokenises the texts, in order.
func (m *Model) windows(texts []string) []window {
	parts := make([][]window, len(texts))
	tensor.Parallel(len(texts), 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			parts[i] = m.split(i, texts[i])
		}
	})
	return slices.Concat(parts...)
}

func (m *Model) split(i int, text string) []window {
	if m.long == Truncate {
		text = m.cutCharacters(text)
	}
	ids, cut := m.tok.Wrap(m.tok.Tokens(m.prefix+text), m.maxTokens)
	if !cut || m.long == Truncate {
		return []window{{i, m.known(ids), 1}}
	}
	prefix, own := m.tok.Tokens(m.prefix), m.tok.Tokens(text)
	before, after := m.tok.Special()
	room := m.maxTokens - len(before) - len(after) - len(prefix)
	var list []window
	for part := range slices.Chunk(own, room) {
		ids, _ := m.tok.Wrap(slices.Concat(prefix, part), m.maxTokens)
		list = append(list, window{i, m.known(ids), float64(len(part))})
	}
	return list
}

// run encodes windows into the rows of vectors.
func (m *Model) run(ctx context.Context, windows []window, vectors *tensor.Matrix) error {
	seqs := make([][]int32, len(windows))
	for i, w := range windows {
		seqs[i] = w.ids
	}
	err := m.net.Run(ctx, seqs, func(i int, rows []float32) { m.pool(vectors.Row(i), rows) })
	if err != nil {
		return err
	}
	for i, v := range vectors.Data {
		if v-v != 0 { // NaN or infinite
			return fmt.Errorf("text %d: the model %s gives %v: its weights are damaged", windows[i/vectors.Cols].text, m.name, v)
		}
	}
	return nil
}

// pool reduces the token rows of one sequence to its vector.
func (m *Model) pool(dst, states []float32) {
	if len(states) == 0 { // nothing known in the text
		return
	}
	if m.pooling == poolCLS {
		copy(dst, states[:len(dst)])
	} else {
		rows := len(states) / len(dst)
		for ; len(states) > 0; states = states[len(dst):] {
			for j, v := range states[:len(dst)] {
				dst[j] += v
			}
		}
		for j := range dst {
			dst[j] /= float32(rows)
		}
	}
	if m.normalize {
		normalize(dst)
	}
}

// normalize divides a vector by its Euclidean norm, or by 1e-12 when that is larger.
func normalize(x []float32) {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	scale := 1 / max(math.Sqrt(sum), 1e-12)
	for j, v := range x {
		x[j] = float32(float64(v) * scale)
	}
}

// average joins the windows of each text.
func (m *Model) average(windows []window, vectors *tensor.Matrix, texts int) *tensor.Matrix {
	out := tensor.New(texts, m.Dim())
	sum := make([]float64, m.Dim())
	for k := 0; k < len(windows); {
		text, weight := windows[k].text, 0.0
		clear(sum)
		first := k
		for ; k < len(windows) && windows[k].text == text; k++ {
			weight += windows[k].weight
			for j, v := range vectors.Row(k) {
				sum[j] += windows[k].weight * float64(v)
			}
		}
		row := out.Row(text)
		if k-first == 1 {
			copy(row, vectors.Row(first))
			continue
		}
		for j, v := range sum {
			row[j] = float32(v / weight)
		}
		if m.normalize {
			normalize(row)
		}
	}
	return out
}
