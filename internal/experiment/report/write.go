package report

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
)

// Write writes the page in all forms into a folder and returns the path of the HTML page.
func (p *Page) Write(dir string) (string, error) {
	if err := os.MkdirAll(filepath.Join(dir, "figures"), 0o755); err != nil {
		return "", err
	}
	index := filepath.Join(dir, "index.html")
	files := map[string]func(io.Writer) error{index: p.HTML, filepath.Join(dir, "report.md"): p.Markdown}
	for _, s := range p.Sections {
		if s.Figure != nil {
			text := s.Figure.File()
			files[filepath.Join(dir, "figures", fileName(s.Name)+".png")] = s.Figure.PNG
			files[filepath.Join(dir, "figures", fileName(s.Name)+".svg")] = func(w io.Writer) error {
				_, err := io.WriteString(w, text)
				return err
			}
		}
		if t := s.Table; t != nil {
			files[filepath.Join(dir, fileName(t.Name)+".csv")] = t.CSV
			files[filepath.Join(dir, fileName(t.Name)+".tex")] = t.LaTeX
		}
	}
	for path, write := range files { // in any order: each is a file of its own
		if err := atomicfile.Write(path, write); err != nil {
			return "", err
		}
	}
	return index, nil
}

// fileName makes a name of letters, digits and hyphens.
func fileName(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name), "-")
}
