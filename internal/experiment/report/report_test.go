package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/rng"
	"github.com/mllmrec/mllmrec/internal/significance"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const hostile = `<script>alert("x")</script>|=1+1`

// written is an experiment's folder: two models of which the first is surely ahead, a third that is not told apart and
// much cheaper, a model beside itself with the refined graph, a sweep.
func written(t *testing.T, kind string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), kind)
	row := func(entry string, valid, test, seconds float64) result.Row {
		r := result.Row{Data: "shop", Entry: entry, Model: "bpr", Trials: []string{"t-" + kind, "u"}, Valid: map[string]result.Spread{"recall@20": result.SpreadOf([]float64{valid, valid + 0.01})},
			Test: map[string]result.Spread{}, Chosen: map[string]string{"lr": "0.01"}, Cost: result.Cost{TrainSeconds: seconds, EpochSeconds: 1, Epochs: 5, MemoryBytes: 100 << 20},
			Curve:  []result.Point{{Epoch: 1, Valid: valid / 2}, {Epoch: 2, Valid: valid}},
			Slices: []result.Slice{{By: "popularity", Label: "0", Users: 3, Values: map[string]float64{"recall@20": 0.0123}}, {By: "history", Label: "1-2", Users: 7, Values: map[string]float64{"recall@20": test}}}}
		for _, m := range append(result.Metrics(), "coverage@20", "novelty@20", "gini@20") {
			r.Test[m] = result.SpreadOf([]float64{test, test + 0.002})
		}
		return r
	}
	contrast := func(other string, mean, half float64) (all []result.Contrast) {
		for _, m := range result.Metrics() {
			all = append(all, result.Contrast{Data: "shop", Winner: "best", Other: other, Metric: m, Users: 900, Tied: 0.9, Smallest: 0.004, Interval: significance.Interval{Mean: mean, Low: mean - half, High: mean + half}})
		}
		return all
	}
	r := &result.Result{Name: kind, Kind: kind, Command: "mllmrec " + kind + " shop.ws", Select: "recall@20", Protocol: "ours", Seeds: []uint64{1, 2}, Data: []result.Data{{Name: "shop", Users: 1000, Items: 50, TestUsers: 900, Similarities: []result.Similarity{
		{Vectors: hostile, Nearest: 10, Pairs: 200, Mean: 0.41, Bins: []result.Bin{{Low: 0, High: 0.5, Count: 150}, {Low: 0.5, High: 0.75, Count: 30}, {Low: 0.75, High: 1, Count: 20}}}, {Vectors: "empty"}}}},
		Rows:    []result.Row{row(hostile, 0.1, 0.09, 100), row("best", 0.3, 0.29, 100), row("cheap", 0.29, 0.288, 2), row("lattice", 0.1, 0.1, 9), row("lattice+GR", 0.12, 0.13, 9)},
		LeftOut: []result.LeftOut{{Data: "shop", Entry: "transitions", Reason: "no times"}}, Failed: []result.Failure{{Trial: "x-1", Data: "shop", Entry: "gume", Error: "the disk is full"}}}
	for _, c := range [][]result.Contrast{contrast("cheap", 0.002, 0.004), contrast(hostile, 0.2, 0.01), contrast("lattice", 0.19, 0.01), contrast("lattice+GR", 0.16, 0.01)} {
		r.Contrasts = append(r.Contrasts, c...)
	}
	if kind == "sweep" {
		for n := range r.Rows {
			r.Rows[n].Point = map[string]string{"k": []string{"5", "10", "20", "40", "80"}[n]}
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, result.TrialsDir, "t-"+kind), 0o755); err != nil {
		t.Fatal(err)
	}
	random, x := rng.Stream(1, "report", 0), tensor.New(40, 8)
	for i := range x.Data {
		x.Data[i] = float32(random.NormFloat64())
	}
	if err := arrayfile.WriteNPY(filepath.Join(dir, result.TrialsDir, "t-"+kind, result.VectorsFile), x); err != nil {
		t.Fatal(err)
	}
	if err := result.Write(filepath.Join(dir, result.File), r); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestThePageSaysWhatThereIs(t *testing.T) {
	p, err := Build([]string{written(t, "compare"), written(t, "sweep")}, Options{Published: "baby"})
	if err != nil {
		t.Fatal(err)
	}
	verdict := strings.Join(p.Verdict, "\n")
	for _, want := range []string{"best is the best on validation", "Whether it beats the next, cheap, cannot be told", "would have shown four times in five", "at less than a third of its training time: cheap (2.0 s)"} {
		if !strings.Contains(verdict, want) {
			t.Errorf("no %q in: %s", want, verdict)
		}
	}
	var titles []string
	for _, s := range p.Sections {
		titles = append(titles, s.Title)
		if s.Figure != nil && s.Name == "" {
			t.Errorf("the figure of %s has no name for its file", s.Title)
		}
		if s.Command == "" && !strings.HasPrefix(s.Title, "Reported") {
			t.Errorf("%s says no command that makes it", s.Title)
		}
	}
	all := strings.Join(titles, "; ")
	for _, want := range []string{"shop: compare", "How far ahead best is", "With the refined item graph (+GR)", "Training curves", "What it costs", "For whom", "What is shown", "Users' vectors", "Over k", "Reported by the paper: baby"} {
		if !strings.Contains(all, want) {
			t.Errorf("no section %q in %s", want, all)
		}
	}
	if missing := strings.Join(p.Missing, "\n"); !strings.Contains(missing, "no times") || !strings.Contains(missing, "the disk is full") || !strings.Contains(missing, "mllmrec ablate") || strings.Contains(missing, "mllmrec sweep") {
		t.Errorf("missing: %s", missing)
	}
	table := p.Sections[0].Table
	if table.Rows[0][0] != "best" || table.Best[3] != 0 || strings.HasSuffix(table.Rows[1][3], "*") || !strings.HasSuffix(table.Rows[2][3], "*") {
		t.Errorf("%q, best %v", table.Rows, table.Best)
	}
}

var outside = regexp.MustCompile(`(?i)(src|href|url\()\s*=?\s*["'(]?\s*(https?:)?//|@import|<script|<iframe|<link`)

func TestThePageLoadsAndRunsNothing(t *testing.T) {
	dir := written(t, "compare")
	p, err := Build([]string{dir}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var page, again, text bytes.Buffer
	if err := p.HTML(&page); err != nil {
		t.Fatal(err)
	}
	if found := outside.FindString(page.String()); found != "" {
		t.Errorf("the page holds %q", found)
	}
	if !strings.Contains(page.String(), "&lt;script&gt;") {
		t.Error("the hostile name is not shown as text")
	}
	if q, err := Build([]string{dir}, Options{}); err != nil || q.HTML(&again) != nil || again.String() != page.String() {
		t.Errorf("the page differs the second time (%v)", err)
	}
	if err := p.Markdown(&text); err != nil || strings.Contains(text.String(), "<script") || strings.Contains(text.String(), `</script>|=`) {
		t.Errorf("%v: %s", err, text.String())
	}
}

func TestTablesForOtherPrograms(t *testing.T) {
	table := &Table{Head: []string{"model", "R@20"}, Rows: [][]string{{"=cmd()", "0.1*"}, {"a_b & 100 %", "−0.1 ± 0.2"}, {"@x", "+0.5"}, {"-x", "-0.5"}}, Best: map[int]int{1: 1}, Note: "a\nb"}
	var out bytes.Buffer
	if err := table.CSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || rows[1][0] != "'=cmd()" || rows[1][1] != "0.1" || rows[3][0] != "'@x" || rows[3][1] != "+0.5" || rows[4][0] != "'-x" || rows[4][1] != "-0.5" {
		t.Errorf("%v: %q", err, rows)
	}
	out.Reset()
	if err := table.LaTeX(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), `\begin{tabular}{lr}`) {
		t.Errorf("columns: %s", out.String())
	}
	for _, want := range []string{`a\_b \& 100 \%`, `\textbf{$-$0.1 $\pm$ 0.2}`, "% a b"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
}

// Remarks are sentences: set flush right on one line, their ends would lie outside the page.
// The histogram is in shares, and the table says what a threshold drops; vectors without pairs have no section.
func TestHowAlikeItemsAre(t *testing.T) {
	p, err := Build([]string{written(t, "compare")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var found []Section
	for _, s := range p.Sections {
		if strings.HasPrefix(s.Title, "How alike") {
			found = append(found, s)
		}
	}
	if len(found) != 1 || found[0].Figure == nil {
		t.Fatalf("%d sections: %+v", len(found), found)
	}
	if table := found[0].Table; strings.Join(table.Head, " ") != "threshold 0.50" || table.Rows[0][1] != "75.0 %" {
		t.Errorf("%+v", table)
	}
	if strings.Contains(strings.Join(p.Missing, "\n"), "Figure 1b") {
		t.Error("what is there is listed as missing")
	}
	dir := written(t, "compare")
	r, err := result.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	r.Data[0].Similarities = nil
	if err := result.Write(filepath.Join(dir, result.File), r); err != nil {
		t.Fatal(err)
	}
	if p, err = Build([]string{dir}, Options{}); err != nil || !strings.Contains(strings.Join(p.Missing, "\n"), "Figure 1b") {
		t.Errorf("%v: what is not there is not listed: %v", err, p.Missing)
	}
}

func TestColdItemsAreCalledSo(t *testing.T) {
	p, err := Build([]string{written(t, "compare")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Sections {
		if s.Title == "For whom" {
			if s.Table.Head[1] != "cold items (3)" || s.Table.Head[2] != "history 1-2 (7)" || s.Table.Rows[0][1] != "0.0123" {
				t.Errorf("%q %q", s.Table.Head, s.Table.Rows[0])
			}
			return
		}
	}
	t.Error("no slices")
}

func TestColumnsOfWordsMayBreak(t *testing.T) {
	p, err := Build([]string{written(t, "compare")}, Options{Published: "baby"})
	if err != nil {
		t.Fatal(err)
	}
	var page, tex bytes.Buffer
	reported := p.Sections[len(p.Sections)-1].Table
	if err := errors.Join(p.HTML(&page), reported.LaTeX(&tex)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<td class="words">no public code</td>`, `<th scope="col" class="words">remark</th>`, `<td class="words">lr=0.01</td>`, `<td>0.1096</td>`} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %s on the page", want)
		}
	}
	if !strings.HasPrefix(tex.String(), `\begin{tabular}{lrrrrll}`) {
		t.Errorf("columns: %.40s", tex.String())
	}
}

func TestReportsOfNothing(t *testing.T) {
	for _, c := range []struct {
		dirs []string
		opt  Options
	}{{[]string{t.TempDir()}, Options{}}, {[]string{written(t, "compare")}, Options{Published: "books"}}} {
		if _, err := Build(c.dirs, c.opt); err == nil {
			t.Error("a report of nothing")
		} else if _, ok := usererr.Hint(err); !ok {
			t.Errorf("no hint: %v", err)
		}
	}
}

func TestAllFormsAreWritten(t *testing.T) {
	p, err := Build([]string{written(t, "compare")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := p.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"index.html", "report.md", "*.csv", "*.tex", "figures/*.svg", "figures/*.png", "figures/compare-shop-similarity-1.png"} {
		if found, _ := filepath.Glob(filepath.Join(dir, pattern)); len(found) == 0 {
			t.Errorf("no %s", pattern)
		}
	}
}
