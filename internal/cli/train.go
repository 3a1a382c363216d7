package cli

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) trainCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "train WS",
		Short: "Train a model to its early stop",
		Args:  cobra.ExactArgs(1),
	}
	var opt training.Options
	set := option.Of(&opt)
	bind(cmd, set)
	cmd.Long = `Train makes a model. hybrid and the kernels (bm25, ease, …) are fitted at once; what they
choose, they choose on validation. Other models are trained in epochs, on their loss with
Adam: the whole catalogue is ranked for the validation users after each, and training stops
when Recall@20 has not risen for 'patience' epochs.
Every epoch is checkpointed: an interrupted run goes on exactly where it stopped. A run
that is finished and fresh, of the same options and inputs, is shown again and not
trained a second time; --fresh trains another beside it. What the model reads must be
there ('mllmrec run' makes it). A model with the setting 'modalities' takes the vectors of the
items that the data offer, visual before text; --set modalities=text,audio names others.

Settings (--set key=value):
` + settingsHelp()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := training.New(opt); err != nil { // before the workspace is opened
			return err
		}
		s, release, err := a.openForWriting(args[0])
		if err != nil {
			return err
		}
		defer release()
		items, users := importing.Vectors(s.WS)
		offered, err := training.Offered(s, opt, items, users)
		if err != nil {
			return err
		}
		st, err := training.New(offered)
		if err != nil {
			return err
		}
		e := stage.NewEngine(s, st)
		if opt.Fresh {
			e.Again(workspace.KindRun)
		}
		address, err := e.Make(cmd.Context(), workspace.KindRun)
		if err != nil {
			return err
		}
		run, _, err := training.Find(s.WS, path.Base(address))
		if err != nil {
			return err
		}
		if a.json {
			return a.emit(run)
		}
		fmt.Fprintf(a.stdout, "run %s%s\n", run.ID, leakyMark(run.Leaky))
		if run.Warning != "" {
			fmt.Fprintf(a.stdout, "%s\n", run.Warning)
		}
		for _, what := range slices.Sorted(maps.Keys(run.Found)) {
			fmt.Fprintf(a.stdout, "%s: %s\n", what, run.Found[what])
		}
		table(a.stdout, []string{"", "R@10", "R@20", "N@10", "N@20"}, [][]string{
			metricRow("valid", run.Valid), metricRow("test", run.Test),
		})
		return nil
	}
	return cmd
}

// settingsHelp lists the settings of the trainer and the models.
func settingsHelp() string {
	var b strings.Builder
	owner := "-"
	for _, s := range training.Settings() {
		if s.Owner != owner {
			owner = s.Owner
			title := owner
			if title == "" {
				title = "any model that is trained in epochs"
			}
			if reads := training.Reads(owner); reads != "" {
				title += ": reads " + reads
			}
			fmt.Fprintf(&b, "  %s\n", title)
		}
		fmt.Fprintf(&b, "    %-14s %s (default %s)\n", s.Name, s.Doc, s.Default)
	}
	return b.String()
}

func leakyMark(leaky bool) string {
	if leaky {
		return " (leaky: test interactions were shown)"
	}
	return ""
}

func metricRow(name string, m map[string]float64) []string {
	return []string{name, metric(m["recall@10"]), metric(m["recall@20"]), metric(m["ndcg@10"]), metric(m["ndcg@20"])}
}
