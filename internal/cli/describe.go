package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/pipeline"
	"github.com/mllmrec/mllmrec/workspace"
)

// authorFlags says who writes the texts.
func authorFlags(cmd *cobra.Command) *pipeline.AuthorOptions {
	opt := &pipeline.AuthorOptions{}
	cmd.Flags().StringVar(&opt.MLLM, "mllm", "ollama", "who writes: offline (pixels measured, preferences extracted, no model), or a model server")
	return opt
}

func (a *app) describeCmd() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "describe WS",
		Short: "Write every item's text: metadata and picture (Eq. 1–2)",
		Args:  cobra.ExactArgs(1),
	}
	author := authorFlags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "go through all items though the stage is fresh; stored answers are not asked again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, release, err := a.openForWriting(args[0], force)
		if err != nil {
			return err
		}
		defer release()
		if err := p.Describe(cmd.Context(), *author); err != nil {
			return err
		}
		return a.printStage(p, workspace.StageDescribe)
	}
	return cmd
}
