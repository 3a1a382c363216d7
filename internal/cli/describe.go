package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) describeCmd() *cobra.Command {
	var force bool
	var ahead aheadFlags
	cmd := &cobra.Command{
		Use:   "describe WS",
		Short: "Write every item's text: metadata and picture (Eq. 1–2)",
		Long: `Describe asks a multimodal model for a description of every item's picture and joins it to
the item's own words. Every answer is kept as it comes, in the workspace's ledger, and
never asked for again; the same command goes on where it was stopped. Items whose
picture cannot be read keep their words. Answers that are no good are asked for again
with another seed, then quarantined: a marked offline text stands in, and the next run
tries again.`,
		Example: `  mllmrec describe shop.ws                                    # Ollama on this machine, gemma3:27b
  mllmrec describe shop.ws --mllm openai --base-url http://gpu1:8000/v1 --model google/gemma-3-27b-it --concurrency 64
  mllmrec describe shop.ws --estimate                         # tokens, cost, hours; asks nothing
  mllmrec describe shop.ws --sample 20 --model gemma3:27b --model gemma3:12b
  mllmrec describe show shop.ws --status quarantined
  mllmrec describe shop.ws --mllm offline                     # no model`,
		Args: cobra.ExactArgs(1),
	}
	author := addAuthorFlags(cmd, "model")
	author.addPictures(cmd)
	author.addLimit(cmd)
	ahead.add(cmd, author)
	cmd.Flags().BoolVar(&force, "force", false, "go through all items though the stage is fresh; stored answers are not asked again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		author.several = ahead.sample > 0
		opt, err := author.options()
		if err != nil {
			return err
		}
		if ahead.wanted() {
			return a.lookAhead(cmd, args[0], workspace.StageDescribe, ahead, opt, nil)
		}
		p, release, err := a.openForWriting(args[0], force)
		if err != nil {
			return err
		}
		defer release()
		if err := p.Describe(cmd.Context(), opt); err != nil {
			return err
		}
		return a.printStage(p, workspace.StageDescribe)
	}
	cmd.AddCommand(a.showCmd(workspace.StageDescribe), a.retryCmd(workspace.StageDescribe))
	return cmd
}
