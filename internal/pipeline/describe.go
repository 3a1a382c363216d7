package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// writerDescribe and writerReason name the options that hold who wrote.
const (
	writerDescribe = "describer"
	writerReason   = "reasoner"
)

// Describe writes the text of every item: its metadata and a description of its
// picture (Eq. 1–2). A finished stage in which answers are missing goes on with them.
func (p *Pipeline) Describe(ctx context.Context, opt AuthorOptions) error {
	a, err := newAuthor(opt)
	if err != nil {
		return err
	}
	return p.leave(workspace.StageDescribe, opt, p.describe(ctx, a))
}

func (p *Pipeline) describe(ctx context.Context, a *author) (err error) {
	if err := p.refuseForeign(workspace.StageDescribe); err != nil {
		return err
	}
	if err := refuseHistoryOptions(a.opt); err != nil {
		return err
	}
	options := map[string]string{"mllm": a.opt.MLLM}
	a.opt.Pictures.record(options)
	settings, err := a.describerSettings(ctx)
	if err != nil {
		return err
	}
	d, err := a.describer(ctx)
	if err != nil {
		if unreachable(err) && p.settledUnseen(workspace.StageDescribe, writerDescribe, settings, options) {
			return p.skipped(workspace.StageDescribe)
		}
		return err
	}
	options[writerDescribe] = d.ID()
	if p.settled(workspace.StageDescribe, options) {
		return p.skipped(workspace.StageDescribe)
	}
	start := time.Now()
	store, err := p.openLedger(ctx, a.opt.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ds, err := p.WS.Dataset()
	if err != nil {
		return err
	}
	source, items, err := p.openPictures(a.opt.Pictures, ds.Items, !a.free() || anyURL(ds.Items))
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // nothing is written through it
	texts, report, err := p.describeItems(ctx, a, d, items, source, store, p.reasonOptions(a, workspace.StageDescribe))
	if err != nil {
		return a.explainRun(err)
	}
	report.Classes = a.failures(report.Classes)
	if err := p.WS.WriteItemTexts(texts.All(ctx)); err != nil {
		return err
	}
	err = p.record(workspace.StageDescribe, options, start, []string{workspace.ItemTextsFile}, workspace.Stage{
		Provenance: workspace.ProvenanceTrainOnly, Info: reportInfo(a, settings, report)})
	if err != nil {
		return err
	}
	p.done(workspace.StageDescribe, start, "%d item texts, %d with a described picture%s%s", report.Total, report.Stored+report.Answered, paid(a), troubles(report))
	return nil
}

// describeItems asks by itself or has workers ask.
func (p *Pipeline) describeItems(ctx context.Context, a *author, d texts.Describer, items []dataset.Item, source texts.ImageSource, store texts.Store, ropt texts.Options) (*texts.Texts[workspace.ItemText], texts.Report, error) {
	opt := texts.DescribeOptions{Options: ropt}
	if !a.free() {
		opt.Fallback = offline.Describer{}
	}
	if !a.opt.Workers {
		return texts.DescribeItems(ctx, items, source, d, store, opt)
	}
	workers, err := openFleet(ctx, store)
	if err != nil {
		return nil, texts.Report{}, err
	}
	order, err := p.order(workspace.StageDescribe, a, len(items), d.(*writer.Describer).Options())
	if err != nil {
		return nil, texts.Report{}, err
	}
	opt.Progress = nil
	return workers.DescribeItems(ctx, items, source, d, opt, order)
}

// describerSettings is the describer's ID as far as it is known without a server.
func (a *author) describerSettings(ctx context.Context) (string, error) {
	silent, err := silentAuthor(a.opt)
	if err != nil {
		return "", err
	}
	d, err := silent.describer(ctx)
	if err != nil {
		return "", err
	}
	return d.ID(), nil
}

// refuseHistoryOptions refuses what only means something to preferences.
func refuseHistoryOptions(o AuthorOptions) error {
	for _, f := range []struct {
		name string
		set  bool
	}{{"window", o.Window != 0}, {"long-history", o.LongHistory != ""}, {"latest", o.LatestN != 0}} {
		if f.set {
			return usererr.New("It is for 'mllmrec reason'.", "--%s has no effect on descriptions", f.name)
		}
	}
	return nil
}

// paid says what the run cost, if that is known.
func paid(a *author) string {
	if c := a.cost(); c != "" {
		return ", " + c
	}
	return ""
}
