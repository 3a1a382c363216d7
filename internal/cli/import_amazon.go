package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/amazon"
)

func (a *app) importAmazonCmd() *cobra.Command {
	var f importFlags
	var opt amazon.Options
	cmd := &cobra.Command{
		Use:   "amazon",
		Short: "Amazon reviews and metadata: 2014, 2018 or 2023",
		Long: `Which of the three public generations a file is of is found out from its content: 2014
(metadata are Python literals, one a line), 2018 or 2023 (JSON lines, as downloaded or as
the Hugging Face loader writes them). Plain or gzip. Metadata are read for the items left
after the k-core only. Texts that are page script are left out, and counted.`,
		Example: "  mllmrec import amazon --reviews reviews_Baby_5.json.gz --meta meta_Baby.json.gz --out baby.ws",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			policy, err := f.policy()
			if err != nil {
				return err
			}
			opt.Name, opt.Domain, opt.KCore, opt.Encoding, opt.Policy = f.name, f.domain, f.kcore, f.encoding, policy
			ds, rep, err := amazon.Read(cmd.Context(), opt)
			if err != nil {
				return err
			}
			return a.finish(cmd, &f, ds, rep, policy)
		},
	}
	f.register(cmd, dataset.SplitByRandom, 5)
	cmd.Flags().StringVar(&opt.Reviews, "reviews", "", "reviews, one a line, plain or gzip (required)")
	cmd.Flags().StringVar(&opt.Meta, "meta", "", "product metadata, one a line, plain or gzip")
	required(cmd, "reviews")
	return cmd
}
