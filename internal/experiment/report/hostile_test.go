package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"strings"
	"testing"
)

// Names come from plans and workspaces, which other people write.
func TestNamesAreNoFormulas(t *testing.T) {
	for cell, want := range map[string]string{
		"*=cmd()":                   "'*=cmd()",
		"**@SUM(A1)":                "'**@SUM(A1)",
		"-2+3+cmd|' /C calc'!A0":    "'-2+3+cmd|' /C calc'!A0",
		"+1*HYPERLINK(\"x\")":       "'+1*HYPERLINK(\"x\")",
		"\t=1":                      "'\t=1",
		" =1":                       "' =1",
		"＝1+1":                      "'＝1+1",
		"-0.5":                      "-0.5",
		"+0.0152 to +0.0422":        "+0.0152 to +0.0422",
		"−0.0010":                   "−0.0010",
		"−0.0100 to −0.0001":        "−0.0100 to −0.0001",
		"0.3032 ± 0.0001*":          "0.3032 ± 0.0001",
		"+0.1*":                     "+0.1",
		"86 %":                      "86 %",
		"model (leaky)":             "model (leaky)",
		"lr=0.01 reg_weight=0.0001": "lr=0.01 reg_weight=0.0001",
		"":                          "",
	} {
		var out bytes.Buffer
		if err := (&Table{Head: []string{"x", cell}}).CSV(&out); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil || rows[0][1] != want {
			t.Errorf("%q became %q, want %q (%v)", cell, rows, want, err)
		}
	}
}

// TeX takes a carriage return for the end of a line, and with it of a comment.
func TestNotesStayComments(t *testing.T) {
	var out bytes.Buffer
	if err := (&Table{Head: []string{"a\r\n\\input{x}"}, Note: "from\r\\input{secret}\n\\write18{x}"}).LaTeX(&out); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' || r == '\r' }) {
		if strings.Contains(line, `\input`) || strings.Contains(line, `\write18`) {
			if !strings.HasPrefix(line, "%") {
				t.Errorf("%q is carried out", line)
			}
		}
	}
	if strings.ContainsRune(out.String(), '\r') {
		t.Errorf("%q", out.String())
	}
}

func TestMarkdownShowsNamesAsTheyAre(t *testing.T) {
	p := &Page{Title: "a\r# b", Sections: []Section{{Title: "x", Command: "mllmrec compare a`b\n\n<script>x</script>", Table: &Table{Name: "t", Head: []string{"m"}, Rows: [][]string{{`\|<img src=x>`}, {"&lt;b&gt;"}, {"![x](y)"}}}}}}
	var out bytes.Buffer
	if err := p.Markdown(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"| &#92;\\|&lt;img src=x&gt; |", "| &amp;lt;b&amp;gt; |", `| !\[x\](y) |`, "# a # b\n", "`mllmrec compare ab <script>x</script>`\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
}

// Every name that a result can hold is text in every form.
func TestHostileNamesInEveryForm(t *testing.T) {
	p, err := Build([]string{written(t, "compare"), written(t, "sweep")}, Options{Published: "baby"})
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := p.HTML(&page); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(page.String(), "<script"); n != 0 {
		t.Errorf("%d scripts on the page", n)
	}
	for _, s := range p.Sections {
		if s.Figure != nil {
			if text := s.Figure.File() + s.Figure.Inline(); strings.Contains(text, "<script") {
				t.Errorf("a script in the figure of %s", s.Title)
			}
		}
		if t0 := s.Table; t0 != nil {
			var text, tex bytes.Buffer
			if err := errors.Join(t0.CSV(&text), t0.LaTeX(&tex)); err != nil {
				t.Errorf("%s: %v", s.Title, err)
			}
			if rows, err := csv.NewReader(&text).ReadAll(); err != nil || len(rows) != len(t0.Rows)+1 {
				t.Errorf("%s: %d rows of %d (%v)", s.Title, len(rows)-1, len(t0.Rows), err)
			}
			if got, want := strings.Count(tex.String(), `\\`+"\n"), len(t0.Rows)+1; got != want {
				t.Errorf("%s: %d rows of LaTeX, want %d", s.Title, got, want)
			}
		}
	}
}
