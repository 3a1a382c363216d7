package pipeline

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Sample asks several authors about the same n items or users, spread evenly over those
// that can be asked about, for a person to compare. The answers are kept in the ledger
// like any others.
func (p *Pipeline) Sample(ctx context.Context, stage string, n int, opts []AuthorOptions, pref PreferenceOptions) (_ *writer.Sheet, err error) {
	ds, err := p.WS.Dataset()
	if err != nil {
		return nil, err
	}
	store, err := p.openLedger(ctx, opts[0].Store)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	sheet := &writer.Sheet{Title: fmt.Sprintf("%s: %s, %d samples", p.WS.Manifest().Name, stage, n)}
	if stage == workspace.StageDescribe {
		err = p.sampleItems(ctx, sheet, n, opts, ds, store)
	} else {
		err = p.sampleUsers(ctx, sheet, n, opts, pref, ds, store)
	}
	return sheet, err
}

// columnName tells authors apart.
func columnName(o AuthorOptions) string {
	name := o.model()
	if o.MLLM == Offline {
		name = Offline
	}
	if o.Prompts != "" {
		name += " " + o.Prompts
	}
	return name
}

func (p *Pipeline) sampleItems(ctx context.Context, sheet *writer.Sheet, n int, opts []AuthorOptions, ds *dataset.Dataset, store texts.Store) error {
	source, items, err := p.openPictures(opts[0].Pictures, ds.Items, anyURL(ds.Items))
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // nothing is written through it
	var seen []dataset.Item
	for _, it := range items {
		if it.Image != "" {
			seen = append(seen, it)
		}
	}
	if len(seen) == 0 {
		return usererr.New("Give a folder of pictures with --image-dir.", "no item has a picture")
	}
	var chosen []dataset.Item
	for _, at := range writer.EvenlySpaced(n, len(seen)) {
		chosen = append(chosen, seen[at])
		row := writer.Row{Subject: seen[at].ID, Shown: []string{texts.ItemText(seen[at], "")}}
		if row.Image, err = source.Load(ctx, seen[at].Image); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			row.Shown = append(row.Shown, err.Error())
		}
		sheet.Rows = append(sheet.Rows, row)
	}
	for _, opt := range opts {
		a, err := newAuthor(opt)
		if err != nil {
			return err
		}
		d, err := a.describer(ctx)
		if err != nil {
			return err
		}
		p.emit(Event{Stage: workspace.StageDescribe, Message: fmt.Sprintf("asking %s about %d items", columnName(opt), len(chosen))})
		ropt := p.reasonOptions(a, workspace.StageDescribe)
		ropt.Progress = nil
		texts, _, err := p.describeItems(ctx, a, d, chosen, source, store, ropt)
		if err != nil {
			return err
		}
		described, err := texts.Collect(ctx)
		if err != nil {
			return err
		}
		keys := make([]string, len(described))
		for i, t := range described {
			keys[i] = t.Key
		}
		if err := fillColumn(ctx, sheet, writer.Column{Name: columnName(opt), ID: d.ID()}, keys, store); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pipeline) sampleUsers(ctx context.Context, sheet *writer.Sheet, n int, opts []AuthorOptions, pref PreferenceOptions, ds *dataset.Dataset, store texts.Store) error {
	if err := pref.check(); err != nil {
		return err
	}
	if _, err := p.require(workspace.StageDescribe, "describe"); err != nil {
		return err
	}
	catalogue, corpus, err := p.catalogue(ds.Items)
	if err != nil {
		return err
	}
	h := pref.histories(ds)
	var users []int
	for u := range ds.Users() {
		if len(h.Items(u)) > 0 {
			users = append(users, u)
		}
	}
	var chosen []int
	for _, at := range writer.EvenlySpaced(n, len(users)) {
		chosen = append(chosen, users[at])
		row := writer.Row{Subject: ds.UserIDs[users[at]]}
		for _, i := range h.Items(users[at]) {
			row.Shown = append(row.Shown, catalogue[i].Text())
		}
		sheet.Rows = append(sheet.Rows, row)
	}
	for _, opt := range opts {
		a, err := newAuthor(opt)
		if err != nil {
			return err
		}
		r, err := a.reasoner(ctx, corpus, texts.StoredConclusions{Store: store})
		if err != nil {
			return err
		}
		p.emit(Event{Stage: workspace.StageReason, Message: fmt.Sprintf("asking %s about %d users", columnName(opt), len(chosen))})
		keys := make([]string, len(chosen))
		work, wctx := errgroup.WithContext(ctx)
		work.SetLimit(max(p.reasonOptions(a, workspace.StageReason).Concurrency, 1))
		for i, u := range chosen {
			work.Go(func() (err error) {
				keys[i], err = askUser(wctx, r, requestOf(ds, h, catalogue, u), h, u, store)
				return err
			})
		}
		if err := work.Wait(); err != nil {
			return err
		}
		if err := fillColumn(ctx, sheet, writer.Column{Name: columnName(opt), ID: r.ID()}, keys, store); err != nil {
			return err
		}
	}
	return nil
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

// fillColumn puts the stored answers beside those of the other authors.
func fillColumn(ctx context.Context, sheet *writer.Sheet, column writer.Column, keys []string, store texts.Store) error {
	stored, err := store.Get(ctx, keys)
	if err != nil {
		return err
	}
	sheet.Columns = append(sheet.Columns, column)
	for i, key := range keys {
		cell := writer.Cell{Failure: "nobody was asked"}
		if g, ok := stored[key]; ok {
			cell = writer.Cell{Text: g.Text, PromptTokens: g.PromptTokens, AnswerTokens: g.AnswerTokens, Seconds: g.Seconds}
			if g.Status != texts.StatusOK {
				cell.Failure = g.Class + ": " + g.Error
			}
		}
		sheet.Rows[i].Cells = append(sheet.Rows[i].Cells, cell)
	}
	return nil
}
