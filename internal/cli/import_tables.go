package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/tables"
)

func (a *app) importTablesCmd() *cobra.Command {
	var f importFlags
	var opt tables.Options
	cmd := &cobra.Command{
		Use:   "tables",
		Short: "Your own tables: CSV, TSV, JSON lines, a JSON array or Parquet",
		Long: `Tables reads a table of interactions (user, item, and where they are there time, rating,
label) and, if given, one of items (item, and where they are there title, brand,
categories, description, image). Columns of other names are mapped by flags; a column
named by a flag must be there; a member of a JSON object or a Parquet group is named as
group.member. All but Parquet may be gzipped.

What separates the fields of a CSV file is found out from its first line. Times are unix
seconds, milliseconds, microseconds or nanoseconds (told by their size; a file that mixes
them is refused), RFC 3339, or dates with or without time and zone. NaN, NA, null, None and
the like stand for a missing value. See docs/reference/formats.md.`,
		Example: `  mllmrec import tables --interactions clicks.csv --user-column customer --item-column sku \
      --items catalogue.parquet --items-item-column sku --title-column name --out shop.ws`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			policy, err := f.policy()
			if err != nil {
				return err
			}
			opt.Name, opt.Domain, opt.Encoding, opt.Policy = f.name, f.domain, f.encoding, policy
			ds, rep, err := tables.Read(cmd.Context(), opt)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("split") && ds.Split == dataset.SplitLabelled {
				f.split = dataset.SplitLabelled
			}
			if !cmd.Flags().Changed("k-core") && ds.Split == dataset.SplitLabelled {
				f.kcore = 0 // the file's own filtering stands, as for every labelled source
			}
			return a.finish(cmd, &f, ds, rep, policy)
		},
	}
	f.register(cmd, dataset.SplitByRandom, 5)
	fl := cmd.Flags()
	fl.StringVar(&opt.Interactions, "interactions", "", "table of interactions (required)")
	fl.StringVar((*string)(&opt.InteractionsFormat), "interactions-format", "", "csv, tsv, jsonl or parquet (default: by the file's name)")
	fl.StringVar(&opt.Items, "items", "", "table of items")
	fl.StringVar((*string)(&opt.ItemsFormat), "items-format", "", "csv, tsv, jsonl or parquet (default: by the file's name)")
	fl.StringVar(&opt.Columns.User, "user-column", "", "user id (default: user)")
	fl.StringVar(&opt.Columns.Item, "item-column", "", "item id in the interactions (default: item)")
	fl.StringVar(&opt.Columns.Time, "time-column", "", "time: unix seconds to nanoseconds, RFC 3339, or a date with or without time and zone")
	fl.StringVar(&opt.Columns.Rating, "rating-column", "", "rating; kept, never a weight")
	fl.StringVar(&opt.Columns.Label, "label-column", "", "split label: 0, 1, 2 or train, valid, test")
	fl.StringVar(&opt.ItemColumns.Item, "items-item-column", "", "item id in the items (default: item)")
	fl.StringVar(&opt.ItemColumns.Title, "title-column", "", "title")
	fl.StringVar(&opt.ItemColumns.Brand, "brand-column", "", "brand")
	fl.StringVar(&opt.ItemColumns.Categories, "categories-column", "", "categories, general to special: a list of texts or named things, or text split at --category-separator")
	fl.StringVar(&opt.ItemColumns.Description, "description-column", "", "description")
	fl.StringVar(&opt.ItemColumns.Image, "image-column", "", "image: path, URL, data URI or the picture itself")
	fl.StringVar(&opt.ItemColumns.Price, "price-column", "", "price: a number, or text such as $12.99")
	fl.StringVar(&opt.CategorySeparator, "category-separator", "|", "between categories in one text")
	fl.StringVar(&opt.Separator, "separator", "", "CSV, TSV: between fields: one character, or tab, comma, semicolon, pipe (default: found out)")
	fl.StringVar(&opt.Quote, "quote", "", "CSV, TSV: what a quotation mark at the start of a field means: double (it quotes), none (a character as others) or auto (default: auto)")
	fl.StringVar(&opt.ItemsEncoding, "items-encoding", "", "encoding of the table of items, where it is another (default: --encoding)")
	fl.StringVar(&opt.ImageDir, "images", "", "folder that relative image paths start from (default: the items file's)")
	fl.BoolVar(&opt.NoHeader, "no-header", false, "CSV, TSV: no header line; columns are called 1, 2, 3, …")
	fl.BoolVar(&opt.KeepUnseen, "keep-unseen", false, "keep items nobody chose")
	required(cmd, "interactions")
	return cmd
}
