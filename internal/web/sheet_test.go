package web

import (
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
)

func sampleSheet() *writer.Sheet {
	hostile := `<script>alert(1)</script> "quoted" & ` + "\x1b[31mred"
	return &writer.Sheet{Title: "Samples of <describe>", Columns: []writer.Column{{Name: "gemma3:27b", ID: "served/1"}, {Name: hostile}}, Rows: []writer.Row{{
		Subject: "B001", Image: mllm.Image{Data: []byte("bytes"), MIME: "image/jpeg"}, Shown: []string{hostile},
		Cells: []writer.Cell{{Text: "A red rattle of wood. " + strings.Repeat("It is soft. ", 20), PromptTokens: 300, AnswerTokens: 9, Seconds: 1.26},
			{Text: hostile, Failure: "refusal: it begins: i'm sorry"}},
	}, {Subject: "B002", Image: mllm.Image{Data: []byte("x"), MIME: `image/svg+xml`}, Cells: []writer.Cell{{}, {}}}}}
}

func TestSheetsShowTextAsText(t *testing.T) {
	var page strings.Builder
	if err := WriteSheet(&page, sampleSheet()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A red rattle of wood.", "65 words, 300 + 9 tokens, 1.3 s", "refusal: it begins", `src="data:image/jpeg;base64,Ynl0ZXM="`, "&lt;script&gt;"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %s in the page", want)
		}
	}
	if strings.Contains(page.String(), "<script") || strings.Contains(page.String(), "svg") || strings.Count(page.String(), "<img") != 1 {
		t.Error(page.String())
	}
}
