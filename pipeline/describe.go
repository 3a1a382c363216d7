package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	mllmimage "github.com/mllmrec/mllmrec/mllm/image"
	"github.com/mllmrec/mllmrec/reason"
	"github.com/mllmrec/mllmrec/reason/ledger"
	"github.com/mllmrec/mllmrec/workspace"
)

// Describe writes the text of every item: its metadata and a description of its
// picture (Eq. 1–2).
func (p *Pipeline) Describe(ctx context.Context, opt AuthorOptions) (err error) {
	if err := p.refuseForeign(workspace.StageDescribe); err != nil {
		return err
	}
	a, err := p.newAuthor(ctx, opt)
	if err != nil {
		return err
	}
	options := map[string]string{"mllm": opt.MLLM, "describer": a.describer.ID()}
	if p.fresh(workspace.StageDescribe, options) {
		return p.skipped(workspace.StageDescribe)
	}
	start := time.Now()
	ds, err := p.WS.Dataset()
	if err != nil {
		return err
	}
	store, err := ledger.OpenSQLite(ctx, p.WS.Path(workspace.GenerationsFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	loader, err := mllmimage.NewLoader(mllmimage.Options{})
	if err != nil {
		return err
	}
	defer loader.Close() //nolint:errcheck // nothing is written through it
	texts, report, err := reason.DescribeItems(ctx, ds.Items, images{p.WS, loader}, a.describer, store,
		reason.DescribeOptions{Options: p.reasonOptions(a, workspace.StageDescribe, start)})
	if err != nil {
		return err
	}
	if err := p.WS.WriteItemTexts(texts); err != nil {
		return err
	}
	err = p.record(workspace.StageDescribe, options, start, []string{workspace.ItemTextsFile}, workspace.Stage{
		Provenance: workspace.ProvenanceTrainOnly, Info: reportInfo(report)})
	if err != nil {
		return err
	}
	p.done(workspace.StageDescribe, start, "%d item texts, %d with a described picture%s", report.Total, report.Stored+report.Answered, troubles(report))
	return nil
}

// reportInfo keeps the counts of a report in the manifest.
func reportInfo(r reason.Report) map[string]any {
	return map[string]any{"total": r.Total, "stored": r.Stored, "answered": r.Answered, "neutral": r.Neutral, "plain": r.Plain,
		"quarantined": r.Quarantined, "image_failed": r.ImageFailed, "pending": r.Pending, "classes": r.Classes}
}

// troubles says in words what did not go as hoped.
func troubles(r reason.Report) string {
	s := ""
	if r.ImageFailed > 0 {
		s += fmt.Sprintf(", %d pictures unreadable", r.ImageFailed)
	}
	if r.Quarantined > 0 {
		s += fmt.Sprintf(", %d quarantined (a marked fallback stands in; the next run tries again)", r.Quarantined)
	}
	for i, f := range r.Failures {
		if i == 5 {
			s += "\n          …"
			break
		}
		s += fmt.Sprintf("\n          %s: %s: %s", f.Subject, f.Class, f.Error)
	}
	return s
}
