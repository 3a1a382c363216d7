package writer

import (
	"reflect"
	"testing"
)

func TestEvenlySpaced(t *testing.T) {
	for _, c := range []struct {
		n, total int
		want     []int
	}{{3, 9, []int{1, 4, 7}}, {1, 10, []int{5}}, {5, 3, []int{0, 1, 2}}, {0, 3, []int{}}, {2, 0, []int{}}, {-1, 4, []int{}}} {
		if got := EvenlySpaced(c.n, c.total); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%d of %d: %v, want %v", c.n, c.total, got, c.want)
		}
	}
	last := -1
	for _, at := range EvenlySpaced(20, 7051) {
		if at <= last || at >= 7051 {
			t.Errorf("%d after %d", at, last)
		}
		last = at
	}
}
