package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/experiment"
)

func (a *app) ablateCmd() *cobra.Command {
	var f experimentFlags
	cmd := &cobra.Command{
		Use:   "ablate WS...",
		Short: "The paper's model without each of its parts (Table 2)",
		Long: `Ablate trains MLLMRec and its variants: without reasoning, without item convolution, without
topology enhancement, without graph denoising, with user–item convolution, and with item
texts of words alone or of pictures alone. They are compared as 'mllmrec compare' does it.`,
		Example: `  mllmrec ablate shop.ws --mllm offline --encoder lsa --seeds 1,2,3`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := &experiment.Plan{Kind: experiment.Ablate, Entries: experiment.Ablation()}
			for n := range p.Entries {
				p.Entries[n].Floor = n > 0 // what the data do not allow is left out, and said
			}
			if err := f.plan(p, args); err != nil {
				return err
			}
			return a.experiment(cmd, &f, p)
		},
	}
	f.add(cmd, experiment.Ablate)
	return cmd
}
