package train

import (
	"math"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/rng"
)

func sampled(t *testing.T, s *sampler, epoch int) (b model.Batch, sizes []int) {
	t.Helper()
	if err := s.each(epoch, func(x model.Batch) error {
		sizes = append(sizes, len(x.Rows))
		b.Rows, b.Users = append(b.Rows, x.Rows...), append(b.Users, x.Users...)
		b.Pos, b.Neg = append(b.Pos, x.Pos...), append(b.Neg, x.Neg...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return b, sizes
}

func TestEpochDealsEveryTrainRowOnce(t *testing.T) {
	data := modeltest.Make(modeltest.Shape{Users: 50, Items: 200, Train: 333, Width: 2, Tastes: 3}, 1)
	train := data.Inputs.Train
	s, err := newSampler(train, 100, 5)
	if err != nil {
		t.Fatal(err)
	}
	b, sizes := sampled(t, s, 1)
	if !slices.Equal(sizes, []int{100, 100, 100, 33}) {
		t.Errorf("batches of %v", sizes)
	}
	lists := train.Lists()
	for k, row := range b.Rows {
		u := int(b.Users[k])
		if int(row) < lists.Offsets[u] || int(row) >= lists.Offsets[u+1] || lists.Items[row] != b.Pos[k] {
			t.Fatalf("row %d does not hold user %d's item %d", row, u, b.Pos[k])
		}
		if slices.Contains(train.Items(u), b.Neg[k]) {
			t.Errorf("negative %d is a train item of user %d", b.Neg[k], u)
		}
		if !slices.Contains(lists.Items, b.Neg[k]) {
			t.Errorf("negative %d does not occur in train", b.Neg[k])
		}
	}
	sorted := slices.Clone(b.Rows)
	slices.Sort(sorted)
	for k, row := range sorted {
		if int(row) != k {
			t.Fatalf("row %d is missing or comes twice", k)
		}
	}
	again, _ := sampled(t, s, 1)
	if !slices.Equal(again.Neg, b.Neg) || !slices.Equal(again.Rows, b.Rows) {
		t.Error("an epoch asked for again is another")
	}
	other, _ := sampled(t, s, 2)
	if slices.Equal(other.Neg, b.Neg) || slices.Equal(other.Rows, b.Rows) {
		t.Error("two epochs are the same")
	}
}

// The validation and test items of the one user may be drawn, as long as they occur
// in somebody's train rows; all that may be drawn must be equally likely.
func TestNegativesAreUniform(t *testing.T) {
	ds := &dataset.Dataset{UserIDs: []string{"a", "b"}, Items: make([]dataset.Item, 12)}
	add := func(u int32, label dataset.Label, items ...int32) {
		for _, i := range items {
			ds.Append(dataset.Interaction{User: u, Item: i, Label: label})
		}
	}
	add(0, dataset.Train, 9, 2, 3, 2) // the repeated item counts once
	add(0, dataset.Valid, 5)
	add(1, dataset.Train, 1, 2, 4, 5, 6, 8, 11)
	// 0, 7 and 10 never occur in train.
	s, err := newSampler(ds.TrainHistories(), 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	for u, allowed := range [][]int32{{1, 4, 5, 6, 8, 11}, {3, 9}} {
		const draws = 30000
		count := map[int32]int{}
		r := rng.Stream(3, "test", uint64(u))
		for range draws {
			count[s.negative(u, r.Int32N)]++
		}
		expected := float64(draws) / float64(len(allowed))
		var chi2 float64
		for _, i := range allowed {
			chi2 += math.Pow(float64(count[i])-expected, 2) / expected
		}
		if len(count) != len(allowed) {
			t.Errorf("user %d: drawn %v, allowed are %v", u, count, allowed)
		}
		// 99.9 % quantiles for 5 and 1 degrees of freedom.
		if limit := []float64{20.5, 10.8}[u]; chi2 > limit {
			t.Errorf("user %d: χ² = %.1f over %v", u, chi2, count)
		}
	}
}

func TestShuffleIsUniform(t *testing.T) {
	data := modeltest.Make(modeltest.Shape{Users: 2, Items: 30, Train: 6, Width: 2, Tastes: 1}, 1)
	s, err := newSampler(data.Inputs.Train, 6, 1)
	if err != nil {
		t.Fatal(err)
	}
	const epochs = 6000
	var count [6][6]float64
	for e := range epochs {
		b, _ := sampled(t, s, e)
		for k, row := range b.Rows {
			count[row][k]++
		}
	}
	var chi2 float64
	for _, row := range count {
		for _, c := range row {
			chi2 += math.Pow(c-epochs/6, 2) / (epochs / 6)
		}
	}
	// 25 degrees of freedom, 99.9 %.
	if chi2 > 52.6 {
		t.Errorf("χ² = %.1f over %v", chi2, count)
	}
}
