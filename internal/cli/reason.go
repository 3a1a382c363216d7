package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/pipeline"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// preferenceFlags says from what preferences are written.
func preferenceFlags(cmd *cobra.Command) *pipeline.PreferenceOptions {
	opt := &pipeline.PreferenceOptions{}
	addHistoryFlag(cmd, opt)
	cmd.Flags().IntVar(&opt.Folds, "folds", 0, "cross-fitting: write K further texts a user, each blind to one part of the train items (0: none, the paper's way)")
	cmd.Flags().IntVar(&opt.FoldsFor, "folds-for", 0, "cross-fitting for users with at least so many train items only")
	return opt
}

func addHistoryFlag(cmd *cobra.Command, opt *pipeline.PreferenceOptions) {
	cmd.Flags().StringVar(&opt.History, "history", string(dataset.ScopeTrain), "train, or all: the published code's protocol, which shows validation and test items; everything made from it is marked leaky")
}

func (a *app) reasonCmd() *cobra.Command {
	var force bool
	var ahead aheadFlags
	cmd := &cobra.Command{
		Use:   "reason WS",
		Short: "Write every user's preference from train interactions (Eq. 3–4)",
		Long: `Reason asks a model for every user's preference, from the texts of the train items only:
the model never sees an item that the recommender will be tested on. Answers are kept,
checked, tried again and quarantined as 'mllmrec describe' does.

A history too long for the model's window is read in parts, in time order, each part
with the conclusion so far; or cut to its latest items with --long-history latest, and
then only the items shown are stored as the answer's sources.`,
		Example: `  mllmrec reason shop.ws                                      # Ollama on this machine, gemma3:27b
  mllmrec reason shop.ws --folds 5 --folds-for 10 --estimate  # what cross-fitting would cost
  mllmrec reason shop.ws --mllm openai --model gpt-4o-mini --base-url https://api.openai.com/v1 --max-cost 20
  mllmrec reason show shop.ws --user u42`,
		Args: cobra.ExactArgs(1),
	}
	author := addAuthorFlags(cmd, "model")
	author.addHistories(cmd)
	author.addLimit(cmd)
	pref := preferenceFlags(cmd)
	ahead.add(cmd, author)
	cmd.Flags().BoolVar(&force, "force", false, "go through all users though the stage is fresh; stored answers are not asked again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		author.several = ahead.sample > 0
		opt, err := author.options()
		if err != nil {
			return err
		}
		if ahead.wanted() {
			return a.lookAhead(cmd, args[0], workspace.StageReason, ahead, opt, pref)
		}
		p, release, err := a.openForWriting(args[0], force)
		if err != nil {
			return err
		}
		defer release()
		if err := p.Reason(cmd.Context(), opt, *pref); err != nil {
			return err
		}
		return a.printStage(p, workspace.StageReason)
	}
	cmd.AddCommand(a.showCmd(workspace.StageReason), a.retryCmd(workspace.StageReason))
	return cmd
}
