package writer

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// Sheet shows answers of several models, or to several prompts, side by side, so that a
// person can choose between them before the whole catalogue is paid for.
type Sheet struct {
	Title   string
	Columns []Column
	Rows    []Row
}

// Column is one describer or reasoner.
type Column struct {
	Name string // such as "gemma3:27b" or the name of a folder of prompts
	ID   string // of the describer or reasoner
}

// Row is one item or user.
type Row struct {
	Subject string
	Image   mllm.Image // of an item; may be empty
	Shown   []string   // what the model was given, a line each
	Cells   []Cell     // one for each column
}

// Cell is one answer, or the failure to get one.
type Cell struct {
	Text                       string
	Failure                    string // why there is no answer; empty if there is one
	PromptTokens, AnswerTokens int
	Seconds                    float64
}

// Words counts the words of the answer as the checks of answers do.
func (c Cell) Words() int { return check.Words(c.Text) }

// Picture is the row's picture as a data URI; empty without one.
func (r Row) Picture() template.URL {
	if len(r.Image.Data) == 0 || !slices.Contains([]string{"image/jpeg", "image/png", "image/gif", "image/webp"}, r.Image.MIME) {
		return ""
	}
	return template.URL(openai.DataURI(r.Image)) // of a type known above, and base64
}

// EvenlySpaced returns n of the positions 0 to total-1, evenly spaced and ascending: the
// middles of n ranges of equal length. If n is total or more, it returns all positions.
func EvenlySpaced(n, total int) []int {
	n = max(min(n, total), 0)
	out := make([]int, n)
	for i := range out {
		out[i] = int((2*int64(i) + 1) * int64(total) / (2 * int64(n)))
	}
	return out
}

//go:embed sheet.html
var sheetPage string

var sheetTemplate = template.Must(template.New("sheet").Parse(sheetPage))

// WriteHTML writes the sheet as one page that loads nothing from elsewhere and runs
// nothing: what the answers and texts hold is text.
func (s Sheet) WriteHTML(w io.Writer) error {
	if err := sheetTemplate.Execute(w, s); err != nil {
		return fmt.Errorf("write the page of samples: %w", err)
	}
	return nil
}

// WriteText writes the sheet for a terminal, width characters wide, one answer below the
// other.
func (s Sheet) WriteText(w io.Writer, width int) error {
	width = max(width, 40)
	label := 0
	for _, c := range s.Columns {
		label = max(label, utf8.RuneCountInString(texts.Clean(c.Name)))
	}
	label = min(label, width/3)
	var b strings.Builder
	for _, row := range s.Rows {
		fmt.Fprintf(&b, "%s\n", texts.Clean(row.Subject))
		for i, cell := range row.Cells {
			name := ""
			if i < len(s.Columns) {
				name = clip(texts.Clean(s.Columns[i].Name), label)
			}
			text := texts.Clean(cell.Text)
			if cell.Failure != "" {
				text = strings.TrimSpace("! " + texts.Clean(cell.Failure) + " " + text)
			}
			for _, line := range wrap(text, width-label-4) {
				fmt.Fprintf(&b, "  %s  %s\n", name+strings.Repeat(" ", label-utf8.RuneCountInString(name)), line)
				name = ""
			}
		}
		b.WriteByte('\n')
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the samples: %w", err)
	}
	return nil
}

// wrap breaks text at blanks into lines of at most width characters where it can.
func wrap(text string, width int) []string {
	lines := []string{""}
	length := 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch last := len(lines) - 1; {
		case length == 0:
			lines[last], length = word, n
		case length+1+n > width:
			lines, length = append(lines, word), n
		default:
			lines[last] += " " + word
			length += 1 + n
		}
	}
	return lines
}

func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
