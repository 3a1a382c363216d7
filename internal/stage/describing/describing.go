// Package describing is the stage that writes the text of every item: its metadata and a
// description of its picture.
package describing

import (
	"context"
	"errors"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// writerOption is the option under which the record says who wrote.
const writerOption = "describer"

// Options of the stage. What is encoded as JSON is recorded, to ask again in the same way.
type Options struct {
	Writer   backend.Options `json:"writer"`
	Pictures Pictures        `json:"pictures,omitzero"`
	Parts    Parts           `json:"-"`
	Limit    int             `json:"-"` // ask about at most so many items, 0 = all; below 0: about none
}

// Stage writes the item texts. A finished one in which answers are missing goes on with
// them.
type Stage struct {
	Options
	Backend *backend.Backend

	settings  string
	describer texts.Describer
}

// New connects to the servers that the options name and returns the stage.
func New(opt Options) (*Stage, error) {
	b, err := backend.Open(opt.Writer)
	if err != nil {
		return nil, err
	}
	return &Stage{Options: opt, Backend: b}, nil
}

// Name implements stage.Stage.
func (*Stage) Name() string { return workspace.StageDescribe }

// Makes implements stage.Stage.
func (*Stage) Makes() workspace.Kind { return workspace.KindItemTexts }

// Needs implements stage.Stage.
func (*Stage) Needs() []stage.Need {
	return []stage.Need{{Kind: workspace.KindData, Files: []string{workspace.ItemsFile}}}
}

// Settle implements stage.Stage. It asks the server which weights its model has.
func (d *Stage) Settle(ctx context.Context, s *stage.Session, in stage.Inputs) (spec stage.Spec, err error) {
	if err := d.Parts.Check(s.WS); err != nil {
		return spec, err
	}
	d.Backend = d.Backend.Fresh()
	if err := d.silence(); err != nil {
		return spec, err
	}
	spec = stage.Spec{Name: "items-" + workspace.Slug(d.Backend.Label()), Options: map[string]string{"mllm": d.Backend.MLLM}}
	d.Pictures.record(spec.Options)
	d.Parts.record(spec.Options)
	if d.settings, err = settings(ctx, d.Writer); err != nil {
		return spec, err
	}
	if d.describer, err = d.Backend.Describer(ctx); err != nil {
		spec.Unsettled = asking.Leave(d.Name(), d.Backend, err)
		if backend.Unreachable(err) {
			spec.Reuse = asking.Unseen(s.WS, d.Makes(), writerOption, d.settings, spec.Options, in)
		}
		return spec, nil
	}
	spec.Options[writerOption] = d.describer.ID()
	return spec, nil
}

// settings is the describer's ID as far as it is known without a server.
func settings(ctx context.Context, opt backend.Options) (string, error) {
	silent, err := backend.WithoutServer(opt)
	if err != nil {
		return "", err
	}
	d, err := silent.Describer(ctx)
	if err != nil {
		return "", err
	}
	return d.ID(), nil
}

// Build implements stage.Stage.
func (d *Stage) Build(ctx context.Context, b *stage.Build) error {
	return asking.Leave(d.Name(), d.Backend, d.build(ctx, b))
}

func (d *Stage) build(ctx context.Context, b *stage.Build) (err error) {
	store, err := asking.OpenToAsk(ctx, b.Session, d.Backend, d.Name())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	rows, err := b.WS.Items()
	if err != nil {
		return err
	}
	source, items, err := OpenPictures(b.Session, d.Pictures, rows, !d.Backend.Free() || anyURL(rows))
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // nothing is written through it
	written, report, err := ask(ctx, b.Session, d.Backend, d.describer, d.Parts.of(items), source, store, asking.Options(b.Session, d.Backend, store, d.Name(), d.Limit))
	if err != nil {
		return d.Backend.ExplainRun(err)
	}
	report.Classes = d.Backend.Failures(report.Classes)
	if err := asking.Usable(report, "mllmrec describe show"); err != nil {
		return err
	}
	if err := b.WS.WriteItemTexts(b.Path(workspace.ItemTextsFile), written.All(ctx)); err != nil {
		return err
	}
	asking.Record(b, d.Backend, d.Options, d.settings, report)
	b.Done("%d item texts, %d with a described picture%s%s", report.Total, report.Stored+report.Answered, asking.Paid(d.Backend), asking.Troubles(report))
	return nil
}

// ask asks by itself or has workers ask.
func ask(ctx context.Context, s *stage.Session, b *backend.Backend, d texts.Describer, items []dataset.Item, source texts.ImageSource, store texts.Store,
	topt texts.Options) (*texts.Texts[workspace.ItemText], texts.Report, error) {
	opt := texts.DescribeOptions{Options: topt}
	if !b.Free() {
		opt.Fallback = offline.Describer{}
	}
	if !b.Shared.Workers {
		return texts.DescribeItems(ctx, items, source, d, store, opt)
	}
	workers, err := asking.Coordinator(ctx, store)
	if err != nil {
		return nil, texts.Report{}, err
	}
	job, err := asking.Job(s, b, workspace.StageDescribe, len(items), d.(*writer.Describer).Options())
	if err != nil {
		return nil, texts.Report{}, err
	}
	opt.Progress = nil
	return workers.DescribeItems(ctx, items, source, d, opt, job)
}

// Recorded returns the options that item texts were written with.
func Recorded(a workspace.Artefact) (Options, error) {
	opt := Options{}
	opt.Parts.recall(a.Options)
	if asked, err := asking.Recorded(a, &opt); err != nil || asked {
		return opt, err
	}
	opt.Writer.MLLM = a.Options["mllm"]
	return opt, opt.Pictures.recall(a.Options)
}
