package report

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/experiment/figure"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"svg":   func(f *figure.Figure) template.HTML { return template.HTML(f.Inline()) }, // figures escape their own text
	"style": func() template.CSS { return template.CSS(figure.Style) },
	"words": func(t *Table, column int) bool { return slices.Contains(t.Words, column) },
	"best":  func(t *Table, row, column int) bool { at, ok := t.Best[column]; return ok && at == row },
}).Parse(pageSource))

// HTML writes the page: it loads nothing and runs nothing.
func (p *Page) HTML(w io.Writer) error {
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// Markdown writes the page for a repository or a wiki; figures lie beside it.
func (p *Page) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", markdown(p.Title))
	for _, v := range p.Verdict {
		fmt.Fprintf(&b, "%s\n\n", markdown(v))
	}
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "## %s\n\n", markdown(s.Title))
		for _, text := range s.Text {
			fmt.Fprintf(&b, "%s\n\n", markdown(text))
		}
		if s.Figure != nil {
			fmt.Fprintf(&b, "![%s](figures/%s.svg)\n\n", markdown(s.Title), fileName(s.Name))
			if s.Caption != "" {
				fmt.Fprintf(&b, "%s\n\n", markdown(s.Caption))
			}
		}
		if t := s.Table; t != nil {
			row := func(cells []string, n int) {
				for c, cell := range cells {
					cell = markdown(cell)
					if at, ok := t.Best[c]; ok && at == n {
						cell = "**" + cell + "**"
					}
					b.WriteString("| " + cell + " ")
				}
				b.WriteString("|\n")
			}
			row(t.Head, -1)
			b.WriteString(strings.Repeat("| --- ", len(t.Head)) + "|\n")
			for n, cells := range t.Rows {
				row(cells, n)
			}
			fmt.Fprintf(&b, "\n%s\n\n", markdown(t.Note))
		}
		if s.Command != "" {
			fmt.Fprintf(&b, "`%s`\n\n", strings.ReplaceAll(s.Command, "`", ""))
		}
	}
	if len(p.Missing) > 0 {
		b.WriteString("## Not in this report\n\n")
		for _, m := range p.Missing {
			fmt.Fprintf(&b, "- %s\n", markdown(m))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown keeps text from being taken for marks, tables or HTML.
func markdown(text string) string {
	return strings.NewReplacer("\n", " ", "|", `\|`, "<", "&lt;", ">", "&gt;", "*", `\*`, "`", "'", "[", `\[`, "]", `\]`).Replace(text)
}

// CSV writes the table. A cell that a spreadsheet would take for a formula gets an apostrophe.
func (t *Table) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	for _, cells := range append([][]string{t.Head}, t.Rows...) {
		var safe []string
		for _, cell := range cells {
			if cell != "" && strings.ContainsRune("=@\t\r", rune(cell[0])) || len(cell) > 1 && strings.ContainsRune("+-", rune(cell[0])) && !strings.ContainsRune("0123456789.", rune(cell[1])) {
				cell = "'" + cell
			}
			safe = append(safe, strings.Trim(cell, "*"))
		}
		if err := c.Write(safe); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// LaTeX writes the table for a paper.
func (t *Table) LaTeX(w io.Writer) error {
	var b strings.Builder
	columns := []byte("l" + strings.Repeat("r", len(t.Head)-1))
	for _, c := range t.Words {
		columns[c] = 'l'
	}
	fmt.Fprintf(&b, "\\begin{tabular}{%s}\n\\hline\n", columns)
	row := func(cells []string, n int) {
		for c, cell := range cells {
			if c > 0 {
				b.WriteString(" & ")
			}
			cell = latex(cell)
			if at, ok := t.Best[c]; ok && at == n {
				cell = `\textbf{` + cell + "}"
			}
			b.WriteString(cell)
		}
		b.WriteString(" \\\\\n")
	}
	row(t.Head, -1)
	b.WriteString("\\hline\n")
	for n, cells := range t.Rows {
		row(cells, n)
	}
	fmt.Fprintf(&b, "\\hline\n\\end{tabular}\n%% %s\n", strings.ReplaceAll(t.Note, "\n", " "))
	_, err := io.WriteString(w, b.String())
	return err
}

func latex(text string) string {
	return strings.NewReplacer(`\`, `\textbackslash{}`, "&", `\&`, "%", `\%`, "$", `\$`, "#", `\#`, "_", `\_`, "{", `\{`, "}", `\}`, "~", `\textasciitilde{}`, "^", `\textasciicircum{}`,
		"±", `$\pm$`, "−", "$-$", "×", `$\times$`, "*", "$^*$", "‖", `$\Vert$`, "′", "$'$", "–", "--").Replace(text)
}
