package shopfront

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/answering"
)

// view is a run under what happened to its items since. It does not change. Rows are those of the run's catalogue, and
// behind them those of items that came later.
type view struct {
	engine     *answering.Engine
	run        string // as the shop names it
	hidden     map[int32]bool
	changed    map[int32]*dataset.Item // items of the run whose fields were changed
	extra      []extra
	extraRow   map[string]int32
	categories map[string][]int32 // rows, ascending
	brands     map[string][]int32
	words      *index
	popular    func() []int32 // rows of the run's catalogue by how many chose them, the most first
}

// extra is an item that came after the run was trained. What people would think of it is taken from the items that it is most like.
type extra struct {
	item    dataset.Item
	near    []int32 // rows of the run's catalogue
	weights []float32
	why     string // why it is not linked; "" where it is
}

// linkedTo is how many items of the catalogue a new one is linked to.
const linkedTo = 10

func newView(ctx context.Context, e *answering.Engine, run string, over *overlay) (*view, error) {
	v := &view{engine: e, run: run, hidden: map[int32]bool{}, changed: map[int32]*dataset.Item{}, extraRow: map[string]int32{},
		categories: map[string][]int32{}, brands: map[string][]int32{}, words: newIndex(), popular: sync.OnceValue(func() []int32 { return byPopularity(e) })}
	for row := range e.Data.Items {
		v.list(int32(row), &e.Data.Items[row])
	}
	v.words.settle()
	return v.with(ctx, over, slices.Sorted(maps.Keys(over.items)))
}

// list puts an item into the lists that filters and the search look at.
func (v *view) list(row int32, it *dataset.Item) {
	for n, c := range it.Categories {
		if !slices.Contains(it.Categories[:n], c) {
			v.categories[c] = insert(v.categories[c], row)
		}
	}
	if it.Brand != "" {
		v.brands[it.Brand] = insert(v.brands[it.Brand], row)
	}
	v.words.add(row, it)
}

// unlist takes it out again.
func (v *view) unlist(row int32, it *dataset.Item) {
	for _, c := range it.Categories {
		v.categories[c] = without(v.categories[c], row)
	}
	v.brands[it.Brand] = without(v.brands[it.Brand], row)
	v.words.remove(row, it)
}

// insert keeps a list of rows ascending; it never writes into the array of the list, which an older view may read, unless at its end.
func insert(rows []int32, row int32) []int32 {
	if len(rows) == 0 || rows[len(rows)-1] < row {
		return append(rows, row)
	}
	at, there := slices.BinarySearch(rows, row)
	if there {
		return rows
	}
	return slices.Concat(rows[:at], []int32{row}, rows[at:])
}

func without(rows []int32, row int32) []int32 {
	at, there := slices.BinarySearch(rows, row)
	if !there {
		return rows
	}
	return slices.Concat(rows[:at], rows[at+1:])
}

// with returns the view after changes to items.
func (v *view) with(ctx context.Context, over *overlay, ids []string) (*view, error) {
	if len(ids) == 0 {
		return v, nil
	}
	n := *v
	n.hidden, n.changed, n.extraRow = maps.Clone(v.hidden), maps.Clone(v.changed), maps.Clone(v.extraRow)
	n.extra = slices.Clone(v.extra)
	n.categories, n.brands, n.words = clipped(v.categories), clipped(v.brands), v.words.clone()
	var link []int32
	for _, id := range ids {
		it := over.items[id]
		row, known := n.row(id)
		switch {
		case it.Fields == nil && !known: // hidden, and of no run that is served here
			continue
		case !known:
			row = int32(n.engine.Items() + len(n.extra))
			n.extra, n.extraRow[id] = append(n.extra, extra{item: *it.Fields}), row
			n.list(row, it.Fields)
			link = append(link, row)
		case it.Fields != nil && int(row) < n.engine.Items():
			n.unlist(row, n.item(row))
			n.changed[row] = it.Fields
			n.list(row, it.Fields)
		case it.Fields != nil:
			n.unlist(row, n.item(row))
			n.extra[int(row)-n.engine.Items()] = extra{item: *it.Fields}
			n.list(row, it.Fields)
			link = append(link, row)
		}
		delete(n.hidden, row)
		if it.Hidden {
			n.hidden[row] = true
		}
	}
	return &n, n.link(ctx, link)
}

// clipped clones a map of lists so that appending to one of them leaves the older alone.
func clipped(lists map[string][]int32) map[string][]int32 {
	n := make(map[string][]int32, len(lists))
	for key, rows := range lists {
		n[key] = slices.Clip(rows)
	}
	return n
}

// link finds the items of the catalogue that new ones are most like.
func (v *view) link(ctx context.Context, rows []int32) error {
	if len(rows) == 0 {
		return nil
	}
	texts := make([]string, len(rows))
	for n, row := range rows {
		texts[n] = v.item(row).Text()
	}
	lists, err := v.engine.Likest(ctx, texts, linkedTo)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for n, row := range rows {
		x := &v.extra[int(row)-v.engine.Items()]
		switch {
		case err != nil:
			x.why = fmt.Sprintf("it stands in no list until the next run: %v", err)
		case len(lists[n].Items) == 0:
			x.why = "it stands in no list until the next run: no word of it is known"
		default:
			x.near = lists[n].Items
			for _, s := range lists[n].Scores {
				x.weights = append(x.weights, max(s, 1e-3))
			}
		}
	}
	return nil
}

// row finds an item by its id.
func (v *view) row(id string) (int32, bool) {
	if row, err := v.engine.Item(id); err == nil {
		return row, true
	}
	row, ok := v.extraRow[id]
	return row, ok
}

// item returns an item as it is now.
func (v *view) item(row int32) *dataset.Item {
	if n := int(row) - v.engine.Items(); n >= 0 {
		return &v.extra[n].item
	}
	if it := v.changed[row]; it != nil {
		return it
	}
	return &v.engine.Data.Items[row]
}

// size is the number of rows.
func (v *view) size() int { return v.engine.Items() + len(v.extra) }

func byPopularity(e *answering.Engine) []int32 {
	count := make([]int32, e.Items())
	for _, i := range e.Train.Lists().Items {
		count[i]++
	}
	rows := make([]int32, len(count))
	for i := range rows {
		rows[i] = int32(i)
	}
	slices.SortStableFunc(rows, func(a, b int32) int { return cmp.Compare(count[b], count[a]) })
	return rows
}
