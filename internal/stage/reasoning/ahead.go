package reasoning

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// askFirst is how long a server has to tell of its model before its absence is accepted.
const askFirst = 3 * time.Second

// HistoryPrompt is what would be sent about a user, and into what it is fitted.
type HistoryPrompt struct {
	prompt.Prompt
	Steps   int  // prompts that the history takes; this is the first
	Window  int  // tokens that each must fit into together with its answer
	Assumed bool // no server told what its model reads, and the user set no window
}

// Prompt returns what would be sent about a user (Eq. 3–4).
func Prompt(ctx context.Context, s *stage.Session, opt Options, user string) (HistoryPrompt, error) {
	if opt.Writer.Free() {
		return HistoryPrompt{}, asking.ErrOfflinePrompt()
	}
	address, err := describedItems(s.WS)
	if err != nil {
		return HistoryPrompt{}, err
	}
	ds, err := s.Dataset()
	if err != nil {
		return HistoryPrompt{}, err
	}
	u := slices.Index(ds.UserIDs, user)
	if u < 0 {
		return HistoryPrompt{}, usererr.Of(usererr.KindUnknown, "Ids are those of the imported interactions.", "unknown user %q", user)
	}
	catalogue, corpus, err := Catalogue(s.WS, address)
	if err != nil {
		return HistoryPrompt{}, err
	}
	req := requestOf(ds, opt.Preference.Histories(ds), catalogue, u)
	if len(req.Items) == 0 {
		return HistoryPrompt{}, usererr.New("Nobody is asked about such a user; the text is neutral.", "user %q has no items in the history", user)
	}
	r, answered, err := askSoon(ctx, opt, corpus)
	if err != nil {
		return HistoryPrompt{}, err
	}
	shown := HistoryPrompt{Window: r.Options().Window, Assumed: !answered && opt.Long.Window == 0 && opt.Writer.Answers.NumCtx == 0}
	shown.Prompt, shown.Steps, err = r.Prompts(req)
	return shown, err
}

// describedItems returns the address of the current item texts.
func describedItems(ws *workspace.Workspace) (string, error) {
	address, _, ok := ws.Current(workspace.KindItemTexts)
	if !ok {
		return "", stage.NotReady(ws, workspace.StageDescribe)
	}
	return address, nil
}

// askSoon asks the server about its model's window if it answers soon; answered is false
// where it does not.
func askSoon(ctx context.Context, opt Options, corpus []string) (_ *writer.Reasoner, answered bool, err error) {
	b, err := backend.Open(opt.Writer)
	if err != nil {
		return nil, false, err
	}
	soon, cancel := context.WithTimeout(ctx, askFirst)
	defer cancel()
	r, err := b.Reasoner(soon, corpus, opt.Long, nil)
	if err == nil {
		return r.(*writer.Reasoner), true, nil
	}
	if !backend.Unreachable(err) || ctx.Err() != nil {
		return nil, false, errors.Join(err, ctx.Err())
	}
	if b, err = backend.WithoutServer(opt.Writer); err != nil {
		return nil, false, err
	}
	if r, err = b.Reasoner(ctx, corpus, opt.Long, nil); err != nil {
		return nil, false, err
	}
	return r.(*writer.Reasoner), false, nil
}

// requestOf is the question about a user's whole history.
func requestOf(ds *dataset.Dataset, h *dataset.Histories, catalogue []texts.HistoryItem, u int) texts.ReasonRequest {
	req := texts.ReasonRequest{User: ds.UserIDs[u], Fold: texts.FullFold, Domain: ds.Domain, Attempt: 1}
	for _, i := range h.Items(u) {
		req.Items = append(req.Items, catalogue[i])
	}
	return req
}

// Estimate reckons what reasoning will still take. No model is asked.
func Estimate(ctx context.Context, s *stage.Session, opt Options, tokensPerSecond float64) (*asking.Estimate, error) {
	return asking.MakeEstimate(ctx, s.WS, workspace.StageReason, opt.Writer, tokensPerSecond, func(e *asking.Estimate, rates writer.Rates, store texts.Store) error {
		return estimate(ctx, s, opt, e, rates, store)
	})
}

func estimate(ctx context.Context, s *stage.Session, opt Options, e *asking.Estimate, rates writer.Rates, store texts.Store) error {
	wopt, err := opt.Writer.Writer(opt.Long, nil)
	if err != nil {
		return err
	}
	ds, err := s.Dataset()
	if err != nil {
		return err
	}
	catalogue, err := likelyCatalogue(s.WS, ds, wopt)
	if err != nil {
		return err
	}
	corpus := make([]string, len(catalogue))
	for i, it := range catalogue {
		corpus[i] = it.Item.Text() + " " + it.ImageText
	}
	wopt.LongestItem = writer.LongestItem(corpus)
	h := opt.Preference.Histories(ds)
	topt := opt.Preference.asked(texts.Options{Domain: ds.Domain})
	unanswered := func(r texts.Reasoner, s texts.Store, fn func(texts.Question) error) error {
		return texts.UnansweredPreferences(ctx, h, ds.UserIDs, catalogue, r, s, topt, fn)
	}
	reasoner, answered, err := likelyReasoner(ctx, store, opt, corpus, func(r texts.Reasoner) (int, error) {
		var found atomic.Int64
		err := unanswered(r, countingStore{store, &found}, func(texts.Question) error { return nil })
		return int(found.Load()), err
	})
	if err != nil {
		return err
	}
	e.Answered = answered
	var failed error
	var requests iter.Seq[texts.ReasonRequest] = func(yield func(texts.ReasonRequest) bool) {
		failed = unanswered(reasoner, store, func(q texts.Question) error {
			if !yield(*q.Reason) {
				return asking.ErrEnough
			}
			return nil
		})
	}
	e.Estimate, err = writer.EstimateReason(wopt, requests, rates)
	if errors.Is(failed, asking.ErrEnough) {
		failed = nil
	}
	return errors.Join(err, failed)
}

// likelyCatalogue is the catalogue with the descriptions there are; before there are any,
// with stand-ins as long as descriptions may be.
func likelyCatalogue(ws *workspace.Workspace, ds *dataset.Dataset, opt writer.Options) ([]texts.HistoryItem, error) {
	if address, _, ok := ws.Current(workspace.KindItemTexts); ok {
		catalogue, _, err := Catalogue(ws, address)
		return catalogue, err
	}
	words := opt.Limits.Words
	if words == 0 {
		words = texts.MaxWords
	}
	standIn := strings.Repeat("picture ", words)
	catalogue := make([]texts.HistoryItem, len(ds.Items))
	for i, it := range ds.Items {
		catalogue[i] = texts.HistoryItem{Item: it}
		if it.Image != "" {
			catalogue[i].ImageText = standIn
		}
	}
	return catalogue, nil
}

// likelyReasoner returns the reasoner with the weights that wrote most of the preferences
// asked for, and how many those are; count counts what a reasoner finds.
func likelyReasoner(ctx context.Context, store texts.Store, opt Options, corpus []string, count func(texts.Reasoner) (int, error)) (best texts.Reasoner, answered int, err error) {
	all, err := asking.LikelyWriters(ctx, store, texts.StageReason, opt.Writer, func(b *backend.Backend) (texts.Reasoner, error) {
		return b.Reasoner(ctx, corpus, opt.Long, nil)
	})
	if err != nil {
		return nil, 0, err
	}
	for _, r := range all {
		n, err := count(r)
		if err != nil {
			return nil, 0, err
		}
		if best == nil || n > answered {
			best, answered = r, n
		}
	}
	return best, answered, nil
}

// countingStore counts the answers that it is asked for and has.
type countingStore struct {
	texts.Store
	found *atomic.Int64
}

func (s countingStore) Statuses(ctx context.Context, keys []string) (map[string]texts.AnswerStatus, error) {
	got, err := s.Store.Statuses(ctx, keys)
	for _, g := range got {
		if g.Status == texts.StatusOK {
			s.found.Add(1)
		}
	}
	return got, err
}

// Sample asks each writer about the same n users, spread evenly over those with a history,
// for a person to compare. The answers are kept in the ledger like any others.
func Sample(ctx context.Context, s *stage.Session, n int, opt Options) (*writer.Sheet, error) {
	return asking.MakeSheet(ctx, s.WS, workspace.StageReason, n, opt.Writer.Shared.Store, func(sheet *writer.Sheet, store texts.Store) error {
		return sample(ctx, s, sheet, n, opt, store)
	})
}

func sample(ctx context.Context, s *stage.Session, sheet *writer.Sheet, n int, opt Options, store texts.Store) error {
	address, err := describedItems(s.WS)
	if err != nil {
		return err
	}
	catalogue, corpus, err := Catalogue(s.WS, address)
	if err != nil {
		return err
	}
	ds, err := s.Dataset()
	if err != nil {
		return err
	}
	h := opt.Preference.Histories(ds)
	chosen := choose(sheet, n, ds, h, catalogue)
	for _, one := range opt.Writer.Each() {
		b, err := backend.Open(one)
		if err != nil {
			return err
		}
		r, err := b.Reasoner(ctx, corpus, opt.Long, texts.StoredConclusions{Store: store})
		if err != nil {
			return err
		}
		s.Say(workspace.StageReason, "asking %s about %d users", one.Label(), len(chosen))
		keys := make([]string, len(chosen))
		work, wctx := errgroup.WithContext(ctx)
		work.SetLimit(max(b.Capacity(), 1))
		for i, u := range chosen {
			work.Go(func() (err error) {
				keys[i], err = askUser(wctx, r, requestOf(ds, h, catalogue, u), h, u, store)
				return err
			})
		}
		if err := work.Wait(); err != nil {
			return err
		}
		if err := asking.FillColumn(ctx, sheet, writer.Column{Name: one.Label(), ID: r.ID()}, keys, store); err != nil {
			return err
		}
	}
	return nil
}

// choose puts n users with histories on the sheet.
func choose(sheet *writer.Sheet, n int, ds *dataset.Dataset, h *dataset.Histories, catalogue []texts.HistoryItem) []int {
	var users, chosen []int
	for u := range ds.Users() {
		if len(h.Items(u)) > 0 {
			users = append(users, u)
		}
	}
	for _, at := range writer.EvenlySpaced(n, len(users)) {
		chosen = append(chosen, users[at])
		row := writer.Row{Subject: ds.UserIDs[users[at]]}
		for _, i := range h.Items(users[at]) {
			row.Shown = append(row.Shown, catalogue[i].Text())
		}
		sheet.Rows = append(sheet.Rows, row)
	}
	return chosen
}

// askUser asks about one user unless the answer is stored, under the key that a run of
// the stage would use, and returns that key.
func askUser(ctx context.Context, r texts.Reasoner, req texts.ReasonRequest, h *dataset.Histories, u int, store texts.Store) (string, error) {
	id, sources := r.ID(), h.Sources(u)
	if precise, ok := r.(texts.RequestIdentifier); ok {
		id = precise.RequestID(req)
	}
	key := texts.ReasonKey(id, req, h.SplitHash(), string(h.Scope()), sources)
	stored, err := store.Get(ctx, []string{key})
	if err != nil || stored[key].Status == texts.StatusOK {
		return key, err
	}
	if partial, ok := r.(texts.HistoryTruncator); ok {
		sources = sources[min(max(partial.FirstShown(req), 0), len(sources)):]
	}
	q := texts.Question{About: texts.Generation{Key: key, Stage: texts.StageReason, Subject: req.User, Fold: req.Fold,
		SplitHash: h.SplitHash(), Scope: string(h.Scope()), Sources: sources}, Reason: &req}
	answer, err := r.Reason(ctx, req)
	if class := mllm.ClassOf(err); err != nil && (class == "" || !class.Answer()) {
		return key, err
	}
	return key, store.Put(context.WithoutCancel(ctx), []texts.Generation{q.Settle(answer, err)})
}

// Questions calls add with every question that has no answer yet and is one request, and
// returns how many are read in several.
func Questions(ctx context.Context, s *stage.Session, opt Options, store texts.Store, add func(texts.Question, writer.SingleRequest) error) (inParts int, err error) {
	address, err := describedItems(s.WS)
	if err != nil {
		return 0, err
	}
	b, err := backend.WithoutServer(opt.Writer)
	if err != nil {
		return 0, err
	}
	catalogue, corpus, err := Catalogue(s.WS, address)
	if err != nil {
		return 0, err
	}
	r, err := b.Reasoner(ctx, corpus, opt.Long, nil)
	if err != nil {
		return 0, err
	}
	ds, err := s.Dataset()
	if err != nil {
		return 0, err
	}
	topt := opt.Preference.asked(texts.Options{Domain: ds.Domain})
	err = texts.UnansweredPreferences(ctx, opt.Preference.Histories(ds), ds.UserIDs, catalogue, r, store, topt, func(q texts.Question) error {
		q.Reason.Attempt = q.About.Attempt + 1
		one, ok, err := r.(*writer.Reasoner).SingleRequest(*q.Reason)
		if err != nil {
			return err
		}
		if !ok {
			inParts++
			return nil
		}
		return add(q, one)
	})
	return inParts, err
}
