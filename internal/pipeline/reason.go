package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// PreferenceOptions says from what and how often preferences are written.
type PreferenceOptions struct {
	History  string // "train", or "all": the published code's leaky protocol
	Folds    int    // K blind texts a user (cross-fitting); 0 = none
	FoldsFor int    // only for users with at least so many train items
}

// foldSeed deals train items into folds. It is fixed, so that texts, vectors and
// training agree on the folds without passing it around.
const foldSeed = 1

func (o PreferenceOptions) check() error {
	switch dataset.Scope(o.History) {
	case dataset.ScopeTrain, dataset.ScopeAll:
	default:
		return usererr.New("Use train (the rule) or all (the published code's leaky protocol).", "unknown --history %q", o.History)
	}
	if o.FoldsFor > 0 && o.Folds == 0 {
		return usererr.New("Give --folds too.", "--folds-for has no effect without --folds")
	}
	return nil
}

func (o PreferenceOptions) histories(ds *dataset.Dataset) *dataset.Histories {
	if dataset.Scope(o.History) == dataset.ScopeAll {
		return ds.LeakyHistories()
	}
	return ds.TrainHistories()
}

// Reason writes every user's preference from the train interactions (Eq. 3–4). A
// finished stage in which answers are missing goes on with them.
func (p *Pipeline) Reason(ctx context.Context, opt AuthorOptions, pref PreferenceOptions) error {
	a, err := newAuthor(opt)
	if err != nil {
		return err
	}
	return p.leave(workspace.StageReason, opt, p.reason(ctx, a, pref))
}

func (p *Pipeline) reason(ctx context.Context, a *author, pref PreferenceOptions) (err error) {
	if err := errors.Join(p.refuseForeign(workspace.StageReason), pref.check()); err != nil {
		return err
	}
	described, err := p.require(workspace.StageDescribe, "describe")
	if err != nil {
		return err
	}
	store, err := p.openLedger(ctx, a.opt.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	rows, err := p.WS.Items()
	if err != nil {
		return err
	}
	catalogue, corpus, err := p.catalogue(rows)
	if err != nil {
		return err
	}
	options := pref.record(a.opt)
	settings, err := a.reasonerSettings(ctx, corpus)
	if err != nil {
		return err
	}
	reasoner, err := a.reasoner(ctx, corpus, texts.StoredConclusions{Store: store})
	if err != nil {
		if unreachable(err) && p.settledUnseen(workspace.StageReason, writerReason, settings, options) {
			return p.skipped(workspace.StageReason)
		}
		return err
	}
	options[writerReason] = reasoner.ID()
	if p.settled(workspace.StageReason, options) {
		return p.skipped(workspace.StageReason)
	}
	if n := unsettled(described); n > 0 && !a.free() {
		p.emit(Event{Stage: workspace.StageReason, End: true,
			Message: fmt.Sprintf("%d items lack a description yet: preferences that show them are asked for again once they have one", n)})
	}
	start := time.Now()
	ds, err := p.WS.Dataset()
	if err != nil {
		return err
	}
	h := pref.histories(ds)
	ropt := texts.ReasonOptions{Options: p.reasonOptions(a, workspace.StageReason), Folds: pref.Folds, FoldMinItems: pref.FoldsFor, Seed: foldSeed}
	if !a.free() {
		ropt.Fallback = offline.NewReasoner(corpus)
	}
	texts, report, err := p.reasonUsers(ctx, a, h, ds.UserIDs, catalogue, reasoner, store, ropt)
	if err != nil {
		return a.explainRun(err)
	}
	report.Classes = a.failures(report.Classes)
	if err := p.WS.WriteUserTexts(texts.All(ctx)); err != nil {
		return err
	}
	st := workspace.Stage{Provenance: workspace.ProvenanceTrainOnly, Info: reportInfo(a, settings, report)}
	if h.Leaky() {
		st.Leaky, st.Provenance = true, workspace.ProvenanceLeaky
	}
	if err := p.record(workspace.StageReason, options, start, []string{workspace.UserTextsFile}, st); err != nil {
		return err
	}
	p.done(workspace.StageReason, start, "%d preference texts by %s%s%s%s", report.Total, a.name(reasoner), leakyNote(h), paid(a), troubles(report))
	return nil
}

// reasonUsers asks by itself or has workers ask.
func (p *Pipeline) reasonUsers(ctx context.Context, a *author, h *dataset.Histories, users []string, catalogue []texts.HistoryItem,
	reasoner texts.Reasoner, store texts.Store, opt texts.ReasonOptions) (*texts.Texts[workspace.UserText], texts.Report, error) {
	if !a.opt.Workers {
		return texts.ReasonUsers(ctx, h, users, catalogue, reasoner, store, opt)
	}
	workers, err := openFleet(ctx, store)
	if err != nil {
		return nil, texts.Report{}, err
	}
	order, err := p.order(workspace.StageReason, a, opt.CountTexts(h), reasoner.(*writer.Reasoner).Options())
	if err != nil {
		return nil, texts.Report{}, err
	}
	opt.Progress = nil
	return workers.ReasonUsers(ctx, h, users, catalogue, reasoner, opt, order)
}

// record returns the options that decide whether the stage is fresh, but who writes.
func (o PreferenceOptions) record(author AuthorOptions) map[string]string {
	return map[string]string{"mllm": author.MLLM, "history": o.History,
		"folds": strconv.Itoa(o.Folds), "folds_for": strconv.Itoa(o.FoldsFor)}
}

// reasonerSettings is the reasoner's ID as far as it is known without a server.
func (a *author) reasonerSettings(ctx context.Context, corpus []string) (string, error) {
	silent, err := silentAuthor(a.opt)
	if err != nil || a.free() {
		return "", err
	}
	r, err := silent.reasoner(ctx, corpus, nil)
	if err != nil {
		return "", err
	}
	return r.ID(), nil
}

// name is who writes, for people.
func (a *author) name(r texts.Reasoner) string {
	if a.free() {
		return nameOf(r.ID())
	}
	return a.opt.model()
}

func leakyNote(h *dataset.Histories) string {
	if h.Leaky() {
		return ", LEAKY: validation and test interactions were shown"
	}
	return ", from train interactions only"
}

// catalogue returns the items as a reasoner sees them, and their texts.
func (p *Pipeline) catalogue(rows []dataset.Item) ([]texts.HistoryItem, []string, error) {
	written, err := p.WS.ItemTexts()
	if err != nil {
		return nil, nil, err
	}
	items, err := texts.Catalogue(rows, written)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", workspace.ItemTextsFile, err)
	}
	corpus := make([]string, len(written))
	for i, t := range written {
		corpus[i] = t.Text
	}
	return items, corpus, nil
}

// foldsOf returns the fold of every train row.
func foldsOf(ds *dataset.Dataset, train *dataset.Histories, folds int) []uint8 {
	return texts.FoldsOf(train, ds.UserIDs, folds, foldSeed)
}

// PreferenceWriter writes the preference of somebody never seen from item rows, oldest
// first.
type PreferenceWriter func(ctx context.Context, items []int32) (string, error)

// PreferenceWriter returns a writer by the author of the workspace's own preferences, or
// by the one that p.Writer names.
func (p *Pipeline) PreferenceWriter(ctx context.Context, ds *dataset.Dataset) (PreferenceWriter, error) {
	st, err := p.require(workspace.StageReason, "reason")
	if err != nil {
		return nil, err
	}
	opt, err := recordedAuthor(st)
	if err != nil {
		return nil, err
	}
	if p.Writer != "" && p.Writer != opt.MLLM {
		opt = AuthorOptions{MLLM: p.Writer}
	}
	if opt.MLLM == connect.OpenAI && len(opt.BaseURLs) == 0 {
		return nil, usererr.New("Let plain rules write it: --mllm offline.", "the workspace's preferences are by %s on the servers of workers, which cannot be asked from here", opt.model())
	}
	a, err := newAuthor(opt)
	if err != nil {
		return nil, err
	}
	catalogue, corpus, err := p.catalogue(ds.Items)
	if err != nil {
		return nil, err
	}
	reasoner, err := a.reasoner(ctx, corpus, nil)
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("the workspace's preferences are by %s, which is to write this one too: %w", opt.model(), err),
			"Start the server, or let plain rules write it: --mllm offline.")
	}
	return func(ctx context.Context, items []int32) (string, error) {
		req := texts.ReasonRequest{Fold: texts.FullFold, Domain: ds.Domain, Attempt: 1}
		for _, i := range items {
			req.Items = append(req.Items, catalogue[i])
		}
		answer, err := reasoner.Reason(ctx, req)
		if err != nil {
			return "", fmt.Errorf("write a preference from %d items: %w", len(items), err)
		}
		return answer.Text, nil
	}, nil
}

// freeTexts reports whether the workspace's preferences cost nothing to write anew.
func (p *Pipeline) freeTexts() bool {
	return p.WS.Manifest().Stages[workspace.StageReason].Options["mllm"] == Offline
}
