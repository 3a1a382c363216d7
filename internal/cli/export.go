package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/stage/exporting"
)

func (a *app) exportCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export FORMAT",
		Short: "Write the workspace for other tools",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.exportMMRecCmd(), a.exportChatCmd())
	return cmd
}

func (a *app) exportMMRecCmd() *cobra.Command {
	var out, name string
	cmd := &cobra.Command{
		Use:   "mmrec WS",
		Short: "MMRec's .inter file and our vectors as .npy, for the Python tools",
		Long: `Export mmrec writes NAME.inter with the split as x_label, the id maps, and the current
vectors, so that MMRec and the paper's code can train on our features:

  image_feat.npy              item vectors of the modality visual
  text_feat.npy               those of the modality text, and once more, under the name
  image_text_feat.npy           that the paper's code reads
  NAME_feat.npy               those of another modality NAME
  user_preferences_feat.npy   user vectors

A workspace without vectors yet exports the interactions alone.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := a.open(args[0])
			if err != nil {
				return err
			}
			files, err := exporting.MMRec(s, out, name)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(map[string]any{"out": out, "files": files})
			}
			for _, f := range files {
				fmt.Fprintln(a.stdout, f)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder to write into (required)")
	cmd.Flags().StringVar(&name, "name", "", "name of the data set in file names (default: the workspace's)")
	required(cmd, "out")
	return cmd
}
