package hybrid

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/linear"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// lengths are how many lengths of histories have weights of their own: none, 1, 2, and more.
const lengths = 4

// bucket is which weights a history of n items has.
func bucket(n int) int { return min(n, lengths-1) }

// Ranker fuses the scores of its views.
type Ranker struct {
	names   []string
	kernels []linear.Kernel // nil for the views that are none
	items   *tensor.Matrix  // of the view preference
	packed  *tensor.Packed  // itemsᵀ
	prior   []float32       // of the view popularity, standardised
	decays  []float32
	weights [lengths][]float32
	cold    cold

	spare sync.Pool // of *[]float32, blocks of scores
	size  int       // of the catalogue
}

var _ model.Explainer = (*Ranker)(nil)

// Items implements model.Ranker.
func (r *Ranker) Items() int { return r.size }

// load reads the views from their tensors, for a catalogue of n items, or of any size.
func (r *Ranker) load(w model.Weights, n int) (err error) {
	r.kernels, r.decays = make([]linear.Kernel, len(r.names)), make([]float32, len(r.names))
	for v, name := range r.names {
		r.decays[v] = 1
		rows := 0
		switch name {
		case preference:
			if r.items, err = w.Matrix(name+itemsName, model.Any, model.Any); err != nil {
				return err
			}
			r.packed = tensor.Pack(true, r.items.Cols, r.items.Rows, r.items.Data, r.items.Cols)
			rows = r.items.Rows
		case popularity:
			scores, err := w.Vector(name+countsName, model.Any)
			if err != nil {
				return err
			}
			r.prior = append([]float32(nil), scores...)
			standardise(r.prior)
			rows = len(scores)
		default:
			if r.kernels[v], err = linear.Load(w, name); err != nil {
				return err
			}
			rows = r.kernels[v].Items()
		}
		if n == model.Any {
			n = rows
		}
		if rows != n {
			return fmt.Errorf("view %s scores %d items of %d", name, rows, n)
		}
	}
	for b := range r.weights {
		r.weights[b] = make([]float32, len(r.names))
		for v := range r.weights[b] {
			r.weights[b][v] = 1
		}
	}
	r.size = n
	return nil
}

const (
	decaysName  = "fusion.decays"
	weightsName = "fusion.weights"
	coldName    = "fusion.cold"   // 1 for an item that nobody chose, else 0
	slopesName  = "fusion.slopes" // see type cold
)

func (r *Ranker) store(w model.Weights) {
	var all []float32
	for b := range r.weights {
		all = append(all, r.weights[b]...)
	}
	nobody := make([]float32, r.size)
	for _, i := range r.cold.items {
		nobody[i] = 1
	}
	w[coldName] = model.Tensor{Shape: []int{r.size}, Data: nobody}
	w[slopesName] = model.Tensor{Shape: []int{len(r.names)}, Data: append([]float32(nil), r.cold.slope...)}
	w[decaysName] = model.Tensor{Shape: []int{len(r.names)}, Data: append([]float32(nil), r.decays...)}
	w[weightsName] = model.Tensor{Shape: []int{lengths, len(r.names)}, Data: all}
}

func (r *Ranker) loadFusion(w model.Weights) error {
	decays, err := w.Vector(decaysName, len(r.names))
	if err != nil {
		return err
	}
	weights, err := w.Matrix(weightsName, lengths, len(r.names))
	if err != nil {
		return err
	}
	nobody, err := w.Vector(coldName, r.size)
	if err != nil {
		return err
	}
	for i, is := range nobody {
		if is != 0 {
			r.cold.items = append(r.cold.items, int32(i))
		}
	}
	if r.cold.slope, err = w.Vector(slopesName, len(r.names)); err != nil {
		return err
	}
	r.decays = decays
	for b := range r.weights {
		r.weights[b] = weights.Row(b)
	}
	return nil
}

// view writes the raw scores of one view.
func (r *Ranker) view(v int, people []model.Person, decay float32, dst *tensor.Matrix) {
	switch r.names[v] {
	case popularity:
		for n := range people {
			copy(dst.Row(n), r.prior)
		}
		return
	case preference:
		users := tensor.New(len(people), r.items.Cols)
		for n, p := range people {
			if len(p.Preference) == r.items.Cols {
				copy(users.Row(n), p.Preference)
			}
		}
		r.packed.Mul(users, dst)
		return
	}
	histories, weights := make([][]int32, len(people)), make([][]float32, len(people))
	for n, p := range people {
		histories[n], weights[n] = p.History, linear.RecencyWeights(len(p.History), float64(decay))
	}
	clear(dst.Data)
	r.kernels[v].AddScoresBatch(histories, weights, dst)
}

// moments returns mean and standard deviation.
func moments(row []float32) (mean, sd float64) {
	for _, s := range row {
		mean += float64(s)
	}
	mean /= float64(max(len(row), 1))
	for _, s := range row {
		d := float64(s) - mean
		sd += d * d
	}
	return mean, math.Sqrt(sd / float64(max(len(row), 1)))
}

// flat reports scores that are all alike, but for rounding.
func flat(mean, sd float64) bool { return !(sd > 1e-12*math.Abs(mean) && sd > 1e-30) }

// standardise makes the scores of one person have mean 0 and variance 1 over the catalogue;
// scores that are all alike become 0.
func standardise(row []float32) {
	mean, sd := moments(row)
	scale := 0.0
	if !flat(mean, sd) {
		scale = 1 / sd
	}
	for i, s := range row {
		row[i] = float32((float64(s) - mean) * scale)
	}
}

// standardised writes the standardised scores of one view.
func (r *Ranker) standardised(v int, people []model.Person, decay float32, dst *tensor.Matrix) {
	r.view(v, people, decay, dst)
	if r.names[v] == popularity {
		return // they are already, the same for all
	}
	tensor.Parallel(dst.Rows, 4, func(lo, hi int) {
		for n := lo; n < hi; n++ {
			standardise(dst.Row(n))
		}
	})
}

func (r *Ranker) check(people []model.Person) error {
	for _, p := range people {
		for _, i := range p.History {
			if i < 0 || int(i) >= r.size {
				return fmt.Errorf("score a history: item row %d of %d", i, r.size)
			}
		}
	}
	return nil
}

// Score implements model.Ranker.
func (r *Ranker) Score(people []model.Person, dst *tensor.Matrix) error {
	if err := r.check(people); err != nil {
		return err
	}
	memory, ok := r.spare.Get().(*[]float32)
	if !ok || len(*memory) < len(dst.Data) {
		block := make([]float32, len(dst.Data))
		memory = &block
	}
	defer r.spare.Put(memory)
	one := tensor.FromSlice(dst.Rows, dst.Cols, (*memory)[:len(dst.Data)])
	clear(dst.Data)
	var said *tensor.Matrix
	for _, v := range r.inOrder() {
		if r.idle(v) && !(r.names[v] == text && len(r.cold.items) > 0) {
			continue
		}
		r.standardised(v, people, r.decays[v], one)
		if r.names[v] == text {
			said = r.said(v, one)
		}
		r.fill(v, one, said)
		tensor.Parallel(dst.Rows, 4, func(lo, hi int) {
			for n := lo; n < hi; n++ {
				tensor.Axpy(r.weights[bucket(len(people[n].History))][v], one.Row(n), dst.Row(n))
			}
		})
	}
	return nil
}

// idle reports whether a view has no weight for anybody.
func (r *Ranker) idle(v int) bool {
	for b := range r.weights {
		if r.weights[b][v] != 0 {
			return false
		}
	}
	return true
}

// standing is how one view stands to a person: what its scores are standardised by, and the
// weights of the history's items in it.
type standing struct {
	view     int
	weight   float64
	mean, sd float64
	scores   []float32 // raw
	recency  []float32
}

// Explain implements model.Explainer. A view over items gives each item of the history its part, and
// what standardising subtracts, or what is from no item, one part more.
func (r *Ranker) Explain(p model.Person) (func(item int32) []model.Share, error) {
	if err := r.check([]model.Person{p}); err != nil {
		return nil, err
	}
	var all []standing
	var said *standing // the view text
	for v, name := range r.names {
		s := standing{view: v, weight: float64(r.weights[bucket(len(p.History))][v]), scores: make([]float32, r.size)}
		if s.weight == 0 && r.names[v] != text {
			continue
		}
		r.view(v, []model.Person{p}, r.decays[v], tensor.FromSlice(1, r.size, s.scores))
		if s.mean, s.sd = moments(s.scores); name == popularity {
			s.mean, s.sd = 0, 1
		}
		if flat(s.mean, s.sd) {
			continue
		}
		if r.kernels[v] != nil {
			s.recency = linear.RecencyWeights(len(p.History), float64(r.decays[v]))
		}
		if name == text && len(r.cold.items) > 0 {
			kept := s
			said = &kept
		}
		if s.weight != 0 {
			all = append(all, s)
		}
	}
	return func(item int32) (shares []model.Share) {
		_, nobody := slices.BinarySearch(r.cold.items, item)
		for _, s := range all {
			switch own := r.names[s.view]; {
			case !nobody || said == nil || !r.cold.estimated(own) && own != popularity:
			case own == popularity:
				continue // its mean: 0
			default: // what text says of it, in the view's place
				weight := s.weight * float64(r.cold.slope[s.view])
				s = *said
				s.weight = weight
			}
			name, rest := r.names[s.view], s.weight*(float64(s.scores[item])-s.mean)/s.sd
			for n, w := range s.recency {
				part := s.weight / s.sd * float64(w) * float64(r.kernels[s.view].Contribution(p.History[n], item))
				shares = append(shares, model.Share{View: name, Item: p.History[n], Part: part})
				rest -= part
			}
			shares = append(shares, model.Share{View: name, Item: -1, Part: rest})
		}
		return shares
	}, nil
}

var _ model.Viewed = (*Ranker)(nil)

// Views implements model.Viewed.
func (r *Ranker) Views() (views []string) {
	for v, name := range r.names {
		if !r.idle(v) {
			views = append(views, name)
		}
	}
	return views
}

// Without implements model.Viewed.
func (r *Ranker) Without(view string) model.Ranker {
	less := &Ranker{names: r.names, kernels: r.kernels, items: r.items, packed: r.packed, prior: r.prior, decays: r.decays, cold: r.cold, size: r.size}
	for b := range r.weights {
		less.weights[b] = slices.Clone(r.weights[b])
		if at := slices.Index(r.names, view); at >= 0 {
			less.weights[b][at] = 0
		}
	}
	return less
}

var _ model.Sayable = (*Ranker)(nil)

// WithPreferences implements model.Sayable.
func (r *Ranker) WithPreferences(items *tensor.Matrix, weight float32) model.Ranker {
	more := r.Without(preference).(*Ranker)
	at := slices.Index(more.names, preference)
	if at < 0 {
		at = len(more.names)
		more.names = append(slices.Clone(more.names), preference)
		more.kernels = append(slices.Clone(more.kernels), nil)
		more.decays = append(slices.Clone(more.decays), 1)
		more.cold.slope = append(slices.Clone(more.cold.slope), 0)
		for b := range more.weights {
			more.weights[b] = append(more.weights[b], 0)
		}
	}
	unit := items.Clone()
	unit.NormalizeRows(1e-12)
	more.items, more.packed = unit, tensor.Pack(true, unit.Cols, unit.Rows, unit.Data, unit.Cols)
	for b := range more.weights[1:] {
		more.weights[b+1][at] = weight
	}
	return more
}

// Listening implements model.Sayable.
func (r *Ranker) Listening(items *tensor.Matrix) model.Ranker {
	more := r.WithPreferences(items, 0).(*Ranker)
	at := slices.Index(more.names, preference)
	for b := range more.weights[1:] {
		sum := 0.0
		for _, w := range more.weights[b+1] {
			sum += math.Abs(float64(w))
		}
		more.weights[b+1][at] = float32(sum)
	}
	return more
}
