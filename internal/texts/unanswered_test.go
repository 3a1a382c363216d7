package texts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
)

var _ writer.ConclusionStore = texts.StoredConclusions{}

// What was answered by another way than a run (a batch file) must be what a run finds.
func TestUnansweredPreferencesSettledOutsideARun(t *testing.T) {
	d, catalogue := shop(400, 40, 4)
	h, s := d.TrainHistories(), newLedger(t)
	opt := texts.ReasonOptions{Options: quick, Folds: 2}
	collect := func() (qs []texts.Question) {
		if err := texts.UnansweredPreferences(t.Context(), h, d.UserIDs, catalogue, &echo{id: "e"}, s, opt, func(q texts.Question) error {
			qs = append(qs, q)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return qs
	}
	questions := collect()
	var gs []texts.Generation
	for i, q := range questions {
		if i%3 == 0 {
			gs = append(gs, q.Settle(texts.Answer{PromptTokens: 7}, failWith(mllm.CutOff)))
			continue
		}
		gs = append(gs, q.Settle(texts.Answer{Text: shownText(*q.Reason), Model: "echo", ModelDigest: "d1"}, nil))
	}
	if err := s.Put(t.Context(), gs); err != nil {
		t.Fatal(err)
	}
	left := collect()
	if len(left) != (len(questions)+2)/3 || left[0].About.Attempt != 1 || left[0].About.PromptTokens != 7 {
		t.Errorf("%d of %d left, the first is %+v", len(left), len(questions), left[0].About)
	}
	e := &echo{id: "e"}
	written, report, err := reasonUsers(t.Context(), h, d.UserIDs, catalogue, e, s, opt)
	if err != nil || e.total() != len(left) || report.Stored != len(questions)-len(left) {
		t.Errorf("%d asked, %+v, %v", e.total(), report, err)
	}
	want, _, err := reasonUsers(t.Context(), h, d.UserIDs, catalogue, &echo{id: "e"}, newLedger(t), opt)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, written); diff != "" {
		t.Error(diff)
	}
	stop := errors.New("enough")
	err = texts.UnansweredPreferences(t.Context(), h, d.UserIDs, catalogue, &echo{id: "other"}, s, opt, func(texts.Question) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("the callback's error is hidden: %v", err)
	}
}

func TestUnansweredDescriptions(t *testing.T) {
	items := []dataset.Item{{ID: "a", Image: "a"}, {ID: "b"}, {ID: "c", Image: "gone"}, {ID: "d", Image: "d"}}
	images := shelf{"a": "x", "d": "y"}
	s := newLedger(t)
	var got []string
	each := func(q texts.Question) error {
		got = append(got, q.Describe.Item.ID)
		return s.Put(t.Context(), []texts.Generation{q.Settle(texts.Answer{Text: "It shows\n" + string(q.Describe.Image.Data) + "\x00.", Model: "seer"}, nil)})
	}
	failures, err := texts.UnansweredDescriptions(t.Context(), items, images, &seer{}, s, texts.DescribeOptions{}, each)
	if err != nil || len(failures) != 1 || failures[0].Subject != "c" || !cmp.Equal(got, []string{"a", "d"}) {
		t.Errorf("asked %v, failures %v, %v", got, failures, err)
	}
	d := &seer{}
	if _, report, err := describeItems(t.Context(), items, images, d, s, texts.DescribeOptions{}); err != nil || d.asked != 0 || report.Stored != 2 {
		t.Errorf("%d asked, %+v, %v", d.asked, report, err)
	}
}

func TestSteps(t *testing.T) {
	steps := texts.StoredConclusions{Store: newLedger(t)}
	if _, known, err := steps.Conclusion(t.Context(), "k"); known || err != nil {
		t.Fatal(known, err)
	}
	a := texts.Answer{Text: "so far: socks", Model: "m", ModelDigest: "d", PromptHash: "p", PromptTokens: 3, AnswerTokens: 4, Seconds: 1, Attempt: 2, Finish: "stop"}
	if err := steps.PutConclusion(t.Context(), "k", texts.ReasonRequest{User: "u", Fold: 1}, a); err != nil {
		t.Fatal(err)
	}
	got, known, err := steps.Conclusion(t.Context(), "k")
	if diff := cmp.Diff(a, got); diff != "" || !known || err != nil {
		t.Error(known, err, diff)
	}
}

// latest reads the last two items only, and says so.
type latest struct{ echo }

func (*latest) RequestID(r texts.ReasonRequest) string {
	if len(r.Items) <= 2 {
		return "whole"
	}
	return "cut"
}
func (*latest) FirstShown(r texts.ReasonRequest) int { return max(0, len(r.Items)-2) }

func TestPartialReadersSourcesAndIDs(t *testing.T) {
	d, catalogue := shop(10, 40, 4)
	h, s := d.TrainHistories(), newLedger(t)
	for i, want := range []int{8, 0} {
		e := &latest{echo{id: []string{"window=1", "window=2"}[i]}}
		written, _, err := reasonUsers(t.Context(), h, d.UserIDs, catalogue, e, s, texts.ReasonOptions{})
		if err != nil || e.total() != want {
			t.Errorf("%d asked, want %d; %v", e.total(), want, err)
		}
		all := h.Sources(4)
		if !cmp.Equal(written[4].Sources, all[len(all)-2:]) || len(written[1].Sources) != 1 {
			t.Errorf("sources %v of %v", written[4].Sources, all)
		}
	}
}

// A refusal that every question gets ends the run with the server's words; one that some get,
// or that came without an HTTP error, does not.
func TestRefusalOfEveryQuestionEndsTheRun(t *testing.T) {
	d, catalogue := shop(20, 40, 4)
	refusal := &mllm.Error{Class: mllm.Refused, Status: 400, Err: errors.New("this model takes no system prompt")}
	opt := texts.ReasonOptions{Options: quick, Fallback: offline.NewReasoner(nil)}
	opt.EndRefused = true
	asked := 0
	for name, c := range map[string]struct {
		fault func(r texts.ReasonRequest) error
		ends  bool
	}{
		"every question": {func(texts.ReasonRequest) error { return refusal }, true},
		"every one but one": {func(texts.ReasonRequest) error {
			if asked++; asked == 5 {
				return nil
			}
			return refusal
		}, false},
		"withheld by filter": {func(texts.ReasonRequest) error { return &mllm.Error{Class: mllm.Refused, Err: errors.New("filtered")} }, false},
	} {
		e := &echo{id: "e", fault: c.fault}
		opt.Concurrency = 1
		_, report, err := reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, e, newLedger(t), opt)
		if (err != nil) != c.ends || c.ends && (!strings.Contains(err.Error(), "takes no system prompt") || report.Asked != 8) {
			t.Errorf("%s: asked %d, %v", name, report.Asked, err)
		}
	}
}
