package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/pipeline"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

type trainFlagValues struct {
	model string
	set   []string
	seed  uint64
	fresh bool
}

func trainFlags(cmd *cobra.Command) *trainFlagValues {
	f := &trainFlagValues{}
	cmd.Flags().StringVar(&f.model, "model", "mllmrec", "model: "+strings.Join(pipeline.Models(), ", "))
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "a setting of the model or the trainer, key=value; may be repeated")
	cmd.Flags().Uint64Var(&f.seed, "seed", 999, "of initialisation, shuffling and negative sampling")
	cmd.Flags().BoolVar(&f.fresh, "fresh", false, "start anew where an interrupted run could go on")
	return f
}

func (f *trainFlagValues) options() (pipeline.TrainOptions, error) {
	opt := pipeline.TrainOptions{Model: f.model, Seed: f.seed, Fresh: f.fresh, Settings: map[string]string{}}
	for _, s := range f.set {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return opt, usererr.New("Write --set key=value.", "--set %q has no value", s)
		}
		if _, twice := opt.Settings[key]; twice {
			return opt, usererr.New("", "--set %s is given twice", key)
		}
		opt.Settings[key] = value
	}
	return opt, nil
}

func (a *app) trainCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "train WS",
		Short: "Train a model to its early stop",
		Args:  cobra.ExactArgs(1),
	}
	f := trainFlags(cmd)
	cmd.Long = `Train trains a model with BPR and Adam, ranks the whole catalogue for the validation
users after every epoch, and stops when Recall@20 has not risen for 'patience' epochs.
Every epoch is checkpointed: an interrupted run goes on exactly where it stopped.

Settings (--set key=value):
` + pipeline.SettingsHelp()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opt, err := f.options()
		if err != nil {
			return err
		}
		p, release, err := a.openForWriting(args[0], false)
		if err != nil {
			return err
		}
		defer release()
		run, err := p.Train(cmd.Context(), opt)
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
		table(a.stdout, []string{"", "R@10", "R@20", "N@10", "N@20"}, [][]string{
			metricRow("valid", run.Valid), metricRow("test", run.Test),
		})
		return nil
	}
	return cmd
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
