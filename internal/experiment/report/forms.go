package report

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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
			fmt.Fprintf(&b, "`%s`\n\n", strings.ReplaceAll(oneLine(s.Command), "`", ""))
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
	return strings.NewReplacer(`\`, "&#92;", "&", "&amp;", "|", `\|`, "<", "&lt;", ">", "&gt;", "*", `\*`, "`", "'", "[", `\[`, "]", `\]`).Replace(oneLine(text))
}

// oneLine puts a space for whatever some program takes for the end of a line.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }), " ")
}

// number is a number as tables have them: with a sign, a spread, as an interval, in per cent.
var number = regexp.MustCompile(`^[+\-−]?[0-9.]+(e[+\-]?[0-9]+)?( (±|to) [+\-−]?[0-9.]+)?( %)?$`)

// CSV writes the table, without the marks of significance. A cell that a spreadsheet would take for a formula, even
// after dropping what stands before it, gets an apostrophe.
func (t *Table) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	for _, cells := range append([][]string{t.Head}, t.Rows...) {
		var safe []string
		for _, cell := range cells {
			cell = strings.TrimSuffix(cell, "*")
			begin, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, "* \t\r\n"))
			if strings.ContainsRune("=@+-|＝＠＋－", begin) && !number.MatchString(cell) {
				cell = "'" + cell
			}
			safe = append(safe, cell)
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
	fmt.Fprintf(&b, "\\hline\n\\end{tabular}\n%% %s\n", oneLine(t.Note))
	_, err := io.WriteString(w, b.String())
	return err
}

func latex(text string) string {
	return strings.NewReplacer(`\`, `\textbackslash{}`, "&", `\&`, "%", `\%`, "$", `\$`, "#", `\#`, "_", `\_`, "{", `\{`, "}", `\}`, "~", `\textasciitilde{}`, "^", `\textasciicircum{}`,
		"±", `$\pm$`, "−", "$-$", "×", `$\times$`, "*", "$^*$", "‖", `$\Vert$`, "′", "$'$", "–", "--",
		"<", `\textless{}`, ">", `\textgreater{}`, "|", `\textbar{}`).Replace(oneLine(text))
}
