package dataset

import "testing"

// The rule that leak safety rests on: what learns or writes is shown train
// interactions, all of them and no others; the view that shows more says so.
func TestHistoriesShowTrainOnly(t *testing.T) {
	d := &Dataset{UserIDs: []string{"a", "b"}, Items: make([]Item, 4)}
	labels := []Label{Train, Train, Valid, Test}
	for u := range d.UserIDs {
		for i, l := range labels {
			d.Append(Interaction{User: int32(u), Item: int32((i + u) % 4), Label: l, Time: int64(i)})
		}
	}
	train, all := d.TrainHistories(), d.LeakyHistories()
	if train.Leaky() || !all.Leaky() || train.Scope() != ScopeTrain || all.Scope() != ScopeAll {
		t.Errorf("train view leaky %v, whole view leaky %v", train.Leaky(), all.Leaky())
	}
	if train.Len() != 4 || all.Len() != 8 {
		t.Fatalf("%d interactions in the train view and %d in the whole one, want 4 and 8", train.Len(), all.Len())
	}
	for u, name := range d.UserIDs {
		if train.UserID(u) != name {
			t.Errorf("user %d is called %q, want %q", u, train.UserID(u), name)
		}
		for n, id := range train.Sources(u) {
			x := d.interactions[id]
			if x.Label != Train || int(x.User) != u || x.Item != train.Items(u)[n] || x.Time != train.Times(u)[n] {
				t.Errorf("user %d is shown interaction %d: %+v", u, id, x)
			}
		}
	}
}
