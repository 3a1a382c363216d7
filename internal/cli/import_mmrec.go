package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/mmrec"
)

func (a *app) importMMRecCmd() *cobra.Command {
	var f importFlags
	var inter string
	var feat features
	cmd := &cobra.Command{
		Use:   "mmrec",
		Short: "An MMRec .inter file, with the split as x_label, and .npy features",
		Long: `MMRec's .inter file is tab-separated under a header that names userID, itemID and x_label
(0 train, 1 valid, 2 test). Row r of a feature file belongs to id r.

With --item-features and --user-features the model trains on those vectors directly (this
is how the paper's own files are tried). Nobody can say what foreign user vectors were
made from: such runs are marked "provenance unknown", and 'mllmrec audit' probes them.`,
		Example: "  mllmrec import mmrec --inter baby.inter --out baby.ws",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			policy, err := f.policy()
			if err != nil {
				return err
			}
			ds, rep, err := mmrec.Read(cmd.Context(), mmrec.Options{Inter: inter, Name: f.name, Domain: f.domain, Encoding: f.encoding, Policy: policy})
			if err != nil {
				return err
			}
			return a.finish(cmd, &f, ds, rep, policy, feat)
		},
	}
	f.register(cmd, dataset.SplitLabelled, 0)
	cmd.Flags().StringVar(&inter, "inter", "", "the .inter file, plain or gzip (required)")
	cmd.Flags().StringVar(&feat.items, "item-features", "", "item vectors, N×d .npy")
	cmd.Flags().StringVar(&feat.users, "user-features", "", "user vectors, M×d .npy")
	required(cmd, "inter")
	return cmd
}
