package audit

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// world is a synthetic shop: items in categories, users who like one to three
// categories and, within them, a region of the item space.
type world struct {
	rng      *rand.Rand
	ds       *dataset.Dataset
	items    *tensor.Matrix
	centres  *tensor.Matrix // of the categories
	category []int
}

type worldOptions struct {
	users, items, dims, categories int
	// cluster is the weight of the category centre in an item vector: 0 = items are
	// random and similar to nothing, 1 = half of an item's vector is its category.
	cluster float64
}

func newWorld(seed uint64, o worldOptions) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 77)), ds: &dataset.Dataset{Name: "synthetic", Split: "random"}}
	w.centres, w.items = w.gaussian(o.categories, o.dims), w.gaussian(o.items, o.dims)
	for i := range o.items {
		c := w.rng.IntN(o.categories)
		w.category = append(w.category, c)
		axpy(w.items.Row(i), o.cluster, w.centres.Row(c))
		normalize(w.items.Row(i))
	}
	w.ds.Items = make([]dataset.Item, o.items)
	for u := range o.users {
		w.ds.UserIDs = append(w.ds.UserIDs, string(rune('a'+u%26))+string(rune('0'+u/26)))
		liked := make([]int, 1+w.rng.IntN(3))
		for k := range liked {
			liked[k] = w.rng.IntN(o.categories)
		}
		taste := w.gaussian(1, o.dims).Row(0)
		n := 5 + w.rng.IntN(10)
		for k, i := range w.choose(n, liked, taste) {
			x := dataset.Interaction{User: int32(u), Item: i}
			switch {
			case k < max(1, n/10):
				x.Label = dataset.Test
			case k < 2*max(1, n/10):
				x.Label = dataset.Valid
			}
			w.ds.Append(x)
		}
	}
	w.ds.Sort()
	return w
}

// choose draws n items: of a liked category nine times in ten, the popular ones (low
// index) more often, and each weighed by a mild liking for the user's own taste, so
// that an honest vector really predicts a little.
func (w *world) choose(n int, liked []int, taste []float32) []int32 {
	var out []int32
	for try := 0; len(out) < n && try < 20000; try++ {
		i := int32(float64(len(w.category)) * math.Pow(w.rng.Float64(), 1.7))
		if slices.Contains(out, i) || w.rng.Float64() < 0.9 && !slices.Contains(liked, w.category[i]) {
			continue
		}
		if w.rng.Float64() < 1/(1+math.Exp(-2*dot(taste, w.items.Row(int(i))))) {
			out = append(out, i)
		}
	}
	return out
}

func (w *world) gaussian(rows, cols int) *tensor.Matrix {
	m := tensor.New(rows, cols)
	for i := range m.Data {
		m.Data[i] = float32(w.rng.NormFloat64() / math.Sqrt(float64(cols)))
	}
	return m
}

func axpy(y []float32, a float64, x []float32) {
	for j, v := range x {
		y[j] += float32(a) * v
	}
}

// seen returns the histories that a user vector is written from: honest, or with the
// held-out items of the given share of users.
func (w *world) seen(leakyShare float64) [][]int32 {
	train, all := w.ds.TrainHistories(), w.ds.LeakyHistories()
	out := make([][]int32, w.ds.Users())
	for u := range out {
		h := train
		if w.rng.Float64() < leakyShare {
			h = all
		}
		out[u] = slices.Clone(h.Items(u))
		w.rng.Shuffle(len(out[u]), func(a, b int) { out[u][a], out[u][b] = out[u][b], out[u][a] })
	}
	return out
}

// A writer turns what it has seen into a user vector.
type writer func(w *world, seen []int32, dst []float32)

func writeMean(w *world, seen []int32, dst []float32) {
	for _, i := range seen {
		axpy(dst, 1/float64(len(seen)), w.items.Row(int(i)))
	}
}

func writeUnitMean(w *world, seen []int32, dst []float32) {
	writeMean(w, seen, dst)
	normalize(dst)
}

// writeNoisy is at a cosine of about one half to the mean.
func writeNoisy(w *world, seen []int32, dst []float32) {
	writeUnitMean(w, seen, dst)
	axpy(dst, 1.7, w.gaussian(1, len(dst)).Row(0))
}

// writeSome dwells on a few items and hardly mentions the others.
func writeSome(w *world, seen []int32, dst []float32) {
	for k, i := range seen {
		axpy(dst, math.Pow(0.6, float64(k)), w.items.Row(int(i)))
	}
}

// writeText is what a language model might do: some items in particular, the category
// in general, a manner of speaking that all texts share, and noise.
func writeText(w *world, seen []int32, dst []float32) {
	writeSome(w, seen, dst)
	normalize(dst)
	for _, i := range seen {
		axpy(dst, 1/float64(len(seen)), w.centres.Row(w.category[i]))
	}
	axpy(dst, 0.7, w.centres.Row(0))
	axpy(dst, 0.8, w.gaussian(1, len(dst)).Row(0))
	normalize(dst)
}

// writeCategory names the commonest category and nothing else.
func writeCategory(w *world, seen []int32, dst []float32) {
	votes, best := map[int]int{}, w.category[seen[0]]
	for _, i := range seen {
		if c := w.category[i]; true {
			votes[c]++
			if votes[c] > votes[best] {
				best = c
			}
		}
	}
	axpy(dst, 1, w.centres.Row(best))
	axpy(dst, 0.3, w.gaussian(1, len(dst)).Row(0))
}

func (w *world) write(by writer, leakyShare float64) *tensor.Matrix {
	p := tensor.New(w.ds.Users(), w.items.Cols)
	for u, seen := range w.seen(leakyShare) {
		by(w, seen, p.Row(u))
	}
	return p
}

// fromClicks replaces the item vectors by ones that are correlated with the clicks: the
// leading directions of the train co-occurrence, by a randomized range finder.
func (w *world) fromClicks() {
	train := w.ds.TrainHistories()
	v := w.gaussian(w.ds.NumItems(), w.items.Cols)
	for range 3 {
		users := tensor.New(train.Users(), v.Cols)
		for u := range train.Users() {
			for _, i := range train.Items(u) {
				axpy(users.Row(u), 1, v.Row(int(i)))
			}
			normalize(users.Row(u))
		}
		v = tensor.New(v.Rows, v.Cols)
		for u := range train.Users() {
			for _, i := range train.Items(u) {
				axpy(v.Row(int(i)), 1, users.Row(u))
			}
		}
		orthonormalizeColumns(v)
	}
	w.items = v
}

func orthonormalizeColumns(m *tensor.Matrix) {
	t := tensor.New(m.Cols, m.Rows)
	for i := range m.Rows {
		for j, x := range m.Row(i) {
			t.Row(j)[i] = x
		}
	}
	s := &span{}
	for j := range t.Rows {
		s.add(t.Row(j))
	}
	clear(m.Data)
	for j, q := range s.basis {
		for i, x := range q {
			m.Row(i)[j] = x
		}
	}
}
