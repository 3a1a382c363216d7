// Package graphing is the stage that builds the refined item–item graph from item vectors
// and train interactions.
package graphing

import (
	"context"
	"fmt"
	"strconv"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Stage builds the item graph. It reads train interactions only, whatever histories the
// preference texts were written from.
type Stage struct{ Options itemgraph.Options }

// Name implements stage.Stage.
func (*Stage) Name() string { return workspace.StageGraph }

// Makes implements stage.Stage.
func (*Stage) Makes() workspace.Kind { return workspace.KindItemGraph }

// Needs implements stage.Stage.
func (*Stage) Needs() []stage.Need {
	return []stage.Need{
		{Kind: workspace.KindData, Files: []string{workspace.InteractionsFile}},
		{Kind: workspace.KindItemVectors, Files: []string{workspace.ItemVectorsFile}},
	}
}

// Settle implements stage.Stage.
func (g *Stage) Settle(context.Context, *stage.Session, stage.Inputs) (stage.Spec, error) {
	set := option.Of(&g.Options)
	if err := set.Check(); err != nil {
		return stage.Spec{}, err
	}
	return stage.Spec{Name: name(g.Options), Options: set.Record()}, nil
}

// name tells graphs apart at a glance: reference-k10-t0.7-j10, or, for a share of edges,
// reference-k10-s0.5-j10.
func name(o itemgraph.Options) string {
	s := fmt.Sprintf("%s-k%d", o.Variant, o.K)
	switch {
	case o.Denoise && o.Threshold != nil:
		s += "-t" + strconv.FormatFloat(float64(*o.Threshold), 'g', -1, 32)
	case o.Denoise:
		s += "-s" + strconv.FormatFloat(o.Keep, 'g', -1, 64)
	}
	if o.Topology {
		s += fmt.Sprintf("-j%d", o.JaccardK)
	}
	return s
}

// Build implements stage.Stage.
func (g *Stage) Build(ctx context.Context, b *stage.Build) error {
	graph, err := Compute(ctx, b.Session, b.Inputs.Address(workspace.KindItemVectors), g.Options)
	if err != nil {
		return err
	}
	if err := arrayfile.WriteCSR(b.Path(workspace.ItemGraphFile), graph.Norm); err != nil {
		return err
	}
	cut := graph.Similarities()
	if warning := allOrNothing(cut, g.Options); warning != "" {
		b.Note(b.Stage, "%s", warning)
	}
	b.Info = map[string]any{"edges": graph.Norm.NNZ(), "semantic_edges": graph.Semantic.NNZ(), "cooccurrence_edges": graph.CoOccur.NNZ()}
	b.Done("%d edges: %d semantic, %d of shared audience; of the content edges between items %.1f %% are kept, those with a cosine from %.3g",
		graph.Norm.NNZ(), graph.Semantic.NNZ(), graph.CoOccur.NNZ(), 100*cut.Kept, cut.Cut)
	return nil
}

// fewKept and nearlyAll are the shares of content edges below and above which a threshold no
// longer tells weak edges from strong ones.
const fewKept, nearlyAll = 0.05, 0.995

// allOrNothing says where a threshold does not fit the encoder's cosines: the removal of weak edges is
// then the removal of all, or of none.
func allOrNothing(s itemgraph.Similarities, o itemgraph.Options) string {
	if !o.Denoise || o.Threshold == nil || s.Neighbours == 0 {
		return ""
	}
	drops := "drops nearly all"
	switch {
	case s.Kept > nearlyAll:
		drops = "drops none"
	case s.Kept >= fewKept:
		return ""
	}
	return fmt.Sprintf("warning: the threshold %g %s of the content edges (%.1f %% are left; their mean cosine is %.2f with this encoder); "+
		"without a threshold the better half is kept with any encoder", *o.Threshold, drops, 100*s.Kept, s.Mean)
}

// Defaults are the options of a graph unless the user gives others.
func Defaults() itemgraph.Options { return itemgraph.DefaultOptions() }

// Compute builds the graph of the item vectors under an address without storing it.
func Compute(ctx context.Context, s *stage.Session, vectors string, opt itemgraph.Options) (*itemgraph.Graph, error) {
	ds, err := s.Dataset()
	if err != nil {
		return nil, err
	}
	x, err := s.Matrix(vectors, workspace.ItemVectorsFile)
	if err != nil {
		return nil, err
	}
	s.Say(workspace.StageGraph, "nearest neighbours of %d items", x.Rows)
	graph, err := itemgraph.Build(ctx, x, ds.TrainHistories(), opt)
	if err != nil {
		return nil, fmt.Errorf("build item graph: %w", err)
	}
	return graph, nil
}

// Recorded returns the options of the current graph, and false where none was built.
func Recorded(ws *workspace.Workspace) (itemgraph.Options, bool, error) {
	opt := itemgraph.DefaultOptions()
	_, a, ok := ws.Current(workspace.KindItemGraph)
	if !ok {
		return opt, false, nil
	}
	return opt, true, option.Of(&opt).Load(a.Options)
}
