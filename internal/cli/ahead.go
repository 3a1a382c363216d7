package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/web"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func limitFlag(cmd *cobra.Command, limit *int) {
	cmd.Flags().IntVar(limit, "limit", 0, "largest number of questions; the others stay for the next run")
}

// checkAsking refuses options that cannot work before anything is opened.
func (a *app) checkAsking(set *option.Set, limit int) error {
	if limit < 0 {
		return usererr.New("Leave it out for all.", "--limit %d", limit)
	}
	return a.check(set)
}

// aheadFlags look ahead before the whole stage is paid for.
type aheadFlags struct {
	estimate bool
	rate     float64
	sample   int
	page     string
}

const aheadGroup = "Looking ahead"

func (f *aheadFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.estimate, "estimate", false, "print what is left to do in tokens, cost and hours; ask nothing")
	flags.Float64Var(&f.rate, "tokens-per-second", 0, "with --estimate: speed of one answer (default: that of the answers in the ledger)")
	flags.IntVar(&f.sample, "sample", 0, "number of items or users to ask about, to show the answers side by side; --mllm-model and --prompts may be given several times")
	flags.StringVar(&f.page, "page", "", "with --sample: HTML page to write (default: samples/<stage>.html in the workspace)")
	for _, name := range []string{"estimate", "tokens-per-second", "sample", "page"} {
		flags.Lookup(name).Annotations = map[string][]string{groupNote: {aheadGroup}}
	}
}

func (f *aheadFlags) wanted() bool {
	return f.estimate || f.sample != 0 || f.rate != 0 || f.page != ""
}

// look is how a stage looks ahead.
type look struct {
	estimate func(*stage.Session) (*asking.Estimate, error)
	sample   func(*stage.Session) (*writer.Sheet, error)
}

func (a *app) lookAhead(_ *cobra.Command, dir, name string, f aheadFlags, opt backend.Options, by look) error {
	s, err := a.open(dir)
	if err != nil {
		return err
	}
	if opt.Shared.Workers {
		return usererr.New("Leave it out.", "--workers has no effect with --estimate and --sample: this process looks ahead by itself")
	}
	if f.estimate {
		return a.estimate(s, name, f, by)
	}
	switch {
	case f.rate != 0:
		return usererr.New("Give --estimate too.", "--tokens-per-second has no effect without --estimate")
	case f.sample <= 0:
		return usererr.New("", "--sample %d: give a positive number", f.sample)
	}
	sheet, err := by.sample(s)
	if err != nil {
		return err
	}
	page := f.page
	if page == "" {
		if err := s.WS.MakeFolder("samples"); err != nil {
			return err
		}
		if page, err = s.WS.Place("samples/" + name + ".html"); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(page, func(w io.Writer) error { return web.WriteSheet(w, sheet) }); err != nil {
		return err
	}
	if a.json {
		for i := range sheet.Rows {
			sheet.Rows[i].Image.Data = nil // the page has it
		}
		return a.emit(map[string]any{"page": page, "columns": sheet.Columns, "rows": sheet.Rows})
	}
	if err := writeSheet(a.stdout, sheet, a.width()); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "with pictures: %s\n", page)
	return nil
}

func (a *app) estimate(s *stage.Session, name string, f aheadFlags, by look) error {
	if f.sample != 0 || f.page != "" {
		return usererr.New("", "--estimate and --sample exclude each other; give one")
	}
	if !(f.rate >= 0) {
		return usererr.New("", "--tokens-per-second %v: give a positive number", f.rate)
	}
	e, err := by.estimate(s)
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(e)
	}
	if err := writeEstimate(a.stdout, e.Estimate); err != nil {
		return err
	}
	if e.Answered > 0 {
		unseen := "the model's weights are"
		if name == workspace.StageDescribe {
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
	if f, ok := a.stdout.(described); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			return w
		}
	}
	return 100
}
