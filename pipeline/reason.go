package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/reason"
	"github.com/mllmrec/mllmrec/reason/ledger"
	"github.com/mllmrec/mllmrec/workspace"
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

// Reason writes every user's preference from the train interactions (Eq. 3–4).
func (p *Pipeline) Reason(ctx context.Context, opt AuthorOptions, pref PreferenceOptions) (err error) {
	if err := errors.Join(p.refuseForeign(workspace.StageReason), pref.check()); err != nil {
		return err
	}
	if _, err := p.require(workspace.StageDescribe, "describe"); err != nil {
		return err
	}
	a, err := p.newAuthor(ctx, opt)
	if err != nil {
		return err
	}
	ds, err := p.WS.Dataset()
	if err != nil {
		return err
	}
	catalogue, corpus, err := p.catalogue(ds)
	if err != nil {
		return err
	}
	reasoner := a.reasoner(corpus)
	options := map[string]string{"mllm": opt.MLLM, "reasoner": reasoner.ID(), "history": pref.History,
		"folds": strconv.Itoa(pref.Folds), "folds_for": strconv.Itoa(pref.FoldsFor)}
	if p.fresh(workspace.StageReason, options) {
		return p.skipped(workspace.StageReason)
	}
	start := time.Now()
	store, err := ledger.OpenSQLite(ctx, p.WS.Path(workspace.GenerationsFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	h := pref.histories(ds)
	texts, report, err := reason.ReasonUsers(ctx, h, ds.UserIDs, catalogue, reasoner, store, reason.ReasonOptions{
		Options: p.reasonOptions(a, workspace.StageReason, start), Folds: pref.Folds, FoldsFor: pref.FoldsFor, Seed: foldSeed})
	if err != nil {
		return err
	}
	if err := p.WS.WriteUserTexts(texts); err != nil {
		return err
	}
	st := workspace.Stage{Provenance: workspace.ProvenanceTrainOnly, Info: reportInfo(report)}
	if h.Leaky() {
		st.Leaky, st.Provenance = true, workspace.ProvenanceLeaky
	}
	if err := p.record(workspace.StageReason, options, start, []string{workspace.UserTextsFile}, st); err != nil {
		return err
	}
	p.done(workspace.StageReason, start, "%d preference texts by %s%s%s", report.Total, nameOf(reasoner.ID()), leakyNote(h), troubles(report))
	return nil
}

func leakyNote(h *dataset.Histories) string {
	if h.Leaky() {
		return ", LEAKY: validation and test interactions were shown"
	}
	return ", from train interactions only"
}

// catalogue returns the items as a reasoner sees them, and their texts.
func (p *Pipeline) catalogue(ds *dataset.Dataset) ([]reason.HistoryItem, []string, error) {
	texts, err := p.WS.ItemTexts()
	if err != nil {
		return nil, nil, err
	}
	items, err := reason.Catalogue(ds.Items, texts)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", workspace.ItemTextsFile, err)
	}
	corpus := make([]string, len(texts))
	for i, t := range texts {
		corpus[i] = t.Text
	}
	return items, corpus, nil
}

// foldsOf returns the fold of every train row.
func foldsOf(ds *dataset.Dataset, train *dataset.Histories, folds int) []uint8 {
	return reason.FoldsOf(train, ds.UserIDs, folds, foldSeed)
}

// PreferenceWriter writes the preference of somebody never seen from item rows, oldest
// first.
type PreferenceWriter func(ctx context.Context, items []int32) (string, error)

// PreferenceWriter returns a writer by the author of the workspace's own preferences.
func (p *Pipeline) PreferenceWriter(ctx context.Context, ds *dataset.Dataset) (PreferenceWriter, error) {
	st, err := p.require(workspace.StageReason, "reason")
	if err != nil {
		return nil, err
	}
	a, err := p.newAuthor(ctx, AuthorOptions{MLLM: st.Options["mllm"]})
	if err != nil {
		return nil, err
	}
	catalogue, corpus, err := p.catalogue(ds)
	if err != nil {
		return nil, err
	}
	reasoner := a.reasoner(corpus)
	return func(ctx context.Context, items []int32) (string, error) {
		req := reason.ReasonRequest{Fold: reason.FullFold, Domain: ds.Domain, Attempt: 1}
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
