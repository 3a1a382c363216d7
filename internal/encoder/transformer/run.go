package transformer

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// batchTokens is the approximate number of token rows computed together.
const batchTokens = 448

// Run computes the rows of the tokens of each sequence and hands them to each, which may be
// called from several goroutines; the rows are valid until it returns. Ids must be below
// Vocab, sequences no longer than the model reads. The longest sequences come first, in
// batches of about equal work; a batch runs on one core or, if there are few, on all of them.
// The rows of a sequence do not depend on the others nor on the number of processors.
func (n *Network) Run(ctx context.Context, seqs [][]int32, each func(i int, rows []float32)) error {
	order := make([]int, len(seqs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(seqs[b]), len(seqs[a])) })
	batches := batch(order, func(i int) int { return len(seqs[i]) })
	workers, par := min(runtime.GOMAXPROCS(0), len(batches)), serial()
	if len(batches) < 2*runtime.GOMAXPROCS(0) {
		workers, par = 1, parallel()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	work := func() {
		s := n.scratches.Get().(*scratch)
		defer n.scratches.Put(s)
		var packed [][]int32
		for b := next.Add(1) - 1; b < int64(len(batches)) && ctx.Err() == nil; b = next.Add(1) - 1 {
			packed = packed[:0]
			for _, i := range batches[b] {
				packed = append(packed, seqs[i])
			}
			states := n.forward(s, packed, par)
			for k, i := range batches[b] {
				each(i, states[s.starts[k]*n.hidden:s.starts[k+1]*n.hidden])
			}
		}
	}
	for range workers {
		wg.Go(work)
	}
	wg.Wait()
	return ctx.Err()
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
