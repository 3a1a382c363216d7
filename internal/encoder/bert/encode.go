package bert

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// batchTokens is the approximate number of token rows computed together.
const batchTokens = 448

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
	ids, cut := m.tok.Wrap(m.tok.Tokens(m.prefix+text), m.maxTokens)
	if !cut || m.long == Truncate {
		return []window{{i, ids, 1}}
	}
	prefix, own := m.tok.Tokens(m.prefix), m.tok.Tokens(text)
	before, after := m.tok.Special()
	room := m.maxTokens - len(before) - len(after) - len(prefix)
	var list []window
	for part := range slices.Chunk(own, room) {
		ids, _ := m.tok.Wrap(slices.Concat(prefix, part), m.maxTokens)
		list = append(list, window{i, ids, float64(len(part))})
	}
	return list
}

// run encodes windows into the rows of vectors: the longest first, in batches of about equal
// work. Each batch runs on one core or, if there are few batches, on all of them.
func (m *Model) run(ctx context.Context, windows []window, vectors *tensor.Matrix) error {
	order := make([]int, len(windows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(windows[b].ids), len(windows[a].ids)) })
	batches := batch(order, func(i int) int { return len(windows[i].ids) })
	workers, par := min(runtime.GOMAXPROCS(0), len(batches)), serial()
	if len(batches) < 2*runtime.GOMAXPROCS(0) {
		workers, par = 1, parallel()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	work := func() {
		s := m.net.scratches.Get().(*scratch)
		defer m.net.scratches.Put(s)
		var seqs [][]int32
		for b := next.Add(1) - 1; b < int64(len(batches)) && ctx.Err() == nil; b = next.Add(1) - 1 {
			seqs = seqs[:0]
			for _, i := range batches[b] {
				seqs = append(seqs, windows[i].ids)
			}
			states := m.net.forward(s, seqs, par)
			for k, i := range batches[b] {
				m.pool(vectors.Row(i), states[s.starts[k]*m.Dim():s.starts[k+1]*m.Dim()])
			}
		}
	}
	for range workers {
		wg.Go(work)
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, v := range vectors.Data {
		if v-v != 0 { // NaN or infinite
			return fmt.Errorf("text %d: the model %s gives %v: its weights are damaged", windows[i/vectors.Cols].text, m.name, v)
		}
	}
	return nil
}

// batch cuts order into consecutive runs of about batchTokens tokens.
func batch(order []int, tokens func(int) int) [][]int {
	var batches [][]int
	start, sum := 0, 0
	for k, i := range order {
		if n := tokens(i); sum > 0 && sum+n > batchTokens {
			batches, start, sum = append(batches, order[start:k]), k, 0
		}
		sum += tokens(i)
	}
	if start < len(order) {
		batches = append(batches, order[start:])
	}
	return batches
}

// pool reduces the token rows of one sequence to its vector.
func (m *Model) pool(dst, states []float32) {
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
