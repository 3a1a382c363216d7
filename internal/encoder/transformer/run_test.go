package transformer

import (
	"slices"
	"testing"
)

// TestBatches checks that batches hold every sequence once and little more than they
// should.
func TestBatches(t *testing.T) {
	order := []int{0, 1, 2, 3, 4, 5, 6}
	lengths := []int{600, 512, 300, 200, 100, 100, 3}
	got := batch(order, func(i int) int { return lengths[i] })
	if want := [][]int{{0}, {1}, {2}, {3, 4, 5, 6}}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v", got)
	}
}
