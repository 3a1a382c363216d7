// Package modeltest makes synthetic data for the tests and benchmarks of models and of
// whatever trains, evaluates or serves them: users whose choices follow a hidden taste,
// items of skewed popularity, text and visual vectors that show the taste through noise, and an item
// graph. A data set has any size, and the same seed makes the same one.
package modeltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/rng"
)

// Shape is the size of a data set. Each user has one validation and one test
// interaction and at least minTrain train ones.
type Shape struct {
	Users, Items int
	Train        int // train interactions, from 3 to a third of the items a user
	Width        int // of the text vectors
	Visual       int // width of the visual vectors; 0: half as wide again as the text vectors
	Tastes       int // number of hidden tastes
}

// Baby is the shape of the Amazon Baby data set with 384-wide vectors.
var Baby = Shape{Users: 19445, Items: 7050, Train: 118551, Width: 384, Tastes: 40}

// BabyPictures is Baby with the visual vectors of the published experiments, 4,096 wide.
var BabyPictures = Shape{Users: Baby.Users, Items: Baby.Items, Train: Baby.Train, Width: Baby.Width, Visual: 4096, Tastes: Baby.Tastes}

const minTrain = 3

// Data is a made-up data set with what a model needs to train on it. The item graph
// links each item to a few of its own taste.
type Data struct {
	Dataset *dataset.Dataset
	Inputs  model.Inputs
}

// Make draws a data set.
func Make(s Shape, seed uint64) *Data {
	r := rng.Stream(seed, "synthetic", 0)
	byTaste := make([][]int32, s.Tastes)
	for i := range s.Items {
		byTaste[i%s.Tastes] = append(byTaste[i%s.Tastes], int32(i))
	}
	ds := &dataset.Dataset{Name: "synthetic", Split: "leave-latest"}
	for i := range s.Items {
		ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprintf("i%d", i), Title: fmt.Sprintf("item %d", i)})
	}
	for u, n := range counts(r, s) {
		ds.UserIDs = append(ds.UserIDs, fmt.Sprintf("u%d", u))
		chosen := choose(r, byTaste[r.IntN(s.Tastes)], s.Items, n+2)
		for k, i := range chosen {
			label := dataset.Train
			switch k {
			case n:
				label = dataset.Valid
			case n + 1:
				label = dataset.Test
			}
			ds.Append(dataset.Interaction{User: int32(u), Item: i, Label: label, Time: int64(k)})
		}
	}
	items := vectors(r, s, s.Width)
	if s.Visual == 0 {
		s.Visual = s.Width + s.Width/2
	}
	visual := vectors(rng.Stream(seed, "synthetic visual", 0), s, s.Visual)
	train := ds.TrainHistories()
	return &Data{ds, model.Inputs{Train: train, Users: s.Users, Items: s.Items, ItemVectors: map[string]*tensor.Matrix{model.Text: items, "visual": visual},
		Preferences: means(train, items), Graph: neighbours(byTaste, s.Items), Times: times(train), Seed: seed}}
}

// times are those of the train interactions.
func times(train *dataset.Histories) []int64 {
	var all []int64
	for u := range train.Users() {
		all = append(all, train.Times(u)...)
	}
	return all
}

// counts deals the train interactions out to the users.
func counts(r *rand.Rand, s Shape) []int {
	n := make([]int, s.Users)
	for u := range n {
		n[u] = minTrain
	}
	for range s.Train - minTrain*s.Users {
		u := int(float64(s.Users) * math.Pow(r.Float64(), 1.3)) // some users are keener
		for n[u] > s.Items/3 {
			u = (u + 1) % s.Users
		}
		n[u]++
	}
	return n
}

// choose draws n distinct items, most of them of the given taste, popular ones first.
func choose(r *rand.Rand, taste []int32, items, n int) (chosen []int32) {
	for len(chosen) < n {
		skewed := math.Pow(r.Float64(), 2)
		i := int32(skewed * float64(items))
		if r.Float64() < 0.7 && len(chosen) < len(taste)/2 {
			i = taste[int(skewed*float64(len(taste)))]
		}
		if !slices.Contains(chosen, i) {
			chosen = append(chosen, i)
		}
	}
	return chosen
}

func vectors(r *rand.Rand, s Shape, width int) *tensor.Matrix {
	centre := tensor.New(s.Tastes, width)
	for i := range centre.Data {
		centre.Data[i] = float32(r.NormFloat64())
	}
	m := tensor.New(s.Items, width)
	for i := range s.Items {
		for j := range m.Row(i) {
			m.Row(i)[j] = centre.Row(i % s.Tastes)[j] + float32(r.NormFloat64())
		}
	}
	unit(m)
	return m
}

func means(train *dataset.Histories, items *tensor.Matrix) *tensor.Matrix {
	m := tensor.New(train.Users(), items.Cols)
	for u := range m.Rows {
		for _, i := range train.Items(u) {
			tensor.Axpy(1, items.Row(int(i)), m.Row(u))
		}
	}
	unit(m)
	return m
}

func unit(m *tensor.Matrix) {
	for i := range m.Rows {
		n := float32(tensor.Norm2(m.Row(i)))
		for j := range m.Row(i) {
			m.Row(i)[j] /= max(n, 1e-12)
		}
	}
}

// neighbours links each item to itself and the next four of its taste, normalised.
func neighbours(byTaste [][]int32, items int) *tensor.CSR {
	const degree = 5
	g := &tensor.CSR{Rows: items, Cols: items, Indptr: []int64{0}}
	for i := range items {
		own := byTaste[i%len(byTaste)]
		row := make([]int32, 0, degree)
		for k := range min(degree, len(own)) {
			row = append(row, own[(i/len(byTaste)+k)%len(own)])
		}
		slices.Sort(row)
		for _, j := range row {
			g.Indices, g.Values = append(g.Indices, j), append(g.Values, 1/float32(len(row)))
		}
		g.Indptr = append(g.Indptr, int64(len(g.Indices)))
	}
	return g
}

// WithFolds adds user vectors blind to one of k folds of the user's train items.
func (d *Data) WithFolds(k int) model.Inputs {
	in := d.Inputs
	items := in.ItemVectors[model.Text]
	lists := in.Train.Lists()
	in.FoldOf = make([]uint8, len(lists.Items))
	for u := range in.Users {
		for n, row := 0, lists.Offsets[u]; row < lists.Offsets[u+1]; n, row = n+1, row+1 {
			in.FoldOf[row] = uint8((n + u) % k)
		}
	}
	for f := range k {
		m := tensor.New(in.Users, items.Cols)
		for u := range in.Users {
			for row := lists.Offsets[u]; row < lists.Offsets[u+1]; row++ {
				if int(in.FoldOf[row]) != f {
					tensor.Axpy(1, items.Row(int(lists.Items[row])), m.Row(u))
				}
			}
		}
		unit(m)
		in.FoldPreferences = append(in.FoldPreferences, m)
	}
	return in
}

// Trained names the registered models that are trained in epochs; the others are fitted.
func Trained() []string {
	return slices.DeleteFunc(model.Names(), model.Fits)
}

// Fitted names the registered models that are fitted at once.
func Fitted() []string {
	return slices.DeleteFunc(model.Names(), func(name string) bool { return !model.Fits(name) })
}
