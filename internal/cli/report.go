package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/experiment/report"
)

func (a *app) reportCmd() *cobra.Command {
	var out, paper string
	cmd := &cobra.Command{
		Use:   "report DIR...",
		Short: "What experiments showed, as one page, and as Markdown, CSV, LaTeX, SVG and PNG",
		Long: `Report draws the results of 'mllmrec compare', 'ablate' and 'sweep' that lie in the folders given:
a verdict in words, tables with intervals, the points of a sweep, training curves, how
alike items are by their vectors, what each model costs, for whom it works, what its lists
are made of, and where users' vectors lie.
The page loads nothing and runs nothing. What is not there is listed with the command that
would bring it.

--published adds the paper's own table for a data set, as reported, with what is known to be
wrong with it.`,
		Example: `  mllmrec report shop.ws/experiments/compare
  mllmrec report baby.ws/experiments/compare baby.ws/experiments/ablate --published baby --out report`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" {
				out = filepath.Join(args[0], "report")
			}
			page, err := report.Build(args, report.Options{Published: paper})
			if err != nil {
				return err
			}
			index, err := page.Write(out)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(map[string]any{"page": index, "verdict": page.Verdict, "missing": page.Missing})
			}
			for _, v := range page.Verdict {
				fmt.Fprintln(a.stdout, printable(v))
			}
			fmt.Fprintf(a.stdout, "\nreport: %s\n", index)
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder of the report (default: report in the first folder given)")
	cmd.Flags().StringVar(&paper, "published", "", "data set of the paper whose reported rows are added: baby, sports or clothing")
	return cmd
}
