package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/itemgraph/graphplot"
	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/graphing"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

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
		Short: "Build the graph from item vectors and train interactions (Eq. 6–10)",
		Args:  cobra.ExactArgs(1),
	}
	var opt itemgraph.Options
	set := option.Of(&opt)
	cmd.Flags().BoolVar(&force, "force", false, "build anew though the graph is fresh")
	bind(cmd, set)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.check(set); err != nil {
			return err
		}
		return a.make(cmd, args[0], force, func(*stage.Session) ([]stage.Stage, error) {
			return []stage.Stage{&graphing.Stage{Options: opt}}, nil
		})
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
	var opt itemgraph.Options
	set := option.Of(&opt)
	cmd.Flags().StringVar(&plotPath, "plot", "", ".svg or .png file to write the histograms to")
	bind(cmd, set)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.check(set); err != nil {
			return err
		}
		s, err := a.open(args[0])
		if err != nil {
			return err
		}
		if len(set.GivenNames()) == 0 {
			if built, ok, err := graphing.Recorded(s.WS); err != nil {
				return err
			} else if ok {
				opt = built
			}
		}
		vectors, _, ok := s.WS.Current(workspace.KindItemVectors)
		if !ok {
			return stage.NotReady(s.WS, workspace.StageEncode)
		}
		g, err := graphing.Compute(cmd.Context(), s, vectors, opt)
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
	fmt.Fprintf(w, "degree mean %.1f, max %d; in-degree max %d; the cut at %.3g keeps %s of the top-K edges\n\n",
		s.Degree.Mean, s.Degree.Max, s.InDegree.Max, s.Similarity.Cut, percent(s.Similarity.Kept))
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

func degreeRange(b itemgraph.Bin) string {
	if b.High <= b.Low+1 {
		return fmt.Sprintf("%g", b.Low)
	}
	return fmt.Sprintf("%g to %g", b.Low, b.High-1)
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }
