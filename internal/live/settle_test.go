package live

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// model is a store that stores events one batch after the other, as plainly as can be.
type model struct{ events []Event }

func (m *model) add(batch []Event) ([]Receipt, bool) {
	events := m.events
	var receipts []Receipt
	for _, e := range batch {
		found := false
		for _, old := range events {
			if e.Key != "" && old.Key == e.Key {
				if old.Item != e.Item {
					return nil, false
				}
				receipts, found = append(receipts, Receipt{Seq: old.Seq, Again: true}), true
				break
			}
		}
		if !found {
			e.Seq = int64(len(events) + 1)
			events = append(events[:len(events):len(events)], e)
			receipts = append(receipts, Receipt{Seq: e.Seq})
		}
	}
	m.events = events
	return receipts, true
}

// Batches that share a commit come to what they would come to one after the other.
func TestSettleIsAsOneAfterTheOther(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	conflicts, repeats := 0, 0
	for range 300 {
		var plain model
		var stored []Event
		for range 1 + rng.IntN(4) { // commits
			batches := make([][]Event, 1+rng.IntN(5))
			known := map[string]Event{}
			for b := range batches {
				for range 1 + rng.IntN(4) {
					e := Event{User: "u", Item: fmt.Sprint(rng.IntN(12) / 11), Type: View}
					if k := rng.IntN(12); k > 0 {
						e.Key = fmt.Sprint("k", k)
					}
					batches[b] = append(batches[b], e)
					for _, old := range stored {
						if e.Key != "" && old.Key == e.Key {
							known[e.Key] = old
						}
					}
				}
			}
			outcomes, fresh := Settle(batches, known, int64(len(stored)))
			stored = append(stored, fresh...)
			for b, batch := range batches {
				want, fine := plain.add(batch)
				if (outcomes[b].Err == nil) != fine || !cmp.Equal(outcomes[b].Receipts, want) {
					t.Fatalf("%+v: %+v, want %+v, %v", batch, outcomes[b], want, fine)
				}
				if !fine {
					conflicts++
				}
				for _, r := range want {
					if r.Again {
						repeats++
					}
				}
			}
			if diff := cmp.Diff(plain.events, stored); diff != "" {
				t.Fatal(diff)
			}
		}
	}
	if conflicts < 100 || repeats < 100 {
		t.Errorf("%d conflicts and %d repeats only", conflicts, repeats)
	}
}

func FuzzSecretID(f *testing.F) {
	_, text := newSecret()
	for _, s := range []string{text, text[1:], text + "0", "", "mllmrec_", "mllmrec_0123456789ab_", "Mllmrec_" + text[8:]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, ok := SecretID(s)
		if !ok {
			if id != "" && len(id) > len(s) {
				t.Errorf("%q", id)
			}
			return
		}
		k := Key{ID: id, KeyState: KeyState{Hash: hashOf(s)}}
		if len(s) != secretLength || len(id) != 2*idBytes || s[:len(secretPrefix)+len(id)] != secretPrefix+id || !k.Opens(s) {
			t.Errorf("%q leads to %q", s, id)
		}
	})
}
