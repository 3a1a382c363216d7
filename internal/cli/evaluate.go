package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/pipeline"
)

func (a *app) evaluateCmd() *cobra.Command {
	var run string
	cmd := &cobra.Command{
		Use:   "evaluate WS",
		Short: "Full-ranking metrics of a run on valid and test",
		Long: `Evaluate ranks every item of the catalogue for every user, train items masked, ties to the
lower item index, and averages Recall, NDCG, Precision, MAP and hit rate at 5, 10, 20
and 50 over the users of a split, with popularity and random beside them; then catalogue
coverage, novelty and Gini, and the same by history length and by item popularity.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.open(args[0])
			if err != nil {
				return err
			}
			ev, err := p.Evaluate(cmd.Context(), run)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(ev)
			}
			printEvaluation(a.stdout, ev)
			return nil
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "id of the run (default: the latest finished)")
	return cmd
}

func printEvaluation(w io.Writer, ev *pipeline.Evaluation) {
	fmt.Fprintf(w, "run %s%s, provenance %s\n", ev.Run, leakyMark(ev.Leaky), ev.Provenance)
	if ev.Warning != "" {
		fmt.Fprintln(w, ev.Warning)
	}
	fmt.Fprintln(w)
	rows := [][]string{metricRow(ev.Model+" valid", ev.Valid), metricRow(ev.Model+" test", ev.Test)}
	for _, b := range ev.Baselines {
		rows = append(rows, metricRow(b.Name+" test", b.Test))
	}
	table(w, []string{"", "R@10", "R@20", "N@10", "N@20"}, rows)
	fmt.Fprintf(w, "\ntop-20 lists: %.1f %% of the catalogue, novelty %.2f bits, Gini %.3f\n",
		100*ev.Test["coverage@20"], ev.Test["novelty@20"], ev.Test["gini@20"])
	rows = nil
	for _, s := range ev.Slices {
		rows = append(rows, []string{s.By + " " + s.Label, fmt.Sprint(s.Users), metric(s.Values["recall@20"]), metric(s.Values["ndcg@20"])})
	}
	fmt.Fprintln(w)
	table(w, []string{"slice (test)", "users", "R@20", "N@20"}, rows)
}
