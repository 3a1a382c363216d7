package texts_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// wordy writes long answers.
type wordy struct{ words string }

func (wordy) ID() string { return "wordy" }

func (w wordy) Reason(_ context.Context, r texts.ReasonRequest) (texts.Answer, error) {
	return texts.Answer{Text: r.User + w.words, Model: "wordy"}, nil
}

// liveHeap is what is in use after a collection.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A run holds a block of answers at a time, however many there are.
func TestTextsAreNotHeldTogether(t *testing.T) {
	const users, size = 3000, 20 << 10 // 60 MB of answers
	d, catalogue := shop(users, 40, 2)
	h, s := d.TrainHistories(), newLedger(t)
	w := wordy{strings.Repeat(" word", size/5)}
	before := liveHeap()
	for _, again := range []bool{false, true} {
		most := uint64(0)
		written, report, err := texts.ReasonUsers(t.Context(), h, d.UserIDs, catalogue, w, s, texts.ReasonOptions{Options: quick})
		if err != nil || report.Total != users || (report.Stored > 0) != again {
			t.Fatalf("%+v, %v", report, err)
		}
		most = max(most, liveHeap())
		n := 0
		for x, err := range written.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if want := x.User + w.words; x.By == "wordy" && x.Text != want || x.User != fmt.Sprint("u", n) {
				t.Fatalf("text %d is of %s: %.20q", n, x.User, x.Text)
			}
			if n++; n%300 == 0 {
				most = max(most, liveHeap())
			}
		}
		if n != users {
			t.Errorf("%d texts", n)
		}
		if grown := int(most) - int(before); grown > 24<<20 {
			t.Errorf("again=%v: the heap grew by %d MB", again, grown>>20)
		}
	}
}

// vanishing is a store that loses an answer after the run.
type vanishing struct {
	texts.Store
	lost string
}

func (v *vanishing) Get(ctx context.Context, keys []string) (map[string]texts.Generation, error) {
	found, err := v.Store.Get(ctx, keys)
	delete(found, v.lost)
	return found, err
}

func TestTextsNoticeALostAnswer(t *testing.T) {
	d, catalogue := shop(600, 40, 2)
	s := &vanishing{Store: newLedger(t)}
	written, _, err := texts.ReasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, &echo{id: "e"}, s, texts.ReasonOptions{Options: quick})
	if err != nil {
		t.Fatal(err)
	}
	all, err := written.Collect(t.Context())
	if err != nil || len(all) != 600 {
		t.Fatalf("%d texts, %v", len(all), err)
	}
	s.lost = all[400].Key
	read := 0
	for _, err = range written.All(t.Context()) {
		if err != nil {
			break
		}
		read++
	}
	if err == nil || !strings.Contains(err.Error(), s.lost) || read != 400 {
		t.Errorf("after %d texts: %v", read, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := written.Collect(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// What is missing has a fallback, and a picture that went away meanwhile loses its
// description only.
func TestFallbackTextsReadThePictureAgain(t *testing.T) {
	items, images := shelfOf("a", "b")
	d := &seer{fail: failing("a", "b")}
	opt := texts.DescribeOptions{Options: texts.Options{Backoff: 1, Attempts: 1}, Fallback: &seer{}}
	written, report, err := texts.DescribeItems(t.Context(), items, images, d, newLedger(t), opt)
	if err != nil || report.Quarantined != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	delete(images, "b")
	got, err := written.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []workspace.ItemText{
		{Item: "a", Text: "It shows a.", ImageText: "It shows a.", By: "seer", Status: workspace.StatusFallback},
		{Item: "b", By: texts.ByMetadata, Status: workspace.StatusFallback},
	} {
		if got[i].Key == "" {
			t.Errorf("item %s has no key", got[i].Item)
		}
		if got[i].Key = ""; got[i] != want {
			t.Errorf("got  %+v\nwant %+v", got[i], want)
		}
	}
}
