package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/microlens"
)

func (a *app) importMicroLensCmd() *cobra.Command {
	var f importFlags
	var opt microlens.Options
	cmd := &cobra.Command{
		Use:     "microlens",
		Short:   "MicroLens pairs.tsv and titles.csv",
		Example: "  mllmrec import microlens --pairs MicroLens-50k_pairs.tsv --titles MicroLens-50k_titles.csv --out ml.ws",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			policy, err := f.policy()
			if err != nil {
				return err
			}
			opt.Images, opt.Name, opt.Domain, opt.Encoding, opt.Policy = f.images, f.name, f.domain, f.encoding, policy
			ds, rep, err := microlens.Read(cmd.Context(), opt)
			if err != nil {
				return err
			}
			return a.finish(cmd, &f, ds, rep, policy)
		},
	}
	f.register(cmd, dataset.SplitByLatest, 0)
	f.registerImages(cmd)
	cmd.Flags().StringVar(&opt.Pairs, "pairs", "", "pairs.tsv, plain or gzip (required)")
	cmd.Flags().StringVar(&opt.Titles, "titles", "", "titles.csv, plain or gzip")
	required(cmd, "pairs")
	return cmd
}
