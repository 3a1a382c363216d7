package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/stage/exporting"
)

func (a *app) exportChatCmd() *cobra.Command {
	var opt exporting.ChatOptions
	cmd := &cobra.Command{
		Use:   "chat WS",
		Short: "Prompts with their answers as chat JSONL, for fine-tuning a smaller model",
		Long: `Export chat writes one line a pair: the prompt about an item, with its picture as a data URI,
and the description; the prompt about a user's train history and the preference. Only
answers of models are written, no fallbacks, and never from validation or test items.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(args[0])
			if err != nil {
				return err
			}
			res, err := exporting.Chat(cmd.Context(), s, opt)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(res)
			}
			fmt.Fprintf(a.stdout, "%s: %d descriptions, %d preferences", res.Out, res.Descriptions, res.Preferences)
			if res.TooLong+res.NoPicture > 0 {
				fmt.Fprintf(a.stdout, "; left out: %d too long, %d without their picture", res.TooLong, res.NoPicture)
			}
			fmt.Fprintln(a.stdout)
			return nil
		},
	}
	cmd.Flags().StringVar(&opt.Out, "out", "", "file to write (required)")
	cmd.Flags().StringVar(&opt.Stage, "stage", "", "describe or reason (default: both)")
	cmd.Flags().StringVar(&opt.Prompts, "prompts", "", "prompt template, or folder of them, in place of the built-in ones")
	cmd.Flags().IntVar(&opt.Words, "words", 0, "word limit that the prompts name (default 100)")
	cmd.Flags().BoolVar(&opt.TextOnly, "text-only", false, "leave pictures out")
	cmd.Flags().StringVar(&opt.Pictures.Dir, "image-dir", "", "folder with <item id>.jpg, .png, .webp or .gif")
	required(cmd, "out")
	return cmd
}
