package writer

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

func sampleSheet() Sheet {
	hostile := `<script>alert(1)</script> "quoted" & ` + "\x1b[31mred"
	return Sheet{Title: "Samples of <describe>", Columns: []Column{{Name: "gemma3:27b", ID: "served/1"}, {Name: hostile}}, Rows: []Row{{
		Subject: "B001", Image: picture, Shown: []string{hostile},
		Cells: []Cell{{Text: "A red rattle of wood. " + strings.Repeat("It is soft. ", 20), PromptTokens: 300, AnswerTokens: 9, Seconds: 1.26},
			{Text: hostile, Failure: "refusal: it begins: i'm sorry"}},
	}, {Subject: "B002", Image: mllm.Image{Data: []byte("x"), MIME: `image/svg+xml`}, Cells: []Cell{{}, {}}}}}
}

func TestSheetsShowTextAsText(t *testing.T) {
	var page, text strings.Builder
	if err := sampleSheet().WriteHTML(&page); err != nil {
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
	if err := sampleSheet().WriteText(&text, 70); err != nil {
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

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		n, total int
		want     []int
	}{{3, 9, []int{1, 4, 7}}, {1, 10, []int{5}}, {5, 3, []int{0, 1, 2}}, {0, 3, []int{}}, {2, 0, []int{}}, {-1, 4, []int{}}} {
		if got := EvenlySpaced(c.n, c.total); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%d of %d: %v, want %v", c.n, c.total, got, c.want)
		}
	}
	last := -1
	for _, at := range EvenlySpaced(20, 7051) {
		if at <= last || at >= 7051 {
			t.Errorf("%d after %d", at, last)
		}
		last = at
	}
}
