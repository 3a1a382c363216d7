package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/pipeline"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// aheadFlags look ahead before the whole stage is paid for.
type aheadFlags struct {
	author   *authorFlags
	estimate bool
	rate     float64
	sample   int
	page     string
}

func (f *aheadFlags) add(cmd *cobra.Command, author *authorFlags) {
	f.author = author
	cmd.Flags().BoolVar(&f.estimate, "estimate", false, "print what is left to do in tokens, cost and hours; ask nothing")
	cmd.Flags().Float64Var(&f.rate, "tokens-per-second", 0, "with --estimate: how fast one answer is written (default: as fast as those in the ledger)")
	cmd.Flags().IntVar(&f.sample, "sample", 0, "ask about so many only and show the answers side by side; --model and --prompts may be given several times")
	cmd.Flags().StringVar(&f.page, "page", "", "with --sample: HTML page to write (default: samples/<stage>.html in the workspace)")
}

func (f *aheadFlags) wanted() bool {
	return f.estimate || f.sample != 0 || f.rate != 0 || f.page != ""
}

func (a *app) lookAhead(cmd *cobra.Command, dir, stage string, f aheadFlags, opt pipeline.AuthorOptions, pref *pipeline.PreferenceOptions) error {
	if pref == nil {
		pref = &pipeline.PreferenceOptions{}
	}
	p, err := a.open(dir)
	if err != nil {
		return err
	}
	if opt.Workers {
		return usererr.New("Leave it out.", "--workers has no effect with --estimate and --sample: this process looks ahead by itself")
	}
	if f.estimate {
		return a.estimate(cmd, p, stage, f, opt, *pref)
	}
	switch {
	case f.rate != 0:
		return usererr.New("Give --estimate too.", "--tokens-per-second has no effect without --estimate")
	case f.sample <= 0:
		return usererr.New("", "--sample %d: give a positive number", f.sample)
	}
	sheet, err := p.Sample(cmd.Context(), stage, f.sample, f.author.each(), *pref)
	if err != nil {
		return err
	}
	page := f.page
	if page == "" {
		page = p.WS.Path("samples", stage+".html")
	}
	if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(page, func(w io.Writer) error { return sheet.WriteHTML(w) }); err != nil {
		return err
	}
	if a.json {
		for i := range sheet.Rows {
			sheet.Rows[i].Image.Data = nil // the page has it
		}
		return a.emit(map[string]any{"page": page, "columns": sheet.Columns, "rows": sheet.Rows})
	}
	if err := sheet.WriteText(a.stdout, a.width()); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "with pictures: %s\n", page)
	return nil
}

func (a *app) estimate(cmd *cobra.Command, p *pipeline.Pipeline, stage string, f aheadFlags, opt pipeline.AuthorOptions, pref pipeline.PreferenceOptions) error {
	if f.sample != 0 || f.page != "" {
		return usererr.New("", "--estimate and --sample exclude each other; give one")
	}
	if !(f.rate >= 0) {
		return usererr.New("", "--tokens-per-second %v: give a positive number", f.rate)
	}
	e, err := p.Estimate(cmd.Context(), stage, opt, pref, f.rate)
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(e)
	}
	if err := e.Write(a.stdout); err != nil {
		return err
	}
	if e.Answered > 0 {
		unseen := "the model's weights are"
		if stage == workspace.StageDescribe {
			unseen = "the pictures and the model's weights are"
		}
		fmt.Fprintf(a.stdout, "%-15s %d more, in the ledger already, if %s as they were\n", "answered", e.Answered, unseen)
	}
	switch {
	case e.Rate != "":
		fmt.Fprintf(a.stdout, "%-15s %s\n", "rate", e.Rate)
	case e.Hours == 0 && e.Requests > 0:
		fmt.Fprintf(a.stdout, "%-15s unknown: run a --sample first, or give --tokens-per-second\n", "time")
	}
	return nil
}

// width is that of the terminal, or of a page elsewhere.
func (a *app) width() int {
	if f, ok := a.stdout.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			return w
		}
	}
	return 100
}
