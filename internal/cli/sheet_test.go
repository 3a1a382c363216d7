package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

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

func TestSheetsFitTheTerminal(t *testing.T) {
	var text strings.Builder
	if err := writeSheet(&text, sampleSheet(), 70); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		if utf8.RuneCountInString(line) > 71 || strings.Contains(line, "\x1b") {
			t.Errorf("%q", line)
		}
	}
	if !strings.Contains(text.String(), "  gemma3:27b") || !strings.Contains(text.String(), "! refusal:") {
		t.Error(text.String())
	}
}
