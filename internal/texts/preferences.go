package texts

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// NeutralPreference is the text of a preference from no items: a user without train
// items, or a blind text of a user whose only item it is blind to. Nobody is asked. Its
// words are function words only, so that it says nothing to a bag of words either.
const NeutralPreference = "There is nothing about them yet."

// ByNeutral marks such texts in [workspace.UserText.By].
const ByNeutral = "neutral"

// ReasonOptions are the options of [ReasonUsers].
type ReasonOptions struct {
	Options
	// Folds is K, the number of parts that each user's items are dealt into; for each a
	// further text is written that is blind to it. 0: none, as in the paper.
	Folds int
	// FoldsFor limits blind texts to users with at least so many items.
	FoldMinItems int
	Seed         uint64   // of the folds
	Fallback     Reasoner // stands in where Reasoner fails; nil: an empty text does
}

// Catalogue joins the items with the descriptions of their pictures, in catalogue order:
// what [ReasonUsers] shows of a history.
func Catalogue(items []dataset.Item, texts []workspace.ItemText) ([]HistoryItem, error) {
	if len(items) != len(texts) {
		return nil, fmt.Errorf("%d item texts for %d items", len(texts), len(items))
	}
	out := make([]HistoryItem, len(items))
	for i, it := range items {
		if texts[i].Item != it.ID {
			return nil, fmt.Errorf("item text %d is about %q, the catalogue has %q there", i, texts[i].Item, it.ID)
		}
		out[i] = HistoryItem{Item: it, ImageText: texts[i].ImageText}
	}
	return out, nil
}

// ReasonUsers writes every user's preference (Eq. 3–4) from the histories handed over
// and from nothing else: one full text each, and with Folds up to K blind ones. users
// are the users' ids in row order, catalogue the items in row order.
//
// The texts come in the order of the file that keeps them: the full ones by user, then
// those blind to fold 0 by user, and so on. They are asked for in that order too, so that
// a run cut short has the full ones first. A blind text is left out where it would equal the full one: for a fold that is empty
// because the user has fewer items than folds, and for users below FoldsFor. Use
// [Preferences] to read the result. A text from no items at all is [NeutralPreference].
// Answers, failures and errors are as in [DescribeItems].
func ReasonUsers(ctx context.Context, h *dataset.Histories, users []string, catalogue []HistoryItem, reasoner Reasoner, store Store, opt ReasonOptions) (*Texts[workspace.UserText], Report, error) {
	w, err := newPreferenceWriter(h, users, catalogue, reasoner, opt)
	if err != nil {
		return nil, Report{}, err
	}
	places, report, err := runQuestions(ctx, StageReason, len(w.tasks), store, opt.Options, w.question)
	if err != nil {
		return nil, report, err
	}
	return &Texts[workspace.UserText]{stage: StageReason, store: store, index: places, text: w.text}, report, nil
}

func newPreferenceWriter(h *dataset.Histories, users []string, catalogue []HistoryItem, reasoner Reasoner, opt ReasonOptions) (*preferenceWriter, error) {
	if len(users) != h.Users() || len(catalogue) != h.NumItems() {
		return nil, fmt.Errorf("reason: %d users and %d items for histories of %d users over %d items", len(users), len(catalogue), h.Users(), h.NumItems())
	}
	if opt.Folds < 0 || opt.Folds == 1 || opt.Folds > workspace.MaxFolds {
		return nil, usererr.New("Use 0 for no cross-fitting.", "%d folds: must be 0 or 2 to %d", opt.Folds, workspace.MaxFolds)
	}
	if opt.FoldMinItems > 0 && opt.Folds == 0 {
		return nil, usererr.New("Set the number of folds too.", "a least history for folds has no effect without folds")
	}
	w := &preferenceWriter{h: h, users: users, catalogue: catalogue, reasoner: reasoner, id: reasoner.ID(), opt: opt}
	w.digestItems()
	w.plan()
	return w, nil
}

// task is one text to write.
type task struct {
	user int32
	fold int32
}

type preferenceWriter struct {
	h         *dataset.Histories
	users     []string
	catalogue []HistoryItem
	digests   [][32]byte // of catalogue
	hasWords  []bool     // which items of catalogue have words
	reasoner  Reasoner
	id        string
	opt       ReasonOptions
	tasks     []task
}

func (w *preferenceWriter) digestItems() {
	w.digests, w.hasWords = make([][32]byte, len(w.catalogue)), make([]bool, len(w.catalogue))
	for i, it := range w.catalogue {
		w.digests[i], w.hasWords[i] = itemDigest(it), it.Text() != ""
	}
}

// plan lists the texts: the full ones first, then fold by fold those of the users who
// have items in it.
func (w *preferenceWriter) plan() {
	blind := make([][]task, w.opt.Folds)
	used := make([]bool, w.opt.Folds)
	w.tasks = make([]task, 0, w.h.Users())
	for u := range w.h.Users() {
		w.tasks = append(w.tasks, task{int32(u), FullFold})
		n := len(w.h.Items(u))
		if w.opt.Folds == 0 || n < w.opt.FoldMinItems {
			continue
		}
		clear(used)
		for _, f := range Folds(w.users[u], n, w.opt.Folds, w.opt.Seed) {
			used[f] = true
		}
		for f, any := range used {
			if any {
				blind[f] = append(blind[f], task{int32(u), int32(f)})
			}
		}
	}
	for _, tasks := range blind {
		w.tasks = append(w.tasks, tasks...)
	}
}

// shown returns the positions in the user's history that a task may see.
func (w *preferenceWriter) shown(t task) []int {
	n := len(w.h.Items(int(t.user)))
	at := make([]int, 0, n)
	var folds []uint8
	if t.fold != FullFold {
		folds = Folds(w.users[t.user], n, w.opt.Folds, w.opt.Seed)
	}
	for i := range n {
		if folds == nil || int32(folds[i]) != t.fold {
			at = append(at, i)
		}
	}
	return at
}

// request is what a task shows, and whether any of it has words.
func (w *preferenceWriter) request(t task) (req ReasonRequest, digests [][32]byte, p provenance, worded bool) {
	rows, ids := w.h.Items(int(t.user)), w.h.Sources(int(t.user))
	req = ReasonRequest{User: w.users[t.user], Fold: int(t.fold), Domain: w.opt.Domain, Attempt: 1}
	p = provenance{split: w.h.SplitHash(), scope: string(w.h.Scope()), sources: []int32{}}
	for _, i := range w.shown(t) {
		it := w.catalogue[rows[i]]
		worded = worded || w.hasWords[rows[i]]
		req.Items = append(req.Items, it)
		digests = append(digests, w.digests[rows[i]])
		p.sources = append(p.sources, ids[i])
	}
	return req, digests, p, worded
}

// question is a preparer.
func (w *preferenceWriter) question(_ context.Context, r *run, i int) (*question, error) {
	req, digests, p, worded := w.request(w.tasks[i])
	if !worded {
		r.settle(i, notAsked, func(rep *Report) { rep.Neutral++ })
		return nil, nil
	}
	id := w.id
	if precise, ok := w.reasoner.(RequestIdentifier); ok {
		id = precise.RequestID(req)
	}
	key := reasonKey(id, req, digests, p)
	if partial, ok := w.reasoner.(HistoryTruncator); ok {
		p.sources = p.sources[min(max(partial.FirstShown(req), 0), len(p.sources)):]
	}
	return &question{
		reason: &req,
		about:  Generation{Key: key, Stage: StageReason, Subject: req.User, Fold: req.Fold, SplitHash: p.split, Scope: p.scope, Sources: p.sources},
		ask: func(ctx context.Context, attempt int) (Answer, error) {
			req.Attempt = attempt
			return w.reasoner.Reason(ctx, req)
		},
	}, nil
}

// text is the text of task i: the answer, the fallback's, or the neutral one.
func (w *preferenceWriter) text(ctx context.Context, i int, key string, g *Generation) workspace.UserText {
	t := workspace.UserText{User: w.users[w.tasks[i].user], Fold: w.tasks[i].fold, Key: key, SplitHash: w.h.SplitHash(), Scope: string(w.h.Scope()), Status: workspace.StatusOK}
	if g != nil {
		t.Text, t.By, t.Sources = Clean(g.Text), writerName(g.Model, g.ModelDigest), g.Sources
		return t
	}
	req, _, p, worded := w.request(w.tasks[i])
	t.Sources = p.sources
	if !worded {
		t.Text, t.By = NeutralPreference, ByNeutral
		return t
	}
	t.Status = workspace.StatusFallback
	if w.opt.Fallback != nil {
		if a, err := w.opt.Fallback.Reason(ctx, req); err == nil {
			t.Text, t.By = Clean(a.Text), writerName(a.Model, a.ModelDigest)
		}
	}
	return t
}

// Preferences arranges texts for encoding: the full ones in the order of users, and for
// each fold the blind ones, the full text standing in where there is no blind one
// because it would be the same.
func Preferences(texts []workspace.UserText, users []string) (full []string, blind [][]string, err error) {
	row := make(map[string]int, len(users))
	for u, id := range users {
		row[id] = u
	}
	full = make([]string, len(users))
	have := make([]bool, len(users))
	folds := 0
	for _, t := range texts {
		u, known := row[t.User]
		if !known {
			return nil, nil, fmt.Errorf("preference text of user %q, who is not in the data set", t.User)
		}
		if t.Fold == FullFold {
			full[u], have[u] = t.Text, true
		}
		folds = max(folds, int(t.Fold)+1)
	}
	for u, ok := range have {
		if !ok {
			return nil, nil, fmt.Errorf("user %q has no preference text", users[u])
		}
	}
	blind = make([][]string, folds)
	for f := range blind {
		blind[f] = append([]string(nil), full...)
	}
	for _, t := range texts {
		if t.Fold != FullFold {
			blind[t.Fold][row[t.User]] = t.Text
		}
	}
	return full, blind, nil
}
