package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/pipeline"
	"github.com/mllmrec/mllmrec/workspace"
)

// preferenceFlags says from what preferences are written.
func preferenceFlags(cmd *cobra.Command) *pipeline.PreferenceOptions {
	opt := &pipeline.PreferenceOptions{}
	cmd.Flags().StringVar(&opt.History, "history", string(dataset.ScopeTrain), "train, or all: the published code's protocol, which shows validation and test items; everything made from it is marked leaky")
	cmd.Flags().IntVar(&opt.Folds, "folds", 0, "cross-fitting: write K further texts a user, each blind to one part of the train items (0: none, the paper's way)")
	cmd.Flags().IntVar(&opt.FoldsFor, "folds-for", 0, "cross-fitting for users with at least so many train items only")
	return opt
}

func (a *app) reasonCmd() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "reason WS",
		Short: "Write every user's preference from train interactions (Eq. 3–4)",
		Args:  cobra.ExactArgs(1),
	}
	author := authorFlags(cmd)
	pref := preferenceFlags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "go through all users though the stage is fresh; stored answers are not asked again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, release, err := a.openForWriting(args[0], force)
		if err != nil {
			return err
		}
		defer release()
		if err := p.Reason(cmd.Context(), *author, *pref); err != nil {
			return err
		}
		return a.printStage(p, workspace.StageReason)
	}
	return cmd
}
