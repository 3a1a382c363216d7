package report

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/experiment/figure"
	"github.com/mllmrec/mllmrec/internal/experiment/result"
)

// similarities draws how alike the items are that an item graph would join (the paper's Figure 1b).
func (b *builder) similarities() {
	for n, s := range b.data.Similarities {
		if s.Pairs == 0 || len(s.Bins) == 0 {
			continue
		}
		var bars []figure.Bar
		for _, bin := range s.Bins {
			bars = append(bars, figure.Bar{Low: bin.Low, High: bin.High, Value: 100 * float64(bin.Count) / float64(s.Pairs)})
		}
		name := fmt.Sprintf("similarity-%d", n+1)
		b.add(Section{Title: "How alike neighbouring items are: " + s.Vectors, Name: name,
			Figure:  figure.Bars("cosine", "share of pairs, %", bars),
			Caption: fmt.Sprintf("Cosines of each item's vector and those of the %d items nearest to it, before any threshold; %d pairs, mean %.3f.", s.Nearest, s.Pairs, s.Mean),
			Table:   below(b.r.Name+"-"+b.data.Name+"-"+name, s)})
	}
}

// below tells what share of the pairs a threshold would drop, at every second end of a bin.
func below(name string, s result.Similarity) *Table {
	t := &Table{Name: name, Head: []string{"threshold"}, Rows: [][]string{{"pairs dropped"}}, Note: "What a threshold on the cosine would drop of these pairs. It means something for these vectors only."}
	count := 0
	for n, bin := range s.Bins {
		count += bin.Count
		if (len(s.Bins)-1-n)%2 == 0 && n < len(s.Bins)-1 {
			t.Head = append(t.Head, fmt.Sprintf("%.2f", bin.High))
			t.Rows[0] = append(t.Rows[0], fmt.Sprintf("%.1f %%", 100*float64(count)/float64(s.Pairs)))
		}
	}
	return t
}

// sliceTitle names a slice as people do: items that nobody chose in train are cold.
func sliceTitle(s result.Slice) string {
	if s.By == "popularity" && s.Label == "0" {
		return fmt.Sprintf("cold items (%d)", s.Users)
	}
	return fmt.Sprintf("%s %s (%d)", s.By, s.Label, s.Users)
}
