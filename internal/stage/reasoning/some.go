package reasoning

import (
	"context"
	"errors"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
)

// Some are the preferences of some users: what a pilot asks for before all are paid for.
type Some struct {
	By     string   // who wrote
	Texts  []string // one a user asked for; empty where no answer is usable
	Rules  []string // the same users' preferences as plain rules write them, for nothing
	Report texts.Report
}

// Write has the preferences of the given users written, from train interactions only. The answers
// are kept in the ledger as those of the whole stage are, so that nothing is paid for twice.
func Write(ctx context.Context, s *stage.Session, opt Options, users []int32) (_ *Some, err error) {
	b, err := backend.Open(opt.Writer)
	if err != nil {
		return nil, err
	}
	store, err := asking.OpenToAsk(ctx, s, b, "reason")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	address, err := describedItems(s.WS)
	if err != nil {
		return nil, err
	}
	catalogue, corpus, err := Catalogue(s.WS, address)
	if err != nil {
		return nil, err
	}
	r, err := b.Reasoner(ctx, corpus, opt.Long, &texts.StoredConclusions{Store: store})
	if err != nil {
		return nil, asking.Leave("reason", b, err)
	}
	ds, err := s.Dataset()
	if err != nil {
		return nil, err
	}
	some := &Some{By: b.Name(r.ID())}
	write := func(by texts.Reasoner, topt texts.ReasonOptions) ([]string, texts.Report, error) {
		topt.Only = users
		written, report, err := texts.ReasonUsers(ctx, ds.TrainHistories(), ds.UserIDs, catalogue, by, store, topt)
		if err != nil {
			return nil, report, err
		}
		all, err := written.Collect(ctx)
		lines := make([]string, len(all))
		for n, t := range all {
			lines[n] = t.Text
		}
		return lines, report, err
	}
	topt := opt.Preference.asked(asking.PilotOptions(s, b, store, "reason", opt.Limit))
	if some.Texts, some.Report, err = write(r, topt); err != nil {
		return nil, asking.Leave("reason", b, b.ExplainRun(err))
	}
	some.Report.Classes = b.Failures(some.Report.Classes)
	if err := asking.Usable(some.Report, "mllmrec reason show"); err != nil || b.Free() {
		return some, err
	}
	some.Rules, _, err = write(offline.NewReasoner(corpus), texts.ReasonOptions{Options: texts.Options{Domain: topt.Domain, Concurrency: asking.FreeConcurrency}})
	return some, err
}
