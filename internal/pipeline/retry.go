package pipeline

import (
	"context"
	"errors"
	"strconv"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// AnswerQuery says which answers of the ledger are wanted.
type AnswerQuery struct {
	Stage   string
	Subject string // "" = all
	Status  string // texts.StatusOK, texts.StatusQuarantined, "" = both
	Limit   int    // at most so many
	Store   string // see AuthorOptions
}

// FindAnswers returns answers of the ledger by subject, and whether there are more.
func (p *Pipeline) FindAnswers(ctx context.Context, q AnswerQuery) (list []texts.Generation, more bool, err error) {
	switch q.Status {
	case "", texts.StatusOK, texts.StatusQuarantined:
	default:
		return nil, false, usererr.New("Use ok or quarantined.", "unknown --status %q", q.Status)
	}
	store, err := p.openLedger(ctx, q.Store)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	list = []texts.Generation{}
	take := func(g texts.Generation) error {
		if q.Status != "" && g.Status != q.Status {
			return nil
		}
		if len(list) >= q.Limit {
			more = true
			return errStop
		}
		list = append(list, g)
		return nil
	}
	if q.Subject == "" {
		if err = store.Each(ctx, q.Stage, take); errors.Is(err, errStop) {
			err = nil
		}
		return list, more, err
	}
	found, err := store.Find(ctx, q.Stage, q.Subject)
	for _, g := range found {
		if take(g) != nil {
			break
		}
	}
	return list, more, err
}

// Retry goes through a finished reasoning stage again with the options of its last run,
// but for those that change sets. What changes the questions is not for a retry.
func (p *Pipeline) Retry(ctx context.Context, stage string, change func(*AuthorOptions)) error {
	st, err := p.require(stage, stage)
	if err != nil {
		return err
	}
	opt, err := recordedAuthor(st)
	if err != nil {
		return err
	}
	// Workers have limits of their own: what the last run had of them is nobody's wish
	// for this one.
	asked := AuthorOptions{}
	change(&asked)
	if asked.Workers {
		opt.Concurrency, opt.RPM, opt.TPM, opt.Timeout, opt.KeepAlive, opt.Prices = 0, 0, 0, 0, "", ""
	}
	change(&opt)
	if st.Info[infoShared] == true && opt.Store == "" {
		return usererr.New("Give the same --store again; or run the stage's command, which asks about all that this workspace's own ledger does not hold.",
			"the last run kept its answers in a shared ledger: without it, a retry would ask about everything")
	}
	p.Force = true
	if stage == workspace.StageDescribe {
		return p.Describe(ctx, opt)
	}
	pref, err := recordedPreference(st)
	if err != nil {
		return err
	}
	return p.Reason(ctx, opt, pref)
}

// recordedPreference returns the options that preferences were written by.
func recordedPreference(st workspace.Stage) (PreferenceOptions, error) {
	o := PreferenceOptions{History: st.Options["history"]}
	var errs [2]error
	o.Folds, errs[0] = strconv.Atoi(st.Options["folds"])
	o.FoldsFor, errs[1] = strconv.Atoi(st.Options["folds_for"])
	return o, errors.Join(errs[:]...)
}
