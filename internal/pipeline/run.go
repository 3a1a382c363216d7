package pipeline

import (
	"context"
	"errors"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// RunOptions are the options of all stages.
type RunOptions struct {
	Author     AuthorOptions
	Preference PreferenceOptions
	Encode     EncodeOptions
	Graph      itemgraph.Options
	Train      TrainOptions
	Explicit   map[string]bool // flags the user gave; one without effect is an error
}

// RunResult is what run prints.
type RunResult struct {
	Stages     []StageStatus `json:"stages"`
	Run        *Run          `json:"run"`
	Evaluation *Evaluation   `json:"evaluation"`
}

// Run does all stages in order, skipping what is fresh.
func (p *Pipeline) Run(ctx context.Context, opt RunOptions) (*RunResult, error) {
	if err := p.prepare(ctx, opt); err != nil {
		return nil, err
	}
	run, err := p.trainOrSkip(ctx, opt.Train)
	if err != nil {
		return nil, err
	}
	ev, err := p.Evaluate(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	stages, err := p.Status(ctx)
	if err != nil {
		return nil, err
	}
	return &RunResult{Stages: stages, Run: run, Evaluation: ev}, nil
}

// prepare brings texts, vectors and graph up to date.
func (p *Pipeline) prepare(ctx context.Context, opt RunOptions) error {
	if p.Foreign() {
		if err := foreignConflicts(opt.Explicit); err != nil {
			return err
		}
		p.emit(Event{Stage: workspace.StageEncode, Message: "imported vectors stand in for describe, reason and encode", End: true})
		return p.Graph(ctx, opt.Graph)
	}
	if err := p.refuseWordless(); err != nil {
		return err
	}
	author, err := newAuthor(opt.Author)
	if err != nil {
		return err
	}
	opt.Author.pool = author.pool
	describing := opt.Author // what is about histories is for preferences, and the other way round
	describing.Window, describing.LongHistory, describing.LatestN = 0, "", 0
	steps := []func() error{
		func() error { return p.Describe(ctx, describing) },
		func() error { return p.Reason(ctx, opt.Author, opt.Preference) },
		func() error { return p.Encode(ctx, opt.Encode) },
		func() error { return p.Graph(ctx, opt.Graph) },
	}
	for _, step := range steps {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return err
		}
	}
	return nil
}

// refuseWordless fails where there is nothing to write texts from.
func (p *Pipeline) refuseWordless() error {
	ds, err := p.WS.Dataset()
	if err != nil {
		return err
	}
	for _, item := range ds.Items {
		if item.Text() != "" || item.Image != "" {
			return nil
		}
	}
	return usererr.New("Import with texts, pictures or --item-features and --user-features; models bpr and lightgcn need none: mllmrec train "+p.WS.Dir()+" --model lightgcn.",
		"none of the %d items has a text or a picture: MLLMRec has nothing to read", len(ds.Items))
}

// foreignConflicts refuses flags about texts where imported vectors stand in for them.
func foreignConflicts(explicit map[string]bool) error {
	for _, flag := range []string{"folds", "folds-for", "history", "base-url", "dim", "encoder-seed", "encoder-model", "encoder-base-url",
		"encoder-long", "encoder-item-prefix", "encoder-user-prefix", "encoder-batch", "encoder-concurrency", "encoder-api-key-env",
		"mllm-model", "api-key-env", "concurrency", "rpm", "tpm", "max-cost", "max-hours", "prices", "prompts", "words", "script", "temperature",
		"long-history", "window", "latest", "image-dir", "image-long-side", "image-timeout", "allow-private-images", "store", "workers",
		"timeout", "keep-alive", "attempts", "model-seed", "max-tokens", "num-ctx"} {
		if explicit[flag] {
			return usererr.New("Leave it out, or encode the workspace's own texts with 'mllmrec encode --force'.",
				"--%s has no effect: this workspace uses imported feature vectors", flag)
		}
	}
	return nil
}

// trainOrSkip returns the finished run of these options and inputs, or trains it.
func (p *Pipeline) trainOrSkip(ctx context.Context, opt TrainOptions) (*Run, error) {
	if !p.Force && !opt.Fresh {
		run, err := p.freshRun(p.inputHash(workspace.StageTrain, opt.record()))
		if err != nil {
			return nil, err
		}
		if run != nil {
			p.emit(Event{Stage: workspace.StageTrain, Message: run.ID + " is fresh, skipped", End: true})
			return run, nil
		}
	}
	return p.Train(ctx, opt)
}

// DefaultRunOptions are those of the command line: the reference graph of the
// published code, LSA vectors, texts from a local model server.
func DefaultRunOptions() RunOptions {
	return RunOptions{
		Preference: PreferenceOptions{History: string(dataset.ScopeTrain)},
		Encode:     EncodeOptions{Encoder: "lsa", Dim: 384, Seed: 1},
		Graph:      itemgraph.DefaultOptions(),
		Train:      TrainOptions{Model: "mllmrec", Settings: map[string]string{}, Seed: 999},
	}
}
