package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/mmrec"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
)

func (a *app) importMMRecCmd() *cobra.Command {
	var f importFlags
	var inter string
	var ignore bool
	cmd := &cobra.Command{
		Use:   "mmrec",
		Short: "An MMRec .inter file, with the split as x_label, and .npy features",
		Long: `MMRec's .inter file is tab-separated under a header that names userID, itemID and x_label
(0 train, 1 valid, 2 test). Row r of a feature file belongs to id r.

image_feat.npy and text_feat.npy beside the .inter file are imported as the modalities visual
and text, unless --item-features names others of these or --ignore-features is given.
Modalities of other names come with --item-features, such as audio=audio_feat.npy.

With text vectors and --user-features a model trains on those vectors directly (this
is how the paper's own files are tried). Nobody can say what foreign user vectors were
made from: such runs are marked "provenance unknown", and 'mllmrec audit' probes them.`,
		Example: `  mllmrec import mmrec --inter baby/baby.inter --out baby.ws
  mllmrec import mmrec --inter baby.inter --item-features visual=image_feat.npy --item-features audio=a.npy --out baby.ws`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			policy, err := f.policy()
			if err != nil {
				return err
			}
			ds, rep, err := mmrec.Read(cmd.Context(), mmrec.Options{Inter: inter, Name: f.name, Domain: f.domain, Encoding: f.encoding, Policy: policy})
			if err != nil {
				return err
			}
			if !ignore {
				f.features.take(inter, ds, rep)
			}
			return a.finish(cmd, &f, ds, rep, policy)
		},
	}
	f.register(cmd, dataset.SplitLabelled, 0)
	cmd.Flags().StringVar(&inter, "inter", "", "the .inter file, plain or gzip (required)")
	cmd.Flags().StringVar(&f.features.users, "user-features", "", "user vectors, M×d .npy")
	cmd.Flags().BoolVar(&ignore, "ignore-features", false, "leave "+mmrec.VisualFile+" and "+mmrec.TextFile+" beside the .inter file alone")
	required(cmd, "inter")
	return cmd
}

// take adds the files of vectors that lie beside an .inter file under the names that MMRec
// gives them, where the user has named none of their modality. The rows of such files belong to
// numbers: where ids are texts, nobody knows to which, so that they are left out.
func (f *features) take(inter string, ds *dataset.Dataset, rep *dataset.Report) {
	for _, found := range mmrec.FeatureFiles(inter) {
		switch {
		case f.items.has(found.Modality):
		case !mmrec.NumberedItems(ds):
			rep.Note("%s is left out: its rows belong to row numbers, and the item ids are none. Where its rows are in the order in which ids first appear, name it: --item-features %s=%s",
				found.Path, found.Modality, found.Path)
		default:
			f.items = append(f.items, importing.Features{Modality: found.Modality, Path: found.Path, Where: "beside the .inter file"})
		}
	}
}
