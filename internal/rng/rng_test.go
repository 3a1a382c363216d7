package rng

import "testing"

func TestStreamIsNamedByAllThree(t *testing.T) {
	base := Stream(1, "negatives", 4).Uint64()
	if again := Stream(1, "negatives", 4).Uint64(); again != base {
		t.Errorf("same stream opened twice: %d and %d", base, again)
	}
	for name, other := range map[string]uint64{
		"seed":    Stream(2, "negatives", 4).Uint64(),
		"purpose": Stream(1, "shuffle", 4).Uint64(),
		"number":  Stream(1, "negatives", 5).Uint64(),
		// The number must not be confused with the purpose's bytes.
		"swap": Stream(4, "negatives", 1).Uint64(),
	} {
		if other == base {
			t.Errorf("another %s gives the same stream", name)
		}
	}
}
