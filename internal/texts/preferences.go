package texts

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/folds"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// NeutralPreference is the preference text of a user who has no items to reason from: a
// user without train items, or a user whose only item is in the fold that a blind text
// leaves out. No model is asked. The text has function words only, so that it carries no
// meaning for LSA either.
const NeutralPreference = "There is nothing about them yet."

// ByNeutral is the value of [workspace.UserText.By] for [NeutralPreference].
const ByNeutral = "neutral"

// ReasonOptions are the options of [ReasonUsers].
type ReasonOptions struct {
	Options
	// Folds is K of the cross-fitting: each user's items are distributed over K folds, and
	// for each fold a blind text is written, which leaves that fold's items out. 0: no
	// blind texts, as in the paper.
	Folds int
	// FoldMinItems is the least number of items for which a user gets blind texts.
	FoldMinItems int
	Seed         uint64   // of the folds
	Only         []int32  // users who get a text; nil: all of them
	Fallback     Reasoner // is asked where Reasoner fails; nil: the text stays empty
}

// Catalogue joins the items with the descriptions of their pictures, in catalogue order.
// [ReasonUsers] shows histories from it.
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

// ReasonUsers writes every user's preference (Eq. 3–4) from h alone: one full text a user,
// and with Folds up to K blind texts. users are the users' ids in row order, catalogue the
// items in row order.
//
// The order is that of the file of preference texts: the full texts by user, then those
// that leave out fold 0 by user, and so on. Questions are asked in that order too, so that
// a run that is cut short has the full texts first. A blind text is not written where it
// would equal the full one: for an empty fold, and for users with fewer items than
// FoldMinItems. Use [Preferences] to read the result. A text from no items at all is
// [NeutralPreference]. Answers, failures and errors are handled as in [DescribeItems].
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

// plan lists the texts to write: the full ones, then fold by fold those of the users who
// have items in that fold.
func (w *preferenceWriter) plan() {
	blind := make([][]task, w.opt.Folds)
	used := make([]bool, w.opt.Folds)
	users := w.opt.Only
	if users == nil {
		users = everybody(w.h.Users())
	}
	w.tasks = make([]task, 0, len(users))
	for _, u := range users {
		w.tasks = append(w.tasks, task{u, FullFold})
		n := len(w.h.Items(int(u)))
		if w.opt.Folds == 0 || n < w.opt.FoldMinItems {
			continue
		}
		clear(used)
		for _, f := range folds.Of(w.users[u], n, w.opt.Folds, w.opt.Seed) {
			used[f] = true
		}
		for f, any := range used {
			if any {
				blind[f] = append(blind[f], task{u, int32(f)})
			}
		}
	}
	for _, tasks := range blind {
		w.tasks = append(w.tasks, tasks...)
	}
}

func everybody(n int) []int32 {
	all := make([]int32, n)
	for u := range all {
		all[u] = int32(u)
	}
	return all
}

// shown returns the positions of the user's history that a task may show to the reasoner.
func (w *preferenceWriter) shown(t task) []int {
	n := len(w.h.Items(int(t.user)))
	at := make([]int, 0, n)
	var foldOf []uint8
	if t.fold != FullFold {
		foldOf = folds.Of(w.users[t.user], n, w.opt.Folds, w.opt.Seed)
	}
	for i := range n {
		if foldOf == nil || int32(foldOf[i]) != t.fold {
			at = append(at, i)
		}
	}
	return at
}

// request makes the request of a task; hasWords is false if no item shown has any text.
func (w *preferenceWriter) request(t task) (req ReasonRequest, digests [][32]byte, p provenance, hasWords bool) {
	rows, ids := w.h.Items(int(t.user)), w.h.Sources(int(t.user))
	req = ReasonRequest{User: w.users[t.user], Fold: int(t.fold), Domain: w.opt.Domain, Attempt: 1}
	p = provenance{split: w.h.SplitHash(), scope: string(w.h.Scope()), sources: []int32{}}
	for _, i := range w.shown(t) {
		it := w.catalogue[rows[i]]
		hasWords = hasWords || w.hasWords[rows[i]]
		req.Items = append(req.Items, it)
		digests = append(digests, w.digests[rows[i]])
		p.sources = append(p.sources, ids[i])
	}
	return req, digests, p, hasWords
}

// question implements preparer for task i.
func (w *preferenceWriter) question(_ context.Context, r *run, i int) (*question, error) {
	req, digests, p, hasWords := w.request(w.tasks[i])
	if !hasWords {
		r.settle(i, notAsked, func(rep *Report) { rep.Neutral++ })
		return nil, nil
	}
	id := w.id
	if byRequest, ok := w.reasoner.(RequestIdentifier); ok {
		id = byRequest.RequestID(req)
	}
	key := reasonKey(id, req, digests, p)
	if truncator, ok := w.reasoner.(HistoryTruncator); ok {
		p.sources = p.sources[min(max(truncator.FirstShown(req), 0), len(p.sources)):]
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

// text makes the text of task i: the answer, the fallback's answer, or the neutral text.
func (w *preferenceWriter) text(ctx context.Context, i int, key string, g *Generation) workspace.UserText {
	t := workspace.UserText{User: w.users[w.tasks[i].user], Fold: w.tasks[i].fold, Key: key, SplitHash: w.h.SplitHash(), Scope: string(w.h.Scope()), Status: workspace.StatusOK}
	if g != nil {
		t.Text, t.By, t.Sources = Clean(g.Text), writerName(g.Model, g.ModelDigest), g.Sources
		return t
	}
	req, _, p, hasWords := w.request(w.tasks[i])
	t.Sources = p.sources
	if !hasWords {
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

// Preferences arranges texts for encoding: the full texts in the order of users, and for
// each fold the blind texts in the order of users. A user without a blind text for a fold
// has the full text there, which would be the same.
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

// CountTexts counts the texts that [ReasonUsers] writes from h: one full text a user, and
// one blind text for each fold that has items.
func (o ReasonOptions) CountTexts(h *dataset.Histories) int {
	n := h.Users()
	for u := range h.Users() {
		if items := len(h.Items(u)); o.Folds > 0 && items >= o.FoldMinItems {
			n += min(items, o.Folds)
		}
	}
	return n
}
