package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/pipeline"
)

func (a *app) runCmd() *cobra.Command {
	var opt pipeline.RunOptions
	var force bool
	cmd := &cobra.Command{
		Use:   "run WS",
		Short: "All stages in order, skipping what is fresh",
		Long: `Run describes items, writes preferences, encodes, builds the graph, trains and
evaluates, skipping every stage whose inputs have not changed. Stopped at any moment,
the same command goes on where it was.

Without --mllm offline the texts come from a model server, Ollama on localhost unless
--base-url says otherwise.`,
		Args: cobra.ExactArgs(1),
	}
	author := addAuthorFlags(cmd, "mllm-model")
	author.addPictures(cmd)
	author.addHistories(cmd)
	preference := preferenceFlags(cmd)
	enc := encodeFlags(cmd, "encoder-")
	graph := graphFlags(cmd)
	tr := trainFlags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "redo stages that are fresh")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		encode, err := enc.options()
		if err != nil {
			return err
		}
		if opt.Author, err = author.options(); err != nil {
			return err
		}
		p, release, err := a.openForWriting(args[0], force)
		if err != nil {
			return err
		}
		defer release()
		opt.Preference, opt.Encode, opt.Graph = *preference, encode, *graph
		if opt.Train, err = tr.options(); err != nil {
			return err
		}
		opt.Explicit = changedFlags(cmd)
		res, err := p.Run(cmd.Context(), opt)
		if err != nil {
			return err
		}
		if a.json {
			return a.emit(res)
		}
		printEvaluation(a.stdout, res.Evaluation)
		return nil
	}
	return cmd
}
