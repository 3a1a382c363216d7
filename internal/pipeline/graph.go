package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// graphOptions formats every knob of the graph for the manifest.
func graphOptions(o itemgraph.Options) map[string]string {
	return map[string]string{
		"variant": string(o.Variant), "k": strconv.Itoa(o.K), "jaccard_k": strconv.Itoa(o.JaccardK),
		"threshold": strconv.FormatFloat(float64(o.Threshold), 'g', -1, 32),
		"denoise":   strconv.FormatBool(o.Denoise), "topology": strconv.FormatBool(o.Topology), "weights": string(o.Weights),
	}
}

// RecordedGraph returns the options of the workspace's graph, or false where none was
// built.
func (p *Pipeline) RecordedGraph() (itemgraph.Options, bool, error) {
	st, ok := p.WS.Manifest().Stages[workspace.StageGraph]
	if !ok {
		return itemgraph.Options{}, false, nil
	}
	o := itemgraph.Options{Variant: itemgraph.Variant(st.Options["variant"]), Weights: itemgraph.Weights(st.Options["weights"])}
	var errs [5]error
	o.K, errs[0] = strconv.Atoi(st.Options["k"])
	o.JaccardK, errs[1] = strconv.Atoi(st.Options["jaccard_k"])
	threshold, err := strconv.ParseFloat(st.Options["threshold"], 32)
	o.Threshold, errs[2] = float32(threshold), err
	o.Denoise, errs[3] = strconv.ParseBool(st.Options["denoise"])
	o.Topology, errs[4] = strconv.ParseBool(st.Options["topology"])
	if err := errors.Join(errs[:]...); err != nil {
		return o, false, fmt.Errorf("options of stage %s in %s: %w", workspace.StageGraph, workspace.ManifestFile, err)
	}
	return o, true, nil
}

// Graph builds the refined item–item graph (Eq. 6–11) from item vectors and train
// interactions.
func (p *Pipeline) Graph(ctx context.Context, opt itemgraph.Options) error {
	if _, err := p.require(workspace.StageEncode, "encode"); err != nil {
		return err
	}
	if p.fresh(workspace.StageGraph, graphOptions(opt)) {
		return p.skipped(workspace.StageGraph)
	}
	start := time.Now()
	g, err := p.BuildGraph(ctx, opt)
	if err != nil {
		return err
	}
	path, err := p.fileFor(workspace.ItemGraphFile)
	if err != nil {
		return err
	}
	if err := arrayfile.WriteCSR(path, g.Norm); err != nil {
		return err
	}
	err = p.record(workspace.StageGraph, graphOptions(opt), start, []string{workspace.ItemGraphFile}, workspace.Stage{
		Provenance: workspace.ProvenanceTrainOnly,
		Info:       map[string]any{"edges": g.Norm.NNZ(), "semantic_edges": g.Semantic.NNZ(), "cooccurrence_edges": g.CoOccur.NNZ()},
	})
	if err != nil {
		return err
	}
	p.done(workspace.StageGraph, start, "%d edges: %d semantic, %d of shared audience", g.Norm.NNZ(), g.Semantic.NNZ(), g.CoOccur.NNZ())
	return nil
}

// BuildGraph computes the graph without storing it. It reads train interactions only,
// also in a workspace whose texts are leaky.
func (p *Pipeline) BuildGraph(ctx context.Context, opt itemgraph.Options) (*itemgraph.Graph, error) {
	ds, err := p.WS.Dataset()
	if err != nil {
		return nil, err
	}
	x, err := arrayfile.ReadNPY(p.WS.Path(workspace.ItemFeaturesFile))
	if err != nil {
		return nil, err
	}
	p.emit(Event{Stage: workspace.StageGraph, Message: fmt.Sprintf("nearest neighbours of %d items", x.Rows)})
	g, err := itemgraph.Build(ctx, x, ds.TrainHistories(), opt)
	if err != nil {
		return nil, fmt.Errorf("build item graph: %w", err)
	}
	return g, nil
}
