package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/build"
)

func (a *app) runCmd() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "run WS",
		Short: "All that a model needs, then the model, then its evaluation; what is fresh is skipped",
		Long: `Run makes a model and evaluates it, and makes before that what the model reads, no more. Unless
--model says otherwise it is hybrid, which fuses what choices, texts, their order and
preferences say, and does without what the data set lacks. A model of interactions alone (bm25, ease,
bpr, lightgcn) is made at once; pool has items described and encoded; mllmrec, the paper's,
has preferences written too, and the item graph built. Every result stays beside those of other
options. Stopped at any moment, the same command goes on where it was.

Without --mllm offline the texts come from a model server, Ollama on localhost unless
--base-url says otherwise.`,
		Example: `  mllmrec run shop.ws --mllm offline                 # no model server, no download
  mllmrec run shop.ws --model bm25                   # interactions only
  mllmrec run shop.ws --model mllmrec --mllm offline # the paper's model, beside the first`,
		Args: cobra.ExactArgs(1),
	}
	opt := build.New()
	cmd.Flags().BoolVar(&force, "force", false, "make again what is fresh")
	bind(cmd, opt.Set())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, release, err := a.openForWriting(args[0])
		if err != nil {
			return err
		}
		defer release()
		res, err := build.Run(cmd.Context(), s, opt, force)
		a.sayPassedOver(opt.Set())
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
