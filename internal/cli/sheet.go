package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
)

// writeSheet writes a sheet of samples for a terminal, width characters wide, one answer
// below the other.
func writeSheet(w io.Writer, s *writer.Sheet, width int) error {
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
				name = shorten(texts.Clean(s.Columns[i].Name), label)
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

func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
