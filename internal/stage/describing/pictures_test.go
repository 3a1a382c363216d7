package describing

import "testing"

// A retry of an offline stage looks for pictures where the last run did.
func TestPicturesAreRecalled(t *testing.T) {
	for _, want := range []Pictures{{}, {Dir: "photos"}, {LongSide: 512}, {AllowPrivate: true}, {Dir: "x", AllowPrivate: true, LongSide: 64}} {
		options := map[string]string{}
		want.record(options)
		var got Pictures
		if err := got.recall(options); err != nil || got != want {
			t.Errorf("recorded %+v, recalled %+v, %v", want, got, err)
		}
	}
}
