package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/experiment"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func (a *app) sweepCmd() *cobra.Command {
	var f experimentFlags
	var name string
	var over, set []string
	cmd := &cobra.Command{
		Use:   "sweep WS...",
		Short: "A model over a grid of settings and options, all of it shown (Figures 4 and 5)",
		Long: `Sweep trains a model at every point of a grid over its settings and the options of the stages
before it, and shows all points, where a search in 'mllmrec compare' keeps the best alone.
A name is taken for a setting of the model or the trainer if there is one, else for an option
of 'mllmrec run'.`,
		Example: `  mllmrec sweep shop.ws --recommender mllmrec --over embedding_dim=16,32,64,128,256 --mllm offline --encoder lsa
  mllmrec sweep shop.ws --recommender mllmrec --over keep-edges=0.25,0.5,0.75,1 --over jaccard-k=5,10,15,20 --mllm offline`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			grid := map[string][]string{}
			for _, text := range over {
				key, values, ok := strings.Cut(text, "=")
				if !ok || key == "" || values == "" {
					return usererr.New("Write it as name=value,value.", "--over %q is not of that form", text)
				}
				if _, twice := grid[key]; twice {
					return usererr.New("", "--over %s is given twice", key)
				}
				grid[key] = strings.Split(values, ",")
			}
			entries, err := experiment.SweepOf(name, grid)
			if err != nil {
				return err
			}
			p := &experiment.Plan{Kind: experiment.Sweep, Entries: entries}
			for _, pair := range set {
				key, value, ok := strings.Cut(pair, "=")
				if !ok || key == "" {
					return usererr.New("Write it as key=value.", "--set %q has no value", pair)
				}
				for n := range p.Entries {
					p.Entries[n].Set[key] = value
				}
			}
			if err := f.plan(p, args); err != nil {
				return err
			}
			return a.experiment(cmd, &f, p)
		},
	}
	f.add(cmd, experiment.Sweep)
	cmd.Flags().StringVar(&name, "recommender", "mllmrec", "model to train")
	cmd.Flags().StringArrayVar(&over, "over", nil, "values of a setting or option, name=value,value; may be repeated")
	cmd.Flags().StringArrayVar(&set, "set", nil, "setting of all points, key=value; may be repeated")
	return cmd
}
