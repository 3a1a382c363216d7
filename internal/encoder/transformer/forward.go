// Package transformer computes the last hidden states of encoders of the family of BERT:
// BERT (Devlin et al. 2019, arXiv:1810.04805), RoBERTa, MPNet and DistilBERT, on Vaswani et
// al. 2017 (arXiv:1706.03762):
//
//	x = LN(word + position + type)
//	a = LN(x + W_o·concat_heads softmax(Q·Kᵀ/√d + bias)·V),  Q, K, V = W_q·x, W_k·x, W_v·x
//	x = LN(a + W_down·GELU(W_up·a)),  GELU(z) = z·Φ(z)
//
// Only MPNet has the bias. Sequences are packed one after the other, so that nothing is
// computed for padding.
package transformer

import (
	"runtime"
	"sync"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// rowBlock is the number of token rows that are computed together in the row-wise part of a
// layer, so that their intermediate values stay in the second-level cache. It is a multiple
// of the kernels' tile height.
const rowBlock = 112

// runner executes fn over consecutive chunks of [0,n), on one core or on all. The results
// do not depend on which.
type runner struct {
	cores int
	run   func(n, grain int, fn func(lo, hi int))
}

func serial() runner {
	return runner{1, func(n, grain int, fn func(lo, hi int)) {
		for lo := 0; lo < n; lo += grain {
			fn(lo, min(lo+grain, n))
		}
	}}
}

func parallel() runner { return runner{runtime.GOMAXPROCS(0), tensor.Parallel} }

// scratch holds the intermediate values of one forward pass. It grows to the largest batch.
type scratch struct {
	x, qkv, context []float32
	starts          []int // first row of each sequence, and the end
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// forward runs the encoder over sequences of token ids packed one after the other,
// without padding, and returns the last hidden states, one row a token, valid until the
// next call with s. A sequence's result does not depend on the others.
func (n *Network) forward(s *scratch, seqs [][]int32, par runner) []float32 {
	s.starts = append(s.starts[:0], 0)
	rows := 0
	for _, ids := range seqs {
		rows += len(ids)
		s.starts = append(s.starts, rows)
	}
	h := n.hidden
	s.x, s.qkv, s.context = grow(s.x, rows*h), grow(s.qkv, rows*3*h), grow(s.context, rows*h)
	par.run(len(seqs), 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			n.embed(s.x[s.starts[i]*h:s.starts[i+1]*h], seqs[i])
		}
	})
	n.byRows(par, rows, func(lo, hi int, _ *blockScratch) {
		n.layers[0].qkv.apply(s.qkv[lo*3*h:], s.x[lo*h:], hi-lo)
	})
	for i := range n.layers {
		par.run(len(seqs)*n.heads, n.attentionGrain(rows), func(lo, hi int) { n.attend(s, lo, hi) })
		n.byRows(par, rows, func(lo, hi int, b *blockScratch) {
			n.layers[i].feedForward(n, s.x[lo*h:hi*h], s.context[lo*h:hi*h], b)
			if i+1 < len(n.layers) {
				n.layers[i+1].qkv.apply(s.qkv[lo*3*h:], s.x[lo*h:], hi-lo)
			}
		})
	}
	return s.x
}

// byRows calls fn for blocks of at most rowBlock rows: as many for each core, since each
// block reads all weights.
func (n *Network) byRows(par runner, rows int, fn func(lo, hi int, b *blockScratch)) {
	cores := par.cores
	rounds := (rows + cores*rowBlock - 1) / (cores * rowBlock)
	par.run(rows, (rows+cores*rounds-1)/(cores*rounds), func(lo, hi int) {
		b := blocks.Get().(*blockScratch)
		fn(lo, hi, b)
		blocks.Put(b)
	})
}

// blockScratch holds the values inside a layer for one block of rows.
type blockScratch struct{ attended, wide []float32 }

var blocks = sync.Pool{New: func() any { return new(blockScratch) }}

// embed writes the sum of word, position and type embeddings, normalised.
func (n *Network) embed(dst []float32, ids []int32) {
	h := n.hidden
	next := n.padding + 1 // position of the next token
	for p, id := range ids {
		at := next
		if id == n.padding {
			at = id
		} else {
			next++
		}
		row, word, place := dst[p*h:(p+1)*h], n.words[int(id)*h:], n.places[int(at)*h:]
		for j := range row {
			row[j] = word[j] + place[j]
		}
	}
	layerNorm(dst, h, n.embedNorm, n.eps)
}

// feedForward is the part of a layer after the attention, for a block of rows:
// a = LN(x + W_o·context), x = LN(a + W_down·GELU(W_up·a)).
func (l *layer) feedForward(n *Network, x, context []float32, b *blockScratch) {
	rows := len(x) / n.hidden
	b.attended = grow(b.attended, rows*n.hidden)
	b.wide = grow(b.wide, rows*n.intermediate)
	l.out.applyResidual(b.attended, x, context, rows)
	layerNorm(b.attended, n.hidden, l.attnNorm, n.eps)
	l.up.apply(b.wide, b.attended, rows)
	gelu(b.wide, n.intermediate)
	l.down.applyResidual(x, b.attended, b.wide, rows)
	layerNorm(x, n.hidden, l.ffnNorm, n.eps)
}

// attentionGrain is the number of (sequence, head) pairs a task takes.
func (n *Network) attentionGrain(rows int) int {
	if rows < 4*rowBlock {
		return max(1, n.heads/6)
	}
	return n.heads
}

var scoreBuffers = sync.Pool{New: func() any { return new([]float32) }}

// attend computes softmax(Q·Kᵀ/√d + bias)·V for pairs [lo,hi) of sequence and head.
func (n *Network) attend(s *scratch, lo, hi int) {
	h, d := n.hidden, n.hidden/n.heads
	buf := scoreBuffers.Get().(*[]float32)
	defer scoreBuffers.Put(buf)
	for i := lo; i < hi; i++ {
		seq, head := i/n.heads, i%n.heads
		start, length := s.starts[seq], s.starts[seq+1]-s.starts[seq]
		*buf = grow(*buf, length*length)
		q := s.qkv[start*3*h+head*d:]
		var bias []float32
		if n.bias != nil {
			width := 2*n.reach - 1
			bias = n.bias[head*width : (head+1)*width]
		}
		attention(*buf, s.context[start*h+head*d:], q, q[h:], q[2*h:], bias, length, d, 3*h, h)
	}
}

// attention is one head of one sequence; rows of q, k and v lie ld apart, those of out
// ldOut. bias holds the biases of all distances, the distance 0 in its middle; nil: none.
func attention(scores, out, q, k, v, bias []float32, length, d, ld, ldOut int) {
	var beta float32
	if bias != nil {
		zero := len(bias) / 2
		for i := range length {
			copy(scores[i*length:(i+1)*length], bias[zero-i:])
		}
		beta = 1
	}
	tensor.Sgemm(false, true, length, length, d, inverseSqrt(d), q, ld, k, ld, beta, scores, length)
	for i := range length {
		tensor.Softmax(scores[i*length : (i+1)*length])
	}
	tensor.Sgemm(false, false, length, d, length, 1, scores, length, v, ld, 0, out, ldOut)
}
