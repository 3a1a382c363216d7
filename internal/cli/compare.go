package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/experiment"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func (a *app) compareCmd() *cobra.Command {
	var f experimentFlags
	var models, grids, sets, without, refined []string
	var planPath string
	cmd := &cobra.Command{
		Use:   "compare [WS...]",
		Short: "Models side by side on one or several data sets, chosen on validation, with intervals",
		Long: `Compare trains models side by side and says which is better, by how much, and how sure that
is. Settings given as a grid are chosen on validation with the first seed; the chosen ones
run with all seeds; --finalists 5 gives the further seeds to the five entries alone that are best on
validation, among those that draw by lot. Test is measured for all and has no say in any choice.

The floors that no table should go without (itemknn, bm25, ease, add-ease, l3ae, spectral,
transitions, hybrid) are added as far as the data allow; --without, or 'without' in a plan,
leaves some out.

The entry that validation puts first is compared with every other on test, user by user:
the mean difference with its 95 % bootstrap interval, the smallest difference that this many
users would show four times in five, the share of users whom both serve alike, and p of a
paired t test after Holm's correction; --json and the report have Wilcoxon's test too.

Every trial runs in a process of its own, as many at a time as there are processors and as
the memory allows. Stopped at any moment, the same command goes on: a trial that has ended
is not repeated, one under way continues after its last epoch.`,
		Example: `  mllmrec compare shop.ws --models bpr,lightgcn,mllmrec --mllm offline --encoder lsa --seeds 1,2,3
  mllmrec compare baby.ws --models lightgcn --grid lightgcn:layers=1,2,3 --grid lightgcn:reg_weight=0.01,0.001
  mllmrec compare ml.ws --refined freedom,lattice --mllm offline --encoder lsa   # each beside itself with the refined graph
  mllmrec compare --plan plan.yaml --dry-run`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			p := &experiment.Plan{Kind: experiment.Compare}
			if planPath != "" {
				return a.comparePlan(cmd, &f, planPath, args)
			}
			if len(args) == 0 {
				return usererr.New("Name one, or give --plan.", "no workspace is named")
			}
			if err := f.plan(p, args); err != nil {
				return err
			}
			for _, name := range models {
				p.Entries = append(p.Entries, experiment.Entry{Model: strings.TrimSpace(name)})
			}
			more, err := experiment.GraphRefinement(refined)
			if err != nil {
				return err
			}
			p.Entries = append(p.Entries, more...)
			p.Without = without
			if err := p.AddFloors(); err != nil {
				return err
			}
			if err := setEntries(p, sets, grids); err != nil {
				return err
			}
			return a.experiment(cmd, &f, p)
		},
	}
	flags := cmd.Flags()
	f.add(cmd, experiment.Compare)
	flags.StringSliceVar(&models, "models", nil, "models to compare, beside the floors")
	flags.StringSliceVar(&refined, "refined", nil, "models to compare with themselves on the refined item graph (+GR)")
	flags.StringArrayVar(&sets, "set", nil, "setting of a model or its trainer, model:key=value; may be repeated")
	flags.StringArrayVar(&grids, "grid", nil, "values to choose among on validation, model:key=value,value; may be repeated")
	flags.IntVar(&f.finalists, "finalists", 0, "run only so many entries of each data set with all seeds, the best on validation with the first (default: all)")
	flags.StringSliceVar(&without, "without", nil, "floors to leave out, or all")
	flags.StringVar(&planPath, "plan", "", "plan in YAML, in place of all flags but --out, --jobs, --memory and --dry-run")
	return cmd
}

// comparePlan carries a plan from a file out.
func (a *app) comparePlan(cmd *cobra.Command, f *experimentFlags, path string, args []string) error {
	for _, name := range append(f.stages.GivenNames(), "name", "seeds", "finalists", "protocol", "select", "epochs", "models", "refined", "set", "grid", "without") {
		if cmd.Flags().Changed(name) {
			return usererr.New("Put it into the plan.", "--%s has no effect with --plan", name)
		}
	}
	if len(args) > 0 {
		return usererr.New("Put them into the plan.", "workspaces have no effect with --plan")
	}
	p, err := experiment.ReadPlan(path)
	if err != nil {
		return err
	}
	if p.Kind == experiment.Compare {
		if err := p.AddFloors(); err != nil {
			return err
		}
	}
	return a.experiment(cmd, f, p)
}

// setEntries gives entries the settings and grids of flags.
func setEntries(p *experiment.Plan, sets, grids []string) error {
	each := func(name string, do func(e *experiment.Entry)) error {
		found := false
		for n := range p.Entries {
			if p.Entries[n].Model == name {
				do(&p.Entries[n])
				found = true
			}
		}
		if !found {
			return usererr.New("Name it among --models.", "model %q is not compared", name)
		}
		return nil
	}
	err := pairsOf("set", sets, func(name, key, value string) error {
		return each(name, func(e *experiment.Entry) {
			if e.Set == nil {
				e.Set = map[string]string{}
			}
			e.Set[key] = value
			delete(e.Grid, key) // a floor's own grid gives way
		})
	})
	if err != nil {
		return err
	}
	return pairsOf("grid", grids, func(name, key, value string) error {
		return each(name, func(e *experiment.Entry) {
			if e.Grid == nil {
				e.Grid = map[string][]string{}
			}
			e.Grid[key] = strings.Split(value, ",")
		})
	})
}
