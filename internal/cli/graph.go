package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/itemgraph/graphplot"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// graphFlags adds every knob of the item graph.
func graphFlags(cmd *cobra.Command) *itemgraph.Options {
	opt := itemgraph.DefaultOptions()
	f := cmd.Flags()
	f.Var(&variantFlag{&opt.Variant}, "graph", "whose graph: reference (the published code) or paper (the text)")
	f.IntVar(&opt.K, "knn-k", opt.K, "nearest items by content kept for each item")
	f.Float32Var(&opt.Threshold, "threshold", opt.Threshold, "content edges with a lower cosine are dropped (denoising)")
	f.IntVar(&opt.JaccardK, "jaccard-k", opt.JaccardK, "items with the most similar audience kept for each item")
	f.BoolVar(&opt.Denoise, "denoise", true, "drop weak content edges; --denoise=false is the paper's −GD")
	f.BoolVar(&opt.Topology, "topology", true, "add edges of shared audience; --topology=false is the paper's −TE")
	f.StringVar((*string)(&opt.Weights), "edge-weights", "", "weights of content edges: binary or cosine (default: what --graph says)")
	return &opt
}

type variantFlag struct{ v *itemgraph.Variant }

func (f *variantFlag) String() string {
	if f.v == nil {
		return ""
	}
	return string(*f.v)
}
func (f *variantFlag) Type() string { return "variant" }
func (f *variantFlag) Set(s string) error {
	switch itemgraph.Variant(s) {
	case itemgraph.Reference, itemgraph.Paper:
		*f.v = itemgraph.Variant(s)
		return nil
	}
	return fmt.Errorf("%q is neither reference nor paper", s)
}

// graphConflicts refuses knobs that the others switch off.
func graphConflicts(cmd *cobra.Command, opt *itemgraph.Options) error {
	f := cmd.Flags()
	if !opt.Denoise && f.Changed("threshold") {
		return usererr.New("Leave one of them out.", "--threshold has no effect with --denoise=false")
	}
	if !opt.Topology && f.Changed("jaccard-k") {
		return usererr.New("Leave one of them out.", "--jaccard-k has no effect with --topology=false")
	}
	return nil
}

func (a *app) graphCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Build or inspect the refined item–item graph",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.graphBuildCmd(), a.graphStatsCmd())
	return cmd
}

func (a *app) graphBuildCmd() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "build WS",
		Short: "Build the graph from item vectors and train interactions (Eq. 6–11)",
		Args:  cobra.ExactArgs(1),
	}
	opt := graphFlags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "build anew though the graph is fresh")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := graphConflicts(cmd, opt); err != nil {
			return err
		}
		p, release, err := a.openForWriting(args[0], force)
		if err != nil {
			return err
		}
		defer release()
		if err := p.Graph(cmd.Context(), *opt); err != nil {
			return err
		}
		return a.printStage(p, workspace.StageGraph)
	}
	return cmd
}

func (a *app) graphStatsCmd() *cobra.Command {
	var plotPath string
	cmd := &cobra.Command{
		Use:   "stats WS",
		Short: "Degrees, similarities, and the share of edges below each similarity",
		Long: `Stats prints the degree histogram of the graph, the histogram of cosines among each item's
nearest neighbours, and the share of those edges below each similarity (the paper's
Figure 1b): where the threshold cuts, and what it costs. --plot writes a picture. Without
a flag of the graph's it is about the graph that was built; with one, about the graph
that these options would give.`,
		Args: cobra.ExactArgs(1),
	}
	opt := graphFlags(cmd)
	cmd.Flags().StringVar(&plotPath, "plot", "", "write the histograms to this .svg or .png file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := graphConflicts(cmd, opt); err != nil {
			return err
		}
		p, err := a.open(args[0])
		if err != nil {
			return err
		}
		if !graphFlagGiven(cmd) {
			if built, ok, err := p.RecordedGraph(); err != nil {
				return err
			} else if ok {
				*opt = built
			}
		}
		g, err := p.BuildGraph(cmd.Context(), *opt)
		if err != nil {
			return err
		}
		stats := g.Stats()
		if plotPath != "" {
			if err := graphplot.Save(plotPath, stats); err != nil {
				return err
			}
		}
		if a.json {
			return a.emit(stats)
		}
		a.printGraphStats(stats)
		if plotPath != "" {
			fmt.Fprintf(a.stdout, "\nplot: %s\n", plotPath)
		}
		return nil
	}
	return cmd
}

func (a *app) printGraphStats(s itemgraph.Stats) {
	w := a.stdout
	fmt.Fprintf(w, "%s graph of %d items: %d edges (%d content, %d shared audience, %d both, %d self), %d isolated items\n",
		s.Options.Variant, s.Items, s.Edges, s.Semantic, s.CoOccur, s.Shared, s.Self, s.Isolated)
	fmt.Fprintf(w, "degree mean %.1f, max %d; in-degree max %d; the threshold keeps %s of the top-K edges\n\n",
		s.Degree.Mean, s.Degree.Max, s.InDegree.Max, percent(s.Similarity.Kept))
	var rows [][]string
	for _, b := range s.Degree.Histogram {
		rows = append(rows, []string{degreeRange(b), strconv.Itoa(b.Count)})
	}
	table(w, []string{"degree", "items"}, rows)
	fmt.Fprintln(w)
	rows = nil
	for _, c := range s.Similarity.Below {
		rows = append(rows, []string{strconv.FormatFloat(c.Similarity, 'f', 2, 64), percent(c.Share)})
	}
	table(w, []string{"similarity", "top-K edges below"}, rows)
}

// graphFlagGiven reports whether any knob of the graph was set.
func graphFlagGiven(cmd *cobra.Command) bool {
	for _, name := range []string{"graph", "knn-k", "threshold", "jaccard-k", "denoise", "topology", "edge-weights"} {
		if cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}

func degreeRange(b itemgraph.Bin) string {
	if b.High <= b.Low+1 {
		return fmt.Sprintf("%g", b.Low)
	}
	return fmt.Sprintf("%g to %g", b.Low, b.High-1)
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }
