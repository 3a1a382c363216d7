// Package web holds the pages that people look at: their templates, and what fills them.
package web

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"

	"github.com/mllmrec/mllmrec/internal/mllm/openai"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
)

//go:embed sheet.html
var sheetPage string

var sheetTemplate = template.Must(template.New("sheet").Funcs(template.FuncMap{"picture": picture}).Parse(sheetPage))

// WriteSheet writes a sheet of samples as one page that loads nothing from elsewhere and
// runs nothing: what the answers and texts hold is text.
func WriteSheet(w io.Writer, s *writer.Sheet) error {
	if err := sheetTemplate.Execute(w, s); err != nil {
		return fmt.Errorf("write the page of samples: %w", err)
	}
	return nil
}

// picture is a row's picture as a data URI; empty without one.
func picture(r writer.Row) template.URL {
	if len(r.Image.Data) == 0 || !slices.Contains([]string{"image/jpeg", "image/png", "image/gif", "image/webp"}, r.Image.MIME) {
		return ""
	}
	return template.URL(openai.DataURI(r.Image)) // of a type known above, and base64
}
