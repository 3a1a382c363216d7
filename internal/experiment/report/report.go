// Package report writes what experiments showed as one page that loads nothing, and the same as Markdown, CSV, LaTeX
// and SVG files: a verdict in words first, then tables and figures, each with the command that makes it.
package report

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/internal/experiment/figure"
	"github.com/mllmrec/mllmrec/internal/experiment/published"
	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/experiment/tsne"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Page is a report before it is written in some form.
type Page struct {
	Title    string
	Verdict  []string
	Sections []Section
	Missing  []string // what is not there, and the command that would bring it
}

// Section is a heading with what belongs below it.
type Section struct {
	Title   string
	Text    []string
	Table   *Table
	Figure  *figure.Figure
	Name    string // of the figure's file
	Caption string
	Command string // that makes it
}

// Table has text in its first column and mostly numbers in the others.
type Table struct {
	Name string
	Head []string
	Rows [][]string
	Best map[int]int // column → row with the best number, which is set bold
	Note string
	// Words are the columns of words beside the first: they are set flush left and may break over lines.
	Words []int
}

// Options of a report.
type Options struct {
	Published string // data set of the paper whose reported rows are shown; "" = none
}

// Build puts a report together from the folders of experiments.
func Build(dirs []string, opt Options) (*Page, error) {
	if opt.Published != "" && published.Table(opt.Published) == nil {
		return nil, usererr.New("The paper has "+strings.Join(published.Datasets(), ", ")+".", "the paper's table has no data set %q", opt.Published)
	}
	p := &Page{}
	var titles []string
	have, alike := map[string]bool{}, false
	for _, dir := range dirs {
		r, err := result.Read(dir)
		if err != nil {
			return nil, usererr.Wrap(fmt.Errorf("read the experiment in %s: %w", dir, err), "Name the folder of results of 'mllmrec compare', 'ablate' or 'sweep', one that has come to its end.")
		}
		titles = append(titles, r.Name)
		have[r.Kind] = true
		for _, d := range r.Data {
			b := &builder{page: p, dir: dir, r: r, data: d, rows: rowsOf(r, d.Name)}
			if err := b.sections(); err != nil {
				return nil, err
			}
		}
		alike = alike || slices.ContainsFunc(r.Data, func(d result.Data) bool { return len(d.Similarities) > 0 })
		p.leftOut(r)
	}
	p.Title = strings.Join(titles, ", ")
	if opt.Published != "" {
		p.reported(opt.Published)
	}
	if !alike {
		p.Missing = append(p.Missing, "How alike neighbouring items are (Figure 1b): no entry read item vectors, or there are too many items; 'mllmrec compare WS --models mllmrec'")
	}
	for _, missing := range [][2]string{{"ablate", "Variants of the paper's model (Table 2): 'mllmrec ablate WS'"},
		{"sweep", "A grid of settings (Figures 4 and 5): 'mllmrec sweep WS --over ...'"}} {
		if !have[missing[0]] {
			p.Missing = append(p.Missing, missing[1])
		}
	}
	return p, nil
}

// rowsOf are the rows of a data set, the best on validation first.
func rowsOf(r *result.Result, data string) (rows []result.Row) {
	for _, row := range r.Rows {
		if row.Data == data {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b result.Row) int {
		return cmp.Compare(b.Valid[r.Select].Mean, a.Valid[r.Select].Mean)
	})
	return rows
}

// builder adds the sections of one data set of one experiment.
type builder struct {
	page *Page
	dir  string
	r    *result.Result
	data result.Data
	rows []result.Row
}

func (b *builder) add(s Section) {
	s.Command = b.r.Command
	if s.Name != "" {
		s.Name = b.r.Name + "-" + b.data.Name + "-" + s.Name
	}
	b.page.Sections = append(b.page.Sections, s)
}

func (b *builder) sections() error {
	if len(b.rows) == 0 {
		return nil
	}
	b.verdict()
	b.mainTable()
	b.contrasts()
	b.similarities()
	if b.r.Kind == "sweep" {
		b.sweep()
	}
	b.refined()
	b.curves()
	b.cost()
	b.slices()
	b.lists()
	if b.r.Kind == "sweep" { // one model at many points: where its users lie says little, and takes long
		return nil
	}
	return b.clouds()
}

// of finds a contrast with another entry in one metric.
func (b *builder) of(other, metric string) (result.Contrast, bool) {
	for _, c := range b.r.Contrasts {
		if c.Data == b.data.Name && c.Other == other && c.Metric == metric {
			return c, true
		}
	}
	return result.Contrast{}, false
}

// verdict says in words what the table shows.
func (b *builder) verdict() {
	first := b.rows[0]
	say := func(format string, args ...any) {
		b.page.Verdict = append(b.page.Verdict, fmt.Sprintf(format, args...))
	}
	seeds := "one seed"
	if n := len(first.Trials); n > 1 {
		seeds = fmt.Sprintf("the mean of %d seeds", n)
	}
	say("On %s, %s is the best on validation (%s %.4f) and has Recall@20 %.4f and NDCG@20 %.4f on test, %s; training takes %s and %s.", b.data.Name, first.Entry,
		b.r.Select, first.Valid[b.r.Select].Mean, first.Test["recall@20"].Mean, first.Test["ndcg@20"].Mean, seeds, duration(first.Cost.TrainSeconds), memory(first.Cost.MemoryBytes))
	if first.Leaky {
		say("It was shown test interactions: its numbers are no estimate of quality.")
	}
	if len(b.rows) < 2 {
		return
	}
	if c, ok := b.of(b.rows[1].Entry, "recall@20"); ok {
		switch {
		case c.Interval.Low > 0:
			say("It beats the next, %s, by %.4f Recall@20 on test (95 %% interval %.4f to %.4f over %d users).", c.Other, c.Interval.Mean, c.Interval.Low, c.Interval.High, c.Users)
		case c.Interval.High < 0:
			say("On test the next, %s, is ahead of it by %.4f (95 %% interval %.4f to %.4f): validation and test disagree.", c.Other, -c.Interval.Mean, -c.Interval.High, -c.Interval.Low)
		default:
			say("Whether it beats the next, %s, cannot be told: the difference in Recall@20 is %+.4f (95 %% interval %+.4f to %+.4f); a true difference of %.4f would have shown four times in five.",
				c.Other, c.Interval.Mean, c.Interval.Low, c.Interval.High, c.Smallest)
		}
	}
	var cheaper []string
	for _, row := range b.rows[1:] {
		if c, ok := b.of(row.Entry, "recall@20"); ok && c.Interval.Low <= 0 && row.Cost.TrainSeconds < first.Cost.TrainSeconds/3 {
			cheaper = append(cheaper, fmt.Sprintf("%s (%s)", row.Entry, duration(row.Cost.TrainSeconds)))
		}
	}
	if len(cheaper) > 0 {
		say("Not told apart from it, at less than a third of its training time: %s.", strings.Join(cheaper, ", "))
	}
}

// mainTable is Table 1: all entries, the best of each column bold, with marks where the winner is surely ahead.
func (b *builder) mainTable() {
	t := &Table{Name: b.r.Name + "-" + b.data.Name, Head: []string{"model", "valid " + b.r.Select, "R@10", "R@20", "N@10", "N@20", "chosen on validation"}, Best: map[int]int{}, Words: []int{6},
		Note: fmt.Sprintf("Test, full ranking, %d users%s. * the 95 %% interval of the difference from %s excludes 0. Bold: the largest in its column.",
			b.data.TestUsers, overSeeds(b.r), b.rows[0].Entry)}
	for n, row := range b.rows {
		name := row.Entry
		if row.Leaky {
			name += " (leaky)"
		}
		cells := []string{name, spread(row.Valid[b.r.Select])}
		for k, metric := range result.Metrics() {
			text := spread(row.Test[metric])
			if c, ok := b.of(row.Entry, metric); ok && (c.Interval.Low > 0 || c.Interval.High < 0) {
				text += "*"
			}
			cells = append(cells, text)
			if best, ok := t.Best[k+2]; !ok || row.Test[metric].Mean > b.rows[best].Test[metric].Mean {
				t.Best[k+2] = n
			}
		}
		t.Rows = append(t.Rows, append(cells, pairs(row.Chosen)))
	}
	b.add(Section{Title: fmt.Sprintf("%s: %s", b.data.Name, b.r.Name), Table: t, Text: []string{fmt.Sprintf("%d users, %d items, %d interactions, split %s.", b.data.Users, b.data.Items, b.data.Interactions, b.data.Split)}})
}

// contrasts draws how far every entry is behind the winner.
func (b *builder) contrasts() {
	var rows []figure.Row
	t := &Table{Name: b.r.Name + "-" + b.data.Name + "-contrasts", Head: []string{"less", "metric", "difference", "95 % interval", "smallest found", "tied", "p (t, Holm)", "p (Wilcoxon)", "p (Pratt)"}, Words: []int{1},
		Note: "Tied: users whom both serve alike. Smallest found: a true difference that this many users show four times in five. Wilcoxon leaves ties out, Pratt ranks them."}
	for _, row := range b.rows[1:] {
		for _, metric := range []string{"recall@20", "ndcg@20"} {
			c, ok := b.of(row.Entry, metric)
			if !ok {
				continue
			}
			if metric == "recall@20" {
				rows = append(rows, figure.Row{Label: row.Entry, Value: c.Interval.Mean, Low: c.Interval.Low, High: c.Interval.High, Emphasised: c.Interval.Low > 0})
			}
			t.Rows = append(t.Rows, []string{row.Entry, metric, signed(c.Interval.Mean), signed(c.Interval.Low) + " to " + signed(c.Interval.High), fmt.Sprintf("%.4f", c.Smallest),
				fmt.Sprintf("%.0f %%", 100*c.Tied), small(c.Holm), small(c.Wilcoxon), small(c.Pratt)})
		}
	}
	if len(rows) == 0 {
		return
	}
	b.add(Section{Title: "How far ahead " + b.rows[0].Entry + " is", Figure: figure.Dots("Recall@20 of "+b.rows[0].Entry+" less that of the other", rows), Name: "ahead",
		Caption: "Mean difference over users with its 95 % bootstrap interval; filled where the interval lies above 0.", Table: t})
}

// sweep draws the points of a grid: a chart of one thing, a table of cells of two.
func (b *builder) sweep() {
	keys := map[string][]string{}
	for _, row := range b.rows {
		for key, value := range row.Point {
			if !slices.Contains(keys[key], value) {
				keys[key] = append(keys[key], value)
			}
		}
	}
	var names []string
	for key, values := range keys {
		names = append(names, key)
		slices.SortFunc(values, byNumber)
	}
	slices.Sort(names)
	at := func(want map[string]string) float64 {
		for _, row := range b.rows {
			same := true
			for k, v := range want {
				same = same && row.Point[k] == v
			}
			if same {
				return row.Test["recall@20"].Mean
			}
		}
		return math.NaN()
	}
	switch len(names) {
	case 1:
		s := figure.Series{Label: "test Recall@20"}
		valid := figure.Series{Label: "valid " + b.r.Select}
		for n, v := range keys[names[0]] {
			x := float64(n)
			if number, err := strconv.ParseFloat(v, 64); err == nil {
				x = number
			}
			s.X, s.Y = append(s.X, x), append(s.Y, at(map[string]string{names[0]: v}))
			for _, row := range b.rows {
				if row.Point[names[0]] == v {
					valid.X, valid.Y = append(valid.X, x), append(valid.Y, row.Valid[b.r.Select].Mean)
				}
			}
		}
		b.add(Section{Title: "Over " + names[0], Figure: figure.Lines(names[0], "", []figure.Series{s, valid}), Name: "sweep"})
	case 2:
		var values [][]float64
		for _, y := range keys[names[1]] {
			var line []float64
			for _, x := range keys[names[0]] {
				line = append(line, at(map[string]string{names[0]: x, names[1]: y}))
			}
			values = append(values, line)
		}
		b.add(Section{Title: names[0] + " × " + names[1], Figure: figure.Heat(names[0], keys[names[0]], names[1], keys[names[1]], values), Name: "sweep", Caption: "Test Recall@20, written in each cell; darker is larger."})
	}
}

func byNumber(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

// refined draws models beside themselves on the refined item graph.
func (b *builder) refined() {
	var rows []figure.Row
	for _, row := range b.rows {
		own, ok := strings.CutSuffix(row.Entry, "+GR")
		if !ok {
			continue
		}
		for _, other := range b.rows {
			if other.Entry == own {
				rows = append(rows, figure.Row{Label: own, Value: other.Test["recall@20"].Mean}, figure.Row{Label: row.Entry, Value: row.Test["recall@20"].Mean, Emphasised: true,
					Note: signed(row.Test["recall@20"].Mean - other.Test["recall@20"].Mean)})
			}
		}
	}
	if len(rows) > 0 {
		b.add(Section{Title: "With the refined item graph (+GR)", Figure: figure.Dots("test Recall@20", rows), Name: "refined"})
	}
}

// curves draws how validation went from epoch to epoch.
func (b *builder) curves() {
	var all []figure.Series
	for _, row := range b.rows {
		if len(row.Curve) < 2 {
			continue
		}
		s := figure.Series{Label: row.Entry}
		for _, p := range row.Curve {
			s.X, s.Y = append(s.X, float64(p.Epoch)), append(s.Y, p.Valid)
		}
		all = append(all, s)
	}
	if len(all) > 0 {
		b.add(Section{Title: "Training curves", Figure: figure.Lines("epoch", "validation "+b.r.Select+", first seed", all), Name: "curves"})
	}
}

// cost tells what each entry took.
func (b *builder) cost() {
	t := &Table{Name: b.r.Name + "-" + b.data.Name + "-cost", Head: []string{"model", "training, s", "an epoch, s", "epochs", "evaluation, s", "peak memory, MB"},
		Note: "Means over seeds, of trials that ran side by side on one machine: upper bounds."}
	for _, row := range b.rows {
		epoch, epochs := "–", "–"
		if row.Cost.Epochs > 0 {
			epoch, epochs = fmt.Sprintf("%.2f", row.Cost.EpochSeconds), fmt.Sprintf("%.0f", row.Cost.Epochs)
		}
		t.Rows = append(t.Rows, []string{row.Entry, fmt.Sprintf("%.1f", row.Cost.TrainSeconds), epoch, epochs, fmt.Sprintf("%.1f", row.Cost.EvalSeconds), fmt.Sprint(row.Cost.MemoryBytes >> 20)})
	}
	b.add(Section{Title: "What it costs", Table: t})
}

// slices tells for whom each entry works.
func (b *builder) slices() {
	t := &Table{Name: b.r.Name + "-" + b.data.Name + "-slices", Head: []string{"test Recall@20"}}
	for _, s := range b.rows[0].Slices {
		t.Head = append(t.Head, sliceTitle(s))
	}
	if len(t.Head) == 1 {
		return
	}
	for _, row := range b.rows {
		cells := []string{row.Entry}
		for _, s := range row.Slices {
			cells = append(cells, fmt.Sprintf("%.4f", s.Values["recall@20"]))
		}
		t.Rows = append(t.Rows, cells)
	}
	t.Note = "By the length of the history and by how many chose the test item in train (cold items: nobody); users in brackets."
	b.add(Section{Title: "For whom", Table: t})
}

// lists tells what the lists of twenty are made of.
func (b *builder) lists() {
	t := &Table{Name: b.r.Name + "-" + b.data.Name + "-lists", Head: []string{"model", "catalogue shown", "novelty, bits", "Gini"},
		Note: "Of the lists of 20: share of the catalogue in any list; mean self-information of the items shown; inequality of how often items are shown, 0 equal, 1 one item only."}
	for _, row := range b.rows {
		if _, ok := row.Test["coverage@20"]; !ok {
			continue
		}
		t.Rows = append(t.Rows, []string{row.Entry, fmt.Sprintf("%.1f %%", 100*row.Test["coverage@20"].Mean), fmt.Sprintf("%.2f", row.Test["novelty@20"].Mean), fmt.Sprintf("%.3f", row.Test["gini@20"].Mean)})
	}
	if len(t.Rows) > 0 {
		b.add(Section{Title: "What is shown", Table: t})
	}
}

const perplexity = 30

// clouds lays the vectors of some users out for models that have vectors.
func (b *builder) clouds() error {
	var all []figure.Cloud
	for _, row := range b.rows {
		x, err := arrayfile.ReadNPY(filepath.Join(b.dir, result.TrialsDir, row.Trials[0], result.VectorsFile))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		all = append(all, figure.Cloud{Label: row.Entry, Note: strings.Replace(fmt.Sprintf("uniformity %.2f", tsne.Uniformity(x)), "-", "−", 1), Points: tsne.Layout(x, perplexity, 1)})
	}
	if len(all) > 0 {
		b.add(Section{Title: "Users' vectors", Figure: figure.Clouds(all), Name: "users",
			Caption: "t-SNE of the vectors of the same users, first seed. Uniformity is log of the mean of exp(−2‖a−b‖²) of vectors of length 1: lower is more evenly spread."})
	}
	return nil
}

// leftOut lists what did not take part.
func (p *Page) leftOut(r *result.Result) {
	for _, l := range r.LeftOut {
		p.Missing = append(p.Missing, fmt.Sprintf("%s on %s: %s", l.Entry, l.Data, l.Reason))
	}
	for _, f := range r.Failed {
		p.Missing = append(p.Missing, fmt.Sprintf("%s on %s failed (%s): %s", f.Entry, f.Data, f.Trial, f.Error))
	}
}

// reported adds the paper's own table.
func (p *Page) reported(data string) {
	t := &Table{Name: "reported-" + data, Head: []string{"model, as reported", "R@10", "R@20", "N@10", "N@20", "leak", "remark"}, Words: []int{5, 6},
		Note: "Table 1 of the MLLMRec paper (arXiv, first version). None of it was measured here; baselines were copied by its authors from other papers, on another random split than ours."}
	for _, r := range published.Table(data) {
		leaky := "not known"
		if r.Leaky {
			leaky = "leaky"
		}
		t.Rows = append(t.Rows, []string{r.Model, fmt.Sprintf("%.4f", r.R10), fmt.Sprintf("%.4f", r.R20), fmt.Sprintf("%.4f", r.N10), fmt.Sprintf("%.4f", r.N20), leaky, r.Note})
	}
	p.Sections = append(p.Sections, Section{Title: "Reported by the paper: " + data, Table: t})
}
