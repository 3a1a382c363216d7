package experiment

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// nearestItems is how many neighbours of each item are looked at, the paper's K. Of more than mostItems all pairs
// would take longer than the trials of many models, so none are.
const nearestItems, mostItems = 10, 30_000

// describeVectors says of each data set how alike the items are that an item graph would join, by the vectors that the
// contenders read. A threshold says something only beside these numbers.
func (x *Experiment) describeVectors(ctx context.Context, contenders []*contender) error {
	for n, d := range x.data {
		for _, address := range vectorsRead(d, contenders) {
			s, err := similarity(ctx, d, address)
			if err != nil {
				return fmt.Errorf("similarities of %s on %s: %w", address, d.name, err)
			}
			if s == nil {
				x.note("similarities of %s on %s are not counted: it has more than %d items", address, d.name, mostItems)
				continue
			}
			x.result.Data[n].Similarities = append(x.result.Data[n].Similarities, *s)
		}
	}
	return nil
}

// vectorsRead are the addresses of the item vectors that a data set's contenders read, in the order of the plan.
func vectorsRead(d *data, contenders []*contender) (all []string) {
	for _, c := range contenders {
		if c.data != d {
			continue
		}
		for _, p := range c.points {
			for _, address := range p.order.From {
				a, _ := d.session.WS.Artefact(address)
				if _, ok := a.Files[workspace.ItemVectorsFile]; ok && !slices.Contains(all, address) {
					all = append(all, address)
				}
			}
		}
	}
	return all
}

// similarity is nil where there are too many items.
func similarity(ctx context.Context, d *data, address string) (*result.Similarity, error) {
	x, err := d.session.Matrix(address, workspace.ItemVectorsFile)
	if err != nil || x.Rows > mostItems {
		return nil, err
	}
	near, err := itemgraph.TopCosine(ctx, x, nearestItems+1, float32(math.Inf(-1))) // the item itself is one of them
	if err != nil {
		return nil, err
	}
	s := (&itemgraph.Graph{Nearest: near, Semantic: near}).Similarities()
	out := &result.Similarity{Vectors: address, Nearest: nearestItems, Pairs: s.Neighbours, Mean: s.Mean}
	for _, bin := range s.Histogram {
		out.Bins = append(out.Bins, result.Bin(bin))
	}
	return out, nil
}
